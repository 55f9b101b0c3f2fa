"""The routes of the gateway; what they do is in the core, what they answer in `answers`."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from edgeinfer.gateway import answers, openapi
from edgeinfer.gateway.analysis import InferenceService
from edgeinfer.gateway.bodies import read_json_body
from edgeinfer.gateway.health import DEGRADED, HEALTHY, HealthMonitor
from edgeinfer.gateway.input_quality import QualityWatch
from edgeinfer.gateway.known_activity import ActivityCounter, check_activity
from edgeinfer.gateway.motifs import find_motifs
from edgeinfer.gateway.request_ids import id_of
from edgeinfer.gateway.samples import (
    ROLE_PATTERN,
    check_bounds,
    decode_process,
    decode_stop,
    decode_stream,
    make_window,
    read_batch,
)
from edgeinfer.gateway.session_answer import describe_session
from edgeinfer.gateway.sessions import SessionStore, canonical_id
from edgeinfer.gateway.shortcut import HotRoute
from edgeinfer.gateway.synchrony import measure_session
from edgeinfer.model.card import Motif
from edgeinfer.web.negotiation import first_accepted

_PREFIX = "/api/v1/analysis"
STREAM_PATH, PROCESS_PATH = f"{_PREFIX}/stream", f"{_PREFIX}/process"
_SessionId = Annotated[str, Query(alias="sessionId", description="From POST /start.", min_length=1, max_length=64)]
_Role = Annotated[str | None, Query(pattern=ROLE_PATTERN, description="Which stream; the newest if not given.")]
_OK = 200
_WORDS = {HEALTHY: "OK", DEGRADED: "DEGRADED"}


def hot_routes(store: SessionStore, service: InferenceService, max_body_bytes: int) -> dict[tuple[str, str], HotRoute]:
    """The routes that phones call all the time, for `Shortcut` and for the router."""

    async def stream(request: Request) -> Response:
        body = decode_stream(await read_json_body(request, max_body_bytes))
        batch = read_batch(body.samples)
        check_bounds(body, batch)
        activity = check_activity(body.activity)
        session_id = canonical_id(body.session_id)
        stored = await store.append(session_id, body.role, batch)
        if activity and len(batch):
            stored.stream.activities.add(float(batch.times.min()), float(batch.times.max()), activity)
        return answers.accepted(session_id, stored)

    async def process(request: Request) -> Response:
        window, source = make_window(decode_process(await read_json_body(request, max_body_bytes)).samples)
        request_id = id_of(request.scope)
        return answers.processed(await service.analyze_imu_window(window, "process", request_id), source, request_id)

    return {
        ("PUT", STREAM_PATH): HotRoute(STREAM_PATH, stream),
        ("POST", PROCESS_PATH): HotRoute(PROCESS_PATH, process),
    }


def analysis_router(  # noqa: PLR0913, PLR0917 - the wiring
    store: SessionStore,
    service: InferenceService,
    motifs: tuple[Motif, ...],
    activities: ActivityCounter,
    quality: QualityWatch,
    max_body_bytes: int,
    hot: Mapping[tuple[str, str], HotRoute],
) -> APIRouter:
    """The routes of sessions and analyses."""
    router = APIRouter(prefix=_PREFIX, tags=["analysis"], default_response_class=Response)

    @router.post("/start", summary="Begin a session", **openapi.START)
    async def start() -> Response:
        return answers.started(await store.start())

    @router.put("/stream", status_code=202, summary="Hand over samples of a session", **openapi.STREAM)
    async def stream(request: Request) -> Response:
        return await hot["PUT", STREAM_PATH].handler(request)

    @router.get("/motifs", summary="What the newest window of a session shows", **openapi.MOTIFS)
    async def find(request: Request, session_id: _SessionId, role: _Role = None) -> Response:
        session_id = canonical_id(session_id)
        kept = store.get(session_id).stream(role)
        request_id = id_of(request.scope)
        found = await find_motifs(service, motifs, kept, request_id)
        if found.activity:
            activities.count(found.activity, found.diagnostics[0].index)
        return answers.motifs(session_id, kept, found, store.age_seconds(kept), request_id)

    @router.get("/synchrony", summary="How well the two streams of a session move together", **openapi.SYNCHRONY)
    async def synchrony(session_id: _SessionId) -> Response:
        session = store.get(canonical_id(session_id))
        return answers.synchrony(session, measure_session(session))

    @router.get("/session", summary="Since when, motif timeline, synchrony and input quality", **openapi.SESSION)
    async def session(session_id: _SessionId) -> Response:
        found = quality.find(session_id) or store.get(session_id)
        return answers.JsonAnswer(describe_session(found, quality, motifs, monotonic()) | {"timestamp": answers.now()})

    @router.post("/stop", summary="End a session", **openapi.STOP)
    async def stop(request: Request) -> Response:
        body = decode_stop(await read_json_body(request, max_body_bytes))
        return answers.stopped(await store.stop(canonical_id(body.session_id)))

    @router.post("/process", summary="Analyse one window without a session", **openapi.PROCESS)
    async def process(request: Request) -> Response:
        return await hot["POST", PROCESS_PATH].handler(request)

    return router


def health_router(monitor: HealthMonitor, uptime: Callable[[], float]) -> APIRouter:
    """The routes of health; they read what the background found and run nothing."""
    router = APIRouter(tags=["operation"], default_response_class=Response)

    @router.get("/healthz", summary="Whether the gateway can serve", **openapi.HEALTH)
    async def healthz(request: Request) -> Response:
        status = monitor.status
        code = _OK if status in _WORDS else 503
        headers = {"Cache-Control": "no-store", "Vary": "Accept"}
        if first_accepted(request.headers.get("accept", ""), ("application/json", "text/plain")) == "application/json":
            document = {"ok": code == _OK, "status": status, "message": monitor.why, "timestamp": answers.now()}
            return answers.JsonAnswer(document, code, headers)
        return PlainTextResponse(_WORDS.get(status, "UNAVAILABLE"), code, headers)

    @router.get("/health/detailed", summary="Every check with its newest result", **openapi.HEALTH_DETAILED)
    async def detailed() -> Response:
        return answers.JsonAnswer(answers.health(monitor, openapi.VERSION, uptime()))

    return router
