"""The gateway as an application: its parts behind routes, and its background tasks."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from edgeinfer.errors import Overloaded, StorageError
from edgeinfer.gateway import openapi
from edgeinfer.gateway.analysis import InferenceService
from edgeinfer.gateway.api_key_auth import ApiKeyMiddleware, watch_keys
from edgeinfer.gateway.cors import CorsMiddleware
from edgeinfer.gateway.drift_watch import DriftWatch, watch_drift
from edgeinfer.gateway.handlers import Handlers
from edgeinfer.gateway.health import UNHEALTHY, HealthMonitor
from edgeinfer.gateway.hot_routes import HotRoutes
from edgeinfer.gateway.input_quality import QualityWatch, watch_quality
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.keys import KeyRing
from edgeinfer.gateway.known_activity import ActivityCounter
from edgeinfer.gateway.request_ids import RequestIds
from edgeinfer.gateway.routes import analysis_router, health_router
from edgeinfer.gateway.session_reports import SessionReports
from edgeinfer.gateway.sessions import SessionStore
from edgeinfer.model.card import ModelCard
from edgeinfer.web.application import new_application
from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.front_page import front_page_router
from edgeinfer.web.metrics_endpoint import metrics_router
from edgeinfer.web.request_metrics import AnswerRecorder, RequestMetrics
from edgeinfer.web.tracing import Tracing

_log = logging.getLogger(__name__)
_SWEEP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the gateway is made of; `edgeinfer.cli.gateway` makes them.

    Args:
        store: opened before the application starts, closed after it ended.
        max_body_bytes: longest body that is read.
        tracing: records sampled requests; None where traces are off.
        keys: the API keys, loaded before the application starts; None where no key is required.
        cors_origins: whose pages may read answers in a browser.
    """

    registry: CollectorRegistry
    instruments: GatewayInstruments
    card: ModelCard
    store: SessionStore
    service: InferenceService
    health: HealthMonitor
    drift: DriftWatch
    quality: QualityWatch
    reports: SessionReports
    max_body_bytes: int = 262_144
    keys: KeyRing | None = None
    cors_origins: tuple[str, ...] = ()
    tracing: Tracing | None = None


def build_app(parts: Parts) -> FastAPI:
    """The application; its background work begins with its lifespan."""
    started = time.monotonic()
    app = new_application(
        "EdgeInfer gateway",
        description=openapi.ABOUT,
        lifespan=lambda _: _running(parts),
        problems=parts.instruments.problems,
    )
    analysis = analysis_router(_handlers(parts), parts.reports)
    app.include_router(analysis)
    app.include_router(health_router(parts.health, lambda: time.monotonic() - started))
    app.include_router(metrics_router(parts.registry))
    app.include_router(_front_page(parts.health))
    # The one added last is outermost.
    if parts.keys is not None:
        app.add_middleware(
            ApiKeyMiddleware, keys=parts.keys, problems=parts.instruments.problems, routes=analysis.routes
        )
    if parts.cors_origins:
        app.add_middleware(CorsMiddleware, origins=parts.cors_origins, problems=parts.instruments.problems)
    app.add_middleware(
        RequestMetrics, requests=parts.instruments.http_requests, duration=parts.instruments.http_duration
    )
    app.add_middleware(RequestIds, tracing=parts.tracing)
    openapi.complete(app, asks_for_key=parts.keys is not None)
    return app


def _front_page(health: HealthMonitor) -> APIRouter:
    links = {
        "/docs": "the API: routes, bodies, answers",
        "/healthz": "whether the gateway can serve",
        "/health/detailed": "every health check with its newest result",
        "/metrics": "metrics for Prometheus",
    }
    return front_page_router(
        "EdgeInfer gateway", openapi.VERSION, is_ok=lambda: health.status != UNHEALTHY, links=links
    )


def direct_routes(parts: Parts, max_waiting: int) -> tuple[DirectRoute, ...]:
    """The routes that the server answers past the application.

    Args:
        parts: of the gateway.
        max_waiting: requests that wait for something before more are shed.
    """
    hot = HotRoutes(
        record=AnswerRecorder(parts.instruments.http_requests, parts.instruments.http_duration),
        problems=parts.instruments.problems,
        keys=parts.keys,
        tracing=parts.tracing,
        max_body_bytes=parts.max_body_bytes,
        max_waiting=max_waiting,
    )
    return tuple(hot.direct(route) for route in _handlers(parts).routes())


def _handlers(parts: Parts) -> Handlers:
    activities = ActivityCounter(parts.card.motifs, parts.instruments)
    return Handlers(parts.store, parts.service, parts.card.motifs, activities, parts.max_body_bytes)


@asynccontextmanager
async def _running(parts: Parts) -> AsyncIterator[None]:
    parts.service.start()
    if parts.tracing is not None:
        parts.tracing.exporter.start()
    tasks = [asyncio.create_task(work) for work in _background(parts)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await parts.service.close()
        if parts.tracing is not None:
            await asyncio.to_thread(parts.tracing.exporter.close)


def _background(parts: Parts) -> list[Coroutine[None, None, None]]:
    return [
        parts.health.watch(),
        watch_drift(parts.drift),
        watch_quality(parts.quality),
        _sweep(parts.store),
        *([watch_keys(parts.keys)] if parts.keys is not None else ()),
    ]


async def _sweep(store: SessionStore) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        try:
            await store.expire()
        except (StorageError, Overloaded) as failure:
            _log.warning("session cleanup failed; will retry", extra={"fault": str(failure)})
