"""Sessions as the gateway knows them now: the list, and one; the gateway's key stays in this process."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import APIRouter, Request
from starlette.responses import Response

from edgeinfer.console.compressed_body import encode
from edgeinfer.console.gateway import Gateway
from edgeinfer.console.single_flight import SingleFlightCache
from edgeinfer.errors import UnknownSession

KEEP_SECONDS = 1.0
_LISTED = 200
_SESSION_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


class _Asked(Protocol):
    @property
    def sessions(self) -> "Sessions":
        """What the routes ask."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Asks the gateway for all viewers, each question at most once at a time.

    Args:
        gateway: whom to ask.
        shared: answers that several viewers ask for.
    """

    gateway: Gateway
    shared: SingleFlightCache[str, dict[str, Any]]

    async def listed(self) -> dict[str, Any]:
        return await self.shared.get("", lambda: self.gateway.sessions(_LISTED))

    async def one(self, session_id: str) -> dict[str, Any]:
        """One session; raises UnknownSession, StoppedSession and MonitoringError."""
        if not _SESSION_ID.fullmatch(session_id):
            raise UnknownSession("session", "this is not an id of one", "Take one from the list of sessions.")
        return await self.shared.get(session_id.lower(), lambda: self.gateway.session(session_id))


def sessions_router(parts: Callable[[], _Asked]) -> APIRouter:
    """The list of sessions, and one of them."""
    router = APIRouter()

    @router.get("/api/sessions", summary="Sessions under way, and those that ended lately")
    async def sessions(request: Request) -> Response:
        return encode(await parts().sessions.listed()).response(request)

    @router.get("/api/sessions/{session_id}", summary="What is known about one session")
    async def session(request: Request, session_id: str) -> Response:
        return encode(await parts().sessions.one(session_id)).response(request)

    return router
