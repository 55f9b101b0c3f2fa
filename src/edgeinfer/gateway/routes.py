"""The routes of the gateway; what they do is in the core, what they answer in `answers`."""

from collections.abc import Callable
from inspect import isawaitable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from edgeinfer.gateway import answers, openapi
from edgeinfer.gateway.answers import as_response
from edgeinfer.gateway.bodies import read_json_body
from edgeinfer.gateway.handlers import PREFIX, Handlers
from edgeinfer.gateway.health import DEGRADED, HEALTHY, HealthMonitor
from edgeinfer.gateway.request_ids import id_of
from edgeinfer.gateway.samples import ROLE_PATTERN, decode_stop
from edgeinfer.gateway.session_reports import SessionReports
from edgeinfer.gateway.sessions import canonical_id
from edgeinfer.web.negotiation import first_accepted

_SessionId = Annotated[str, Query(alias="sessionId", description="From POST /start.", min_length=1, max_length=64)]
_Role = Annotated[str | None, Query(pattern=ROLE_PATTERN, description="Which stream; the newest if not given.")]
_Limit = Annotated[int, Query(ge=1, le=1000, description="How many of each, the newest first.")]
_OK = 200
_WORDS = {HEALTHY: "OK", DEGRADED: "DEGRADED"}


def analysis_router(handlers: Handlers, reports: SessionReports) -> APIRouter:
    """The routes of sessions and analyses."""
    router = APIRouter(prefix=PREFIX, tags=["analysis"], default_response_class=Response)
    store, limit = handlers.store, handlers.max_body_bytes

    @router.post("/start", summary="Begin a session", **openapi.START)
    async def start() -> Response:
        return answers.started(await store.start())

    @router.put("/stream", status_code=202, summary="Hand over samples of a session", **openapi.STREAM)
    async def stream(request: Request) -> Response:
        answer = handlers.stream(await read_json_body(request, limit))
        return as_response(await answer if isawaitable(answer) else answer)

    @router.get("/motifs", summary="What the newest window of a session shows", **openapi.MOTIFS)
    async def find(request: Request, session_id: _SessionId, role: _Role = None) -> Response:
        return as_response(await handlers.find(session_id, role, id_of(request.scope)))

    @router.get("/synchrony", summary="How well the two streams of a session move together", **openapi.SYNCHRONY)
    async def synchrony(session_id: _SessionId) -> Response:
        return as_response(handlers.synchrony(session_id))

    @router.get("/session", summary="Since when, motif timeline, synchrony and input quality", **openapi.SESSION)
    async def session(session_id: _SessionId) -> Response:
        session_id = canonical_id(session_id)
        found = reports.find(session_id) or store.get(session_id)
        return answers.JsonAnswer(reports.describe(found) | {"sessionId": session_id, "timestamp": answers.now()})

    @router.get("/sessions", summary="The sessions under way and those that ended lately", **openapi.SESSIONS)
    async def sessions(limit: _Limit = 100) -> Response:
        return answers.JsonAnswer(reports.listed(limit) | {"timestamp": answers.now()})

    @router.post("/stop", summary="End a session", **openapi.STOP)
    async def stop(request: Request) -> Response:
        body = decode_stop(await read_json_body(request, limit))
        return answers.stopped(await store.stop(canonical_id(body.session_id)))

    @router.post("/process", summary="Analyse one window without a session", **openapi.PROCESS)
    async def process(request: Request) -> Response:
        return as_response(await handlers.process(await read_json_body(request, limit), id_of(request.scope)))

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
