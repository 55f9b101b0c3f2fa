"""What is wrong now, and what was: diagnoses and incidents as JSON."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import APIRouter, Request
from starlette.responses import Response

from edgeinfer.console.compressed_body import encode
from edgeinfer.console.single_flight import SingleFlightCache
from edgeinfer.diagnosis.incidents import Incident, Incidents
from edgeinfer.diagnosis.picture import read_picture
from edgeinfer.diagnosis.run import Diagnostician
from edgeinfer.errors import InvalidBody, UnknownIncident

_log = logging.getLogger(__name__)
_MAX_DAYS = 366.0


class _Asked(Protocol):
    @property
    def diagnosing(self) -> "Diagnosing":
        """What the routes ask."""


@dataclass(frozen=True, slots=True)
class Diagnosing:
    """Makes diagnoses for all viewers, each at most once at a time.

    Args:
        diagnostician: of the stack that the console shows.
        incidents: of its Prometheus.
        shared: documents that several viewers ask for.
        clock: seconds since 1970.
    """

    diagnostician: Diagnostician
    incidents: Incidents
    shared: SingleFlightCache[tuple[str, float], Any]
    clock: Callable[[], float]

    async def now(self) -> dict[str, Any]:
        """The diagnosis of now; a few seconds old where another viewer has just asked."""

        async def make() -> dict[str, Any]:
            return (await self.diagnostician.diagnose()).as_document()

        found: dict[str, Any] = await self.shared.get(("now", 0.0), make)
        return found

    async def listed(self, days: float) -> list[Incident]:
        """Incidents of so many days, the newest first."""
        found: list[Incident] = await self.shared.get(("incidents", days), lambda: self.incidents.read(days))
        return found

    async def headline(self) -> str:
        """The first line of the diagnosis of now; empty where it could not be made."""
        try:
            return str((await self.now())["headline"])
        except Exception:  # noqa: BLE001 - a notification is never lost for want of its diagnosis
            _log.exception("diagnosis failed")
            return ""


def diagnosis_router(parts: Callable[[], _Asked]) -> APIRouter:
    """Routes of the diagnosis now or at a moment, of incidents, and of one incident's picture."""
    router = APIRouter()

    @router.get("/api/diagnosis", summary="What is wrong, or was at a moment, why, and what to do")
    async def diagnosis(request: Request) -> Response:
        diagnosing = parts().diagnosing
        at = _number(request, "at")
        if at is None:
            return encode(await diagnosing.now()).response(request)
        if at > diagnosing.clock() + 1:
            raise InvalidBody("at", "it is in the future", "Name a time in the past, in seconds since 1970.")
        return encode((await diagnosing.diagnostician.diagnose(at)).as_document()).response(request)

    @router.get("/api/incidents", summary="What went wrong, the newest first")
    async def incidents(request: Request) -> Response:
        days = _number(request, "days") or 30.0
        if not 0 < days <= _MAX_DAYS:
            raise InvalidBody("days", f"{days:g} is not between 0 and {_MAX_DAYS:g}", "Name a number of days.")
        found = await parts().diagnosing.listed(days)
        return encode({"incidents": [one.as_document() for one in found]}).response(request)

    @router.get("/api/incidents/{incident_id}", summary="One incident with its diagnosis and its picture")
    async def incident(request: Request, incident_id: str) -> Response:
        diagnosing = parts().diagnosing
        found = _named(await diagnosing.listed(30.0), incident_id)
        if found is None:
            raise UnknownIncident("incident", f"none has the id {incident_id[:20]!r}", "Take it from /api/incidents.")
        picture = await read_picture(diagnosing.diagnostician.prometheus, found, diagnosing.clock())
        document = found.as_document() | {
            "diagnosis": found.diagnosis.as_document(),
            "picture": picture.as_document(),
        }
        return encode(document).response(request)

    return router


def _named(incidents: Sequence[Incident], name: str) -> Incident | None:
    """The incident with this id, or that lasted at this second: a notification knows no more of it."""
    moment = float(name) if name.isdecimal() else math.nan
    exact = next((one for one in incidents if one.id == name), None)
    return exact or next((one for one in incidents if one.start <= moment <= one.end), None)


def _number(request: Request, name: str) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError as failure:
        raise InvalidBody(name, f"{text[:40]!r} is not a number", "Write it in digits.") from failure
