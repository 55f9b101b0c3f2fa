"""A gateway for tests: the real parts, a small model in place of the shipped one."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, time
from typing import Any

import httpx
import numpy as np
from prometheus_client import CollectorRegistry

from edgeinfer.backends.base import Description, Inference, Window
from edgeinfer.errors import BackendError, ModelFileError
from edgeinfer.gateway.analysis import InferenceService
from edgeinfer.gateway.app import Parts, build_app
from edgeinfer.gateway.balance import Balancer, SidecarMember
from edgeinfer.gateway.checks import make_checks
from edgeinfer.gateway.discovery import Discovery
from edgeinfer.gateway.drift import AnswerBuffer
from edgeinfer.gateway.drift_files import drift_files_of
from edgeinfer.gateway.drift_watch import DriftSettings, DriftWatch
from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.exemplars import ExemplarSampler
from edgeinfer.gateway.fallback import Fallback
from edgeinfer.gateway.health import HealthMonitor
from edgeinfer.gateway.http_client import HttpTransport
from edgeinfer.gateway.input_quality import QualityWatch
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.outputs import OutputReader
from edgeinfer.gateway.session_reports import SessionReports
from edgeinfer.gateway.sessions import MemorySessions, SessionStore, SessionTable
from edgeinfer.gateway.sidecar_client import SidecarClient
from edgeinfer.gateway.store.files import DiskFiles
from edgeinfer.gateway.transport import parse_target
from edgeinfer.metrics.registry import new_registry
from edgeinfer.model.card import ModelCard, default_folder, load_card

API = "/api/v1/analysis"


class Clock:
    """Time that a test moves."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class SmallModel:
    """A Backend whose answer is always the same; it can be set to fail."""

    parallelism: int = 1
    is_cpu_bound: bool = True
    fails_to_open: bool = False
    fails_to_infer: bool = False
    is_open: bool = False
    windows: list[Window] = field(default_factory=list)
    wait: Callable[[], None] = lambda: None

    def open(self) -> Description:
        if self.fails_to_open:
            raise ModelFileError("model", "it is missing", "Bring it.")
        self.is_open = True
        return Description("cpu", "cpu", "test", "small", "1", "", 64, 12)

    def infer(self, window: Window) -> Inference:
        if self.fails_to_infer:
            raise BackendError("model", "it failed", "Look.", error_class="execution_failed")
        self.wait()
        self.windows.append(window)
        scores = np.full(12, 0.02, np.float32)
        scores[3] = 0.78
        return Inference(np.full(64, 0.5, np.float32), scores, 0.0, 0.0, 0.0)

    def close(self) -> None:
        self.is_open = False


@dataclass
class Rig:
    """The parts of a gateway, and short ways to look at them."""

    registry: CollectorRegistry
    instruments: GatewayInstruments
    card: ModelCard
    table: SessionTable
    store: SessionStore
    service: InferenceService
    health: HealthMonitor
    drift: DriftWatch
    quality: QualityWatch
    reports: SessionReports
    model: SmallModel

    def value(self, metric: str, /, **labels: str) -> float | None:
        return self.registry.get_sample_value(metric, labels)

    def counts(self, name: str, label: str) -> dict[str, float]:
        """Values above 0 of a metric by one of its labels."""
        found: dict[str, float] = {}
        for family in self.registry.collect():
            for sample in family.samples:
                if sample.name == name and sample.value:
                    key = sample.labels[label]
                    found[key] = found.get(key, 0) + sample.value
        return found

    @property
    def errors(self) -> dict[str, float]:
        return self.counts("hailo_inference_errors_total", "error_type")

    def parts(self, **changes: Any) -> Parts:
        return Parts(
            self.registry,
            self.instruments,
            self.card,
            self.store,
            self.service,
            self.health,
            self.drift,
            self.quality,
            self.reports,
            **changes,
        )


def make_rig(
    *urls: str,
    timeout_seconds: float = 30.0,
    retries: int = 0,
    model: SmallModel | None = None,
    has_fallback: bool = True,
    encoding: str = "binary",
    clock: Callable[[], float] = perf_counter,
    circuit_failures: int = 1000,
    max_in_flight: int = 256,
    store: Callable[[SessionTable], SessionStore] = MemorySessions,
    table: dict[str, Any] | None = None,
    data_folder: Path | None = None,
    durable_folder: Path | None = None,
    drift_settings: DriftSettings | None = None,
    wall: Callable[[], float] = time,
    scores_sum_to_one: bool = True,
) -> Rig:
    """Wire a gateway in front of some sidecars; a test about time says how long they may take.

    On a busy machine a short default would let the fallback answer where the sidecar is expected.
    """
    card = load_card(default_folder())
    registry = new_registry()
    targets = [parse_target(url) for url in urls]
    instruments = GatewayInstruments(registry, motifs=card.motif_names, sidecars=[target.name for target in targets])
    reader = OutputReader(card.latent_size, len(card.motifs), sum_to_one=scores_sum_to_one)
    model = model or SmallModel()
    members = [
        SidecarMember(
            SidecarClient(
                target.name, HttpTransport(target), reader, Discovery(target, reader, model="small", encoding=encoding)
            ),
            instruments.sidecars[target.name],
            failures=circuit_failures,
            open_seconds=1.0,
            clock=clock,
        )
        for target in targets
    ]
    answers = AnswerBuffer(card.latent_size, size=50, clock=clock, spacing_seconds=0.0)
    drift = DriftWatch(
        card, answers, drift_settings or DriftSettings(), drift_files_of(durable_folder, card), instruments, wall=wall
    )
    service = InferenceService(
        balancer=Balancer(members),
        fallback=Fallback(model) if has_fallback else None,
        reader=reader,
        instruments=instruments,
        drift=answers,
        timeout_seconds=timeout_seconds,
        retries=retries,
        max_in_flight=max_in_flight,
        calls=ExemplarSampler((0.1,), clock, interval_seconds=0.0),
    )
    sessions = SessionTable(instruments.sessions, **(table or {}))
    kept = store(sessions)
    if durable_folder is not None:
        kept = DurableSessions(sessions, DiskFiles(durable_folder), instruments.store)
    health = HealthMonitor(make_checks(service, kept, data_folder), instruments, interval_seconds=30)
    quality = QualityWatch(sessions.all, instruments)
    reports = SessionReports(sessions.all, quality, card.motifs)
    sessions.on_end = reports.remember_end
    return Rig(registry, instruments, card, sessions, kept, service, health, drift, quality, reports, model)


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[InferenceService]:
    """The core alone, from its start to its end."""
    rig.service.start()
    try:
        yield rig.service
    finally:
        await rig.service.close()


@asynccontextmanager
async def api(rig: Rig, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application with its background work, asked without a socket."""
    app = build_app(rig.parts(**changes))
    rig.store.open()
    try:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://gateway"
            ) as client,
        ):
            await rig.health.run_once()
            yield client
    finally:
        rig.store.close()


def a_window(seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(100, 9)).astype(np.float32)


def samples(count: int, first: int = 0, **fixed: Any) -> list[dict[str, Any]]:
    """Samples at 100 Hz."""
    channels = {"ax": 9.81, "ay": 0.1, "az": 0.2, "gx": 0.0, "gy": 0.0, "gz": 0.0, "mx": 0.0, "my": 0.0, "mz": 0.0}
    return [{"t": round(index / 100, 6), **channels, **fixed} for index in range(first, first + count)]
