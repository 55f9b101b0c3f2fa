"""Metrics for any FastAPI sidecar of a Hailo chip in a few lines; docs/examples shows them."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from time import perf_counter
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from edgeinfer.catalog import labels, sidecar
from edgeinfer.collectors.run import Collectors, run_metrics
from edgeinfer.collectors.system import METRICS, SystemCollector
from edgeinfer.errors import BackendError, InputError, InvalidOutput, NotReady, Overloaded
from edgeinfer.metrics import instruments
from edgeinfer.metrics.readings import readings
from edgeinfer.metrics.registry import register_process_collectors
from edgeinfer.web.metrics_endpoint import metrics_router
from edgeinfer.web.request_metrics import RequestMetrics

_STATUS_OF_FAILURE: list[tuple[type[Exception], str]] = [
    (InvalidOutput, "invalid_output"),
    (InputError, "invalid_input"),
    (ValueError, "invalid_input"),
    (Overloaded, "shed"),
    (NotReady, "not_ready"),
]


class HailoMetrics:
    """What a sidecar's own code reports; the rest is counted without it.

    Args:
        registry: where the metrics live.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        inferences = instruments.counter(sidecar.INFERENCES, registry)
        self._count = {status: inferences.labels(status).inc for status in labels.SIDECAR_INFERENCE_STATUSES}
        stages = instruments.histogram(sidecar.STAGE_DURATION, registry)
        self._observe = {stage: stages.labels(stage).observe for stage in labels.STAGES}
        errors = instruments.counter(sidecar.HARDWARE_ERRORS, registry)
        self._hardware = {error_class: errors.labels(error_class).inc for error_class in labels.HARDWARE_ERROR_CLASSES}
        self._ready = instruments.gauge(sidecar.READY, registry)
        self._runtime = instruments.info(sidecar.RUNTIME_INFO, [], registry)

    @contextmanager
    def window(self) -> Iterator[None]:
        """Count one window by what becomes of it; a failure is raised to the caller.

        A ValueError is bad input, a `BackendError` counts its class as a hardware error too, anything else is a
        failure of the backend.
        """
        try:
            yield
        except Exception as failure:
            self._count[_status_of(failure)]()
            if isinstance(failure, BackendError):
                self.hardware_error(failure.error_class)
            raise
        self._count["success"]()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage: queue, decode, preprocess, execute or postprocess.

        Raises:
            KeyError: there is no such stage.
        """
        observe = self._observe[name]
        started = perf_counter()
        yield
        observe(perf_counter() - started)

    def hardware_error(self, error_class: str) -> None:
        """Count a failure of the device by its class; one that the catalog does not know is "unknown"."""
        self._hardware.get(error_class, self._hardware["unknown"])()

    def ready(self, *, backend: str, device: str, runtime: str) -> None:
        """The model is loaded and answers.

        Args:
            backend: "hailo", "cpu" or "stub".
            device: such as "0001:01:00.0 HAILO8".
            runtime: such as "hailort 4.23.0".
        """
        self._runtime.replace([(backend, device, runtime)])
        self._ready.set(1)

    def not_ready(self) -> None:
        """The model does not answer, or no longer."""
        self._ready.set(0)


def instrument(app: FastAPI, registry: CollectorRegistry) -> HailoMetrics:
    """Let an application count and time its HTTP requests, read its machine, and answer GET /metrics.

    Call it before the application starts.

    Args:
        app: any FastAPI application.
        registry: such as `edgeinfer.metrics.registry.new_registry()` makes.
    """
    requests = instruments.counter(sidecar.HTTP_REQUESTS, registry)
    duration = instruments.histogram(sidecar.HTTP_DURATION, registry)
    app.add_middleware(RequestMetrics, requests=requests, duration=duration, routes=lambda: app.routes)
    app.include_router(metrics_router(registry))
    register_process_collectors(registry)
    running = Collectors([SystemCollector(readings(METRICS, registry))], run_metrics(registry))
    app.router.lifespan_context = _around(app.router.lifespan_context, running)
    return HailoMetrics(registry)


def _around(inner: Callable[[Any], AbstractAsyncContextManager[Any]], running: Collectors) -> Any:
    """The application's own lifespan, with the collectors running inside it."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with inner(app) as state:
            running.start()
            try:
                yield state
            finally:
                running.stop()

    return lifespan


def _status_of(failure: Exception) -> str:
    return next((status for kind, status in _STATUS_OF_FAILURE if isinstance(failure, kind)), "backend_error")
