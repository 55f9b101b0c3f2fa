"""The console as an ASGI application of its own: it is up when the gateway is down."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from fastapi import FastAPI
from starlette.types import ASGIApp

from edgeinfer.console.alertmanager import Alertmanager
from edgeinfer.console.alerts import Alerts
from edgeinfer.console.assets import Assets, load_assets
from edgeinfer.console.compressed_body import CompressedBody
from edgeinfer.console.dashboard_files import DashboardFiles
from edgeinfer.console.diagnosis_alert import DiagnosisAlert
from edgeinfer.console.diagnosis_routes import Diagnosing, diagnosis_router
from edgeinfer.console.gateway import Gateway, no_key
from edgeinfer.console.guard import Guard
from edgeinfer.console.notifications import Inbox
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.refresh import SCRAPE_SECONDS, Refresher
from edgeinfer.console.routes import Parts, api_router, operations_router, pages_router
from edgeinfer.console.session_routes import KEEP_SECONDS, Sessions, sessions_router
from edgeinfer.console.single_flight import SingleFlightCache
from edgeinfer.console.status import StatusReader
from edgeinfer.diagnosis.incidents import Incidents
from edgeinfer.diagnosis.machine import Facts
from edgeinfer.diagnosis.run import Diagnostician, no_look
from edgeinfer.heartbeat import why_no_alert_can_fire
from edgeinfer.monitoring.causes.commands import USUAL_FOLDER, Way
from edgeinfer.web.application import new_application

_CONNECTIONS = 16
_DIAGNOSIS_SECONDS = 10.0


def build_app(  # noqa: PLR0913 - each is a thing that the caller may want another way
    *,
    dashboards: Path,
    prometheus_url: str,
    alertmanager_url: str,
    gateway_url: str = "",
    console_url: str = "http://127.0.0.1:8088",
    authorize: Callable[[], Mapping[str, str]] = no_key,
    runbooks: Path | None = None,
    hosts: Iterable[str] = (),
    assets: Assets | None = None,
    look: Callable[[aiohttp.ClientSession], Awaitable[Facts]] | None = None,
    data_folder: Path = Path(USUAL_FOLDER),
    way: Way = Way.UP,
    pids: Callable[[], dict[str, int | None]] = dict,
    clock: Callable[[], float] = time.time,
    scrape_seconds: float = SCRAPE_SECONDS,
) -> ASGIApp:
    """The console.

    Args:
        dashboards: folder of dashboard JSON files.
        prometheus_url: address of Prometheus.
        alertmanager_url: address of Alertmanager, or empty.
        gateway_url: address of the gateway, or empty.
        console_url: under which people reach the console, for the links in notifications.
        authorize: headers that carry the gateway's API key; it may block, and raise SettingsError.
        runbooks: folder of `<alert name>.md`.
        hosts: names under which browsers reach it, other than loopback; empty where any name may be.
        assets: the files of the pages, if not the shipped ones.
        look: looks at the machine for a diagnosis; without it measurements alone are read.
        data_folder: of the stack, for the commands of a diagnosis.
        way: how the stack runs, for the same.
        pids: of its processes, as the newest look found them.
        clock: seconds since 1970.
        scrape_seconds: scrape interval of that Prometheus.
    """
    parts: list[Parts] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector) as http:
            prometheus = Prometheus(http, prometheus_url)
            heartbeat = partial(why_no_alert_can_fire, http, prometheus_url, alertmanager_url, clock)
            status = StatusReader(prometheus, clock, heartbeat)
            library = DashboardFiles(dashboards)
            refresher = Refresher(library, prometheus, status, clock, scrape_seconds)
            alertmanager = Alertmanager(http, alertmanager_url)
            alerts = Alerts(prometheus, alertmanager, runbooks)
            bodies: SingleFlightCache[tuple[Any, ...], CompressedBody] = SingleFlightCache(scrape_seconds, most=64)
            diagnostician = Diagnostician(
                prometheus, partial(look, http) if look else no_look, way, data_folder, pids, clock=clock
            )
            shared: SingleFlightCache[tuple[str, float], Any] = SingleFlightCache(_DIAGNOSIS_SECONDS, most=16)
            diagnosing = Diagnosing(diagnostician, Incidents(diagnostician), shared, clock)
            sending = DiagnosisAlert(alertmanager, diagnosing.now, console_url, clock)
            seen: SingleFlightCache[str, dict[str, Any]] = SingleFlightCache(KEEP_SECONDS, most=64)
            sessions = Sessions(Gateway(http, gateway_url, authorize), seen)
            parts.append(
                Parts(library, refresher, status, alerts, Inbox(clock), bodies, diagnosing, sending, sessions, clock)
            )
            try:
                yield
            finally:
                parts.clear()
                await sending.close()
                await bodies.close()
                await shared.close()
                await seen.close()
                await refresher.close()

    app = new_application(
        "EdgeInfer console", description="Dashboards, alerts and silences of the stack.", lifespan=lifespan
    )
    app.include_router(api_router(lambda: parts[0]))
    app.include_router(operations_router(lambda: parts[0]))
    app.include_router(diagnosis_router(lambda: parts[0]))
    app.include_router(sessions_router(lambda: parts[0]))
    app.include_router(pages_router(assets or load_assets()))
    return Guard(app, tuple(hosts))
