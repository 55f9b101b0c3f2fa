"""The client of Alertmanager's v2 API: what is silenced, and silences made and ended."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from edgeinfer.errors import InvalidBody, MonitoringError

_REMEDY = "Start it with 'edgeinfer up', or set EDGEINFER_ALERTMANAGER_URL."
_FIRST_FAILURE = 400


class Alertmanager:
    """Talks to one Alertmanager.

    Args:
        http: an open client session.
        url: its address, or empty where there is none.
        timeout_seconds: for one request.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, *, timeout_seconds: float = 5.0) -> None:
        self.url = url.rstrip("/")
        self._http = http
        self._timeout_seconds = timeout_seconds

    async def alerts(self) -> list[dict[str, Any]]:
        """Alerts that it knows, each with what silences or inhibits it."""
        return list(await self._ask("GET", "/api/v2/alerts"))

    async def silences(self) -> list[dict[str, Any]]:
        """Silences that are in force or will be."""
        found = await self._ask("GET", "/api/v2/silences")
        return [one for one in found if one["status"]["state"] != "expired"]

    async def make_silence(self, silence: Mapping[str, Any]) -> str:
        """Make a silence; returns its id."""
        return str((await self._ask("POST", "/api/v2/silences", silence))["silenceID"])

    async def send(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Hand it alerts, as Prometheus does."""
        await self._ask("POST", "/api/v2/alerts", alerts)

    async def end_silence(self, silence_id: str) -> None:
        await self._ask("DELETE", f"/api/v2/silence/{silence_id}")

    async def _ask(self, method: str, path: str, document: object = None) -> Any:
        if not self.url:
            raise MonitoringError("Alertmanager", "there is none", _REMEDY, kind="unreachable")
        body = orjson.dumps(document) if document is not None else None
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._http.request(method, self.url + path, data=body, headers=headers) as answer,
            ):
                return _document(method, path, answer.status, await answer.read())
        except TimeoutError as failure:
            fault = f"it did not answer within {self._timeout_seconds:g} s"
            raise MonitoringError("Alertmanager", fault, "Look at its load.", kind="timeout") from failure
        except (aiohttp.ClientError, OSError) as failure:
            fault = f"it cannot be reached at {self.url}"
            raise MonitoringError("Alertmanager", fault, _REMEDY, kind="unreachable") from failure


def _document(method: str, path: str, status: int, body: bytes) -> Any:
    if status >= _FIRST_FAILURE:
        said = body.decode("utf-8", "replace").strip()[:300]
        if method == "GET":
            raise MonitoringError("Alertmanager", f"it refused ({said or status})", "Look at its log.", kind="refused")
        thing = "silence" if "silence" in path else "alert"
        raise InvalidBody(thing, f"Alertmanager refused it ({said or status})", "Look at its matchers and times.")
    try:
        return orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as failure:
        fault = "something else answers at its address"
        raise MonitoringError("Alertmanager", fault, _REMEDY, kind="unreachable") from failure
