"""The exporter's application: /metrics and /healthz, with the collectors running behind."""

import platform
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from edgeinfer.catalog import device
from edgeinfer.collectors.base import Collector
from edgeinfer.collectors.run import Collectors, run_metrics
from edgeinfer.metrics.instruments import info
from edgeinfer.metrics.registry import register_process_collectors
from edgeinfer.web.application import new_application
from edgeinfer.web.front_page import front_page_router
from edgeinfer.web.metrics_endpoint import metrics_router

_TITLE = "EdgeInfer exporter of Hailo chips"
_LINKS = {"/docs": "the API", "/healthz": "whether the exporter answers", "/metrics": "metrics for Prometheus"}


def build_app(collectors: Sequence[Collector], registry: CollectorRegistry) -> FastAPI:
    """The application; its collectors run from its start to its end."""
    running = Collectors(collectors, run_metrics(registry))
    register_process_collectors(registry)
    info(device.EXPORTER_BUILD_INFO, [(version("edgeinfer"), platform.python_version())], registry)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running.start()
        yield
        running.stop()

    app = new_application(_TITLE, description="Telemetry of Hailo chips for Prometheus.", lifespan=lifespan)
    app.include_router(metrics_router(registry))
    app.include_router(front_page_router(_TITLE, version("edgeinfer"), is_ok=lambda: True, links=_LINKS))
    app.get("/healthz", summary="Whether the exporter answers", tags=["operation"])(_health)
    return app


async def _health() -> dict[str, object]:
    """Healthy without a chip too: its absence is not a failure of the exporter, and the metrics report it."""
    return {"ok": True, "version": version("edgeinfer")}
