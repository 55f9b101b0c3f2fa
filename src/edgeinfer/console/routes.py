"""The routes of the console; what they answer is made elsewhere."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from edgeinfer.console.alerts import Alerts, read_silence
from edgeinfer.console.assets import Assets
from edgeinfer.console.compressed_body import CompressedBody, encode
from edgeinfer.console.dashboard_files import DashboardFiles
from edgeinfer.console.diagnosis_alert import DiagnosisAlert
from edgeinfer.console.diagnosis_routes import Diagnosing
from edgeinfer.console.notifications import Inbox
from edgeinfer.console.refresh import Refresher, read_request
from edgeinfer.console.scrape_targets import targets_document
from edgeinfer.console.session_routes import Sessions
from edgeinfer.console.single_flight import SingleFlightCache
from edgeinfer.console.status import StatusReader
from edgeinfer.errors import BodyTooLarge, InvalidBody
from edgeinfer.web.problems import Problem

MAX_BODY_BYTES = 262_144
_PAGES = (
    *("/", "/d/{uid}", "/d/{uid}/{slug}", "/alerts", "/targets"),
    *("/incidents", "/incidents/{incident_id}", "/sessions", "/sessions/{session_id}"),
)
_FOR_GOOD = "public, max-age=31536000, immutable"
_SILENCE_ID = re.compile(r"[0-9a-fA-F-]{8,64}")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes hand requests to."""

    library: DashboardFiles
    refresher: Refresher
    status: StatusReader
    alerts: Alerts
    inbox: Inbox
    bodies: SingleFlightCache[tuple[Any, ...], CompressedBody]
    diagnosing: Diagnosing
    diagnosis_alert: DiagnosisAlert
    sessions: Sessions
    clock: Callable[[], float]


def api_router(parts: Callable[[], Parts]) -> APIRouter:
    """Routes with data as JSON: status, dashboards, variables, and a refresh of panels."""
    router = APIRouter()

    @router.get("/healthz", summary="Whether the console serves")
    async def healthz() -> Response:
        return Response("OK\n", media_type="text/plain")

    @router.get("/api/status", summary="Prometheus, backends and firing alerts")
    async def status(request: Request) -> Response:
        return encode((await parts().status.read()).as_document()).response(request)

    @router.get("/api/dashboards", summary="Every dashboard, and every file that is none")
    async def dashboards(request: Request) -> Response:
        return encode(_listed(parts().library)).response(request)

    @router.get("/api/dashboards/{uid}", summary="One dashboard file")
    async def dashboard(request: Request, uid: str) -> Response:
        return encode(parts().library.get(uid).document).response(request)

    @router.post("/api/dashboards/{uid}/refresh", summary="What the visible panels of a dashboard show")
    async def refresh(request: Request, uid: str) -> Response:
        asked = read_request(await _body(request))
        refresher = parts().refresher

        async def answer() -> CompressedBody:
            found = await refresher.refresh(uid, asked)
            return await asyncio.to_thread(lambda: encode(found.as_document()))

        body = await parts().bodies.get((uid, refresher.now(), *asked.key()), answer)
        return body.response(request)

    return router


def operations_router(parts: Callable[[], Parts]) -> APIRouter:
    """Routes for whoever is on duty: alerts and silences, and the targets of the scrapes."""
    router = APIRouter()

    @router.get("/api/alerts", summary="Alerts, silences, and what was received")
    async def alerts(request: Request) -> Response:
        document = await parts().alerts.read() | {"received": parts().inbox.newest_first()}
        return encode(document).response(request)

    @router.post("/api/silences", status_code=201, summary="Silence alerts with these labels")
    async def make_silence(request: Request) -> Response:
        silence_id = await parts().alerts.silence(read_silence(await _body(request)), parts().clock())
        return encode({"id": silence_id}).response(request, 201)

    @router.delete("/api/silences/{silence_id}", summary="End a silence")
    async def end_silence(silence_id: str) -> Response:
        if not _SILENCE_ID.fullmatch(silence_id):
            raise InvalidBody("silence", "this is not the id of one", "Take the id from GET /api/alerts.")
        await parts().alerts.alertmanager.end_silence(silence_id)
        return Response(status_code=204)

    @router.post("/hooks/alerts", summary="Alertmanager's webhook")
    async def hook(request: Request) -> Response:
        count = parts().inbox.receive(await _body(request))
        answer = encode({"received": count}).response(request)
        answer.background = BackgroundTask(_diagnose, parts(), count)  # the sender does not wait for it
        return answer

    @router.get("/api/targets", summary="What Prometheus scrapes")
    async def targets(request: Request) -> Response:
        found = await parts().alerts.prometheus.targets()
        return encode({"targets": targets_document(found)}).response(request)

    return router


def pages_router(assets: Assets) -> APIRouter:
    """The page and its files; every address of a page answers with the same shell."""
    router = APIRouter(include_in_schema=False)

    async def shell(request: Request) -> Response:
        page = CompressedBody(assets.shell.body, assets.shell.compressed)
        return page.response(request, media_type=assets.shell.media_type, cache="no-cache")

    for path in _PAGES:
        router.add_api_route(path, shell, methods=["GET", "HEAD"])

    @router.get("/static/{version}/{path:path}")
    async def static(request: Request, version: str, path: str) -> Response:
        asset = assets.files.get(path)
        if asset is None:
            return Problem(404, "not_found", "There is no such file.", "Reload the page.")
        cache = _FOR_GOOD if version == assets.version else "no-cache"
        return CompressedBody(asset.body, asset.compressed).response(request, media_type=asset.media_type, cache=cache)

    @router.get("/favicon.ico")
    async def favicon(request: Request) -> Response:
        return await static(request, assets.version, "icon.svg")

    return router


async def _diagnose(parts: Parts, count: int) -> None:
    """Put the first line of the diagnosis to what was just received."""
    parts.diagnosis_alert.hear(parts.inbox.newest(count))
    if parts.inbox.has_firing(count):
        parts.inbox.annotate(count, await parts.diagnosing.headline())


async def _body(request: Request) -> bytes:
    """The whole body, if it is of a size that the console has a use for."""
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > MAX_BODY_BYTES:
            raise BodyTooLarge("body", f"larger than {MAX_BODY_BYTES // 1024} KiB", "Send less.")
    return bytes(found)


def _listed(library: DashboardFiles) -> dict[str, Any]:
    dashboards, broken = library.read()
    return {
        "dashboards": [
            {
                "uid": one.uid,
                "title": one.title,
                "description": one.document.get("description", ""),
                "tags": one.document.get("tags", []),
                "panels": sum(panel.kind != "row" for panel in one.panels.values()),
            }
            for one in dashboards
        ],
        "broken": [{"file": one.file, "fault": one.fault} for one in broken],
    }
