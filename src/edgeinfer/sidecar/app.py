"""The sidecar assembled from parts that come in as arguments."""

import asyncio
import logging
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry, Counter
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from edgeinfer.backends.base import Backend
from edgeinfer.model.card import ModelCard
from edgeinfer.sidecar.accounting import InferenceAccount
from edgeinfer.sidecar.decoding import WindowDecoder
from edgeinfer.sidecar.endpoint import INFER_PATH, InferEndpoint
from edgeinfer.sidecar.fast_json import find_parser
from edgeinfer.sidecar.inference import InferencePool
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.model import ServedModel
from edgeinfer.sidecar.open_inference import openapi as open_inference_openapi
from edgeinfer.sidecar.open_inference.app import OpenInferenceApp
from edgeinfer.sidecar.open_inference.core import OpenInferenceCore
from edgeinfer.sidecar.open_inference.endpoint import OpenInferenceEndpoint
from edgeinfer.sidecar.open_inference.request import RequestDecoder
from edgeinfer.sidecar.open_inference.rpc.parts import Counting, MakeRpcServer, RpcParts, RpcServer
from edgeinfer.sidecar.reload import ModelReload, ReloadPlan
from edgeinfer.sidecar.routes import SidecarStatus, status_router
from edgeinfer.sidecar.schema import infer_operation
from edgeinfer.sidecar.shadow import Shadow, ShadowPlan
from edgeinfer.web.application import new_application
from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.error_answers import Refusal
from edgeinfer.web.front_page import front_page_router
from edgeinfer.web.metrics_endpoint import metrics_router
from edgeinfer.web.request_metrics import AnswerRecorder, RequestMetrics
from edgeinfer.web.tracing import Tracing

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The application and what its process steers.

    Args:
        app: to serve.
        model: to drain when the process is stopped.
        direct: routes that the server may answer past the application.
        on_refusal: counts what the server answers in its place.
        change: to start when the process is asked to change the model; None where it cannot be changed.
    """

    app: ASGIApp
    model: ServedModel
    direct: tuple[DirectRoute, ...]
    on_refusal: Callable[[Refusal], None]
    change: ModelReload | None = None


def build_sidecar(  # noqa: PLR0913 - the parts, by name
    *,
    backend: Backend,
    card: ModelCard,
    registry: CollectorRegistry,
    version: str,
    queue_capacity: int = 64,
    workers: int | None = None,
    shadow_plan: ShadowPlan | None = None,
    change_plan: ReloadPlan | None = None,
    tracing_of: Callable[[Counter], Tracing | None] = lambda _: None,
    find_json_parser: Callable[[], Callable[[], Any] | None] = find_parser,
    make_rpc: MakeRpcServer | None = None,
    clock: Callable[[], float] = monotonic,
) -> Sidecar:
    """Assemble a sidecar; nothing is opened before its lifespan begins.

    Args:
        backend: answers the windows.
        card: of its model.
        registry: where its metrics live; collectors of the machine are the caller's to add.
        version: of the package.
        queue_capacity: windows that may wait before the sidecar sheds.
        workers: threads that call the backend; as many as it can use if not given.
        shadow_plan: a second backend to compare a share of the windows with.
        change_plan: how another model takes this one's place while windows are answered.
        tracing_of: makes the export of traces, with the counter of its spans; None where traces are off.
        find_json_parser: finds simdjson's parser; where there is none, msgspec decodes windows in JSON.
        make_rpc: makes the gRPC server; None where there is none.
        clock: monotonic seconds.
    """
    instruments = SidecarInstruments(registry)
    tracing = tracing_of(instruments.spans)
    decoder = WindowDecoder(card.window.length, find_json_parser())
    instruments.build_info.replace([(version, platform.python_version(), decoder.json_decoder)])
    model = ServedModel(backend, card, instruments)
    most = (lambda: workers) if workers is not None else (lambda: model.parallelism)
    shadow = Shadow(shadow_plan, instruments) if shadow_plan is not None else None
    change = ModelReload(model, change_plan, instruments, shadow=shadow) if change_plan is not None else None
    infer_all = model.infer_all if shadow is None else shadow.around(model.infer_all)
    pool = InferencePool(
        infer_all,
        instruments,
        workers=most,
        capacity=queue_capacity,
        check_ready=model.check_ready,
        pace=model.pace,
    )
    recorder = AnswerRecorder(instruments.http_requests, instruments.http_duration)
    account = InferenceAccount(instruments, tracing)
    endpoint = InferEndpoint(decoder, pool, model, account, recorder)
    requests = RequestDecoder(decoder, card.window.length, queue_capacity)
    core = OpenInferenceCore(pool, model, account)
    open_inference = OpenInferenceEndpoint(requests, core, recorder)
    status = SidecarStatus(
        model,
        change,
        version=version,
        workers=most,
        queue_capacity=queue_capacity,
        json_decoder=decoder.json_decoder,
        last_seconds=lambda: account.last_seconds,
        clock=clock,
    )
    counting = Counting(recorder, instruments.problems, instruments.on_refusal)
    rpc = make_rpc(RpcParts(core, requests, decoder, version, counting)) if make_rpc is not None else None
    parts = _Parts(model, pool, shadow, change, tracing, rpc, decoder.json_decoder)
    rest = _framework(parts, card, endpoint, instruments, queue_capacity)
    rest.include_router(status_router(status))
    rest.include_router(metrics_router(registry))
    rest.include_router(_front_page(version, status))
    under_v2 = OpenInferenceApp(open_inference, model, instruments.problems, version)
    app = RequestMetrics(_Fork(endpoint, under_v2, rest), instruments.http_requests, instruments.http_duration)
    direct = (endpoint.direct_route(), *open_inference.direct_routes())
    return Sidecar(app, model, direct, instruments.on_refusal, change)


class _Fork:
    """Sends POST /infer and all of /v2 past the framework, everything else through it."""

    def __init__(self, infer: ASGIApp, under_v2: ASGIApp, rest: ASGIApp) -> None:
        self._infer = infer
        self._under_v2 = under_v2
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app_of(scope)(scope, receive, send)

    def _app_of(self, scope: Scope) -> ASGIApp:
        if scope["type"] != "http":
            return self._rest
        if scope["path"] == INFER_PATH and scope["method"] == "POST":
            return self._infer
        return self._under_v2 if OpenInferenceApp.owns(scope["path"]) else self._rest


@dataclass(frozen=True, slots=True)
class _Parts:
    """What runs while the application does."""

    model: ServedModel
    pool: InferencePool
    shadow: Shadow | None
    change: ModelReload | None
    tracing: Tracing | None
    rpc: RpcServer | None
    json_decoder: str

    async def start(self) -> None:
        _log.info("the sidecar starts", extra={"json_decoder": self.json_decoder})
        if self.tracing is not None:
            self.tracing.exporter.start()
        self.pool.start()
        self.model.start()
        if self.shadow is not None:
            self.shadow.start()
        if self.rpc is not None:
            await self.rpc.start()

    async def close(self) -> None:
        if self.change is not None:
            self.change.close()
        if self.rpc is not None:
            await self.rpc.stop()
        await self.pool.close()
        if self.shadow is not None:
            self.shadow.close()
        self.model.close()
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.exporter.close)


def _front_page(version: str, status: SidecarStatus) -> APIRouter:
    links = {
        "/docs": "the API: routes, bodies, answers",
        "/healthz": "whether the model answers",
        "/status": "health, and what the sidecar is made of",
        "/v2": "the server in the Open Inference Protocol",
        "/metrics": "metrics for Prometheus",
    }
    return front_page_router("Hailo sidecar", version, is_ok=lambda: status.health().ok, links=links)


def _framework(
    parts: _Parts, card: ModelCard, endpoint: InferEndpoint, instruments: SidecarInstruments, max_windows: int
) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await parts.start()
        yield
        await parts.close()

    app = new_application(
        "Hailo sidecar", description="One model on one device.", lifespan=lifespan, problems=instruments.problems
    )
    # Reached past the framework; here for the methods that it does not take.
    app.router.routes.append(Route(INFER_PATH, endpoint, methods=["POST"], include_in_schema=False))
    described_by_framework = app.openapi

    def openapi() -> dict[str, Any]:
        document = described_by_framework()
        operation = infer_operation(card.window.length, card.latent_size, len(card.motifs))
        document["paths"].setdefault(INFER_PATH, {})["post"] = operation
        document["paths"].update(open_inference_openapi.paths(card, max_windows))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
    return app
