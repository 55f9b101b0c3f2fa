"""The client of the gateway's API, as far as the console needs it: which sessions there are, and what one shows."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import orjson

from edgeinfer.errors import MonitoringError, SettingsError, StoppedSession, UnknownSession

_API = "/api/v1/analysis"
_MAX_BYTES = 4_000_000
_PLAIN = {"Accept-Encoding": "identity"}
_START = "Start it with 'edgeinfer up', or set EDGEINFER_GATEWAY_URL."
_OK = 200


def no_key() -> Mapping[str, str]:
    """The headers for a gateway that requires no API key."""
    return {}


class Gateway:
    """Asks one gateway.

    Args:
        http: an open client session.
        url: its address, or empty where there is none.
        authorize: headers that carry the API key, read for each request, so that a new key needs no restart; it may
            block, and raise SettingsError.
        timeout_seconds: for one request.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        authorize: Callable[[], Mapping[str, str]] = no_key,
        *,
        timeout_seconds: float = 5.0,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = http
        self._authorize = authorize
        self._timeout_seconds = timeout_seconds

    async def sessions(self, limit: int) -> dict[str, Any]:
        """The sessions under way and those that ended lately, the newest first, no more than `limit` of each."""
        return await self._ask("/sessions", {"limit": str(limit)})

    async def session(self, session_id: str) -> dict[str, Any]:
        """What is known about a session.

        Raises:
            UnknownSession: there is no such session.
            StoppedSession: it has ended; its field `lastKnown` has what was known at its end, where that is kept.
        """
        return await self._ask("/session", {"sessionId": session_id})

    async def _ask(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        if not self.url:
            raise MonitoringError("gateway", "the console has no address of one", _START, kind="unreachable")
        try:
            headers = {**_PLAIN, **await asyncio.to_thread(self._authorize)}
        except SettingsError as failure:
            raise MonitoringError(failure.thing, failure.fault, failure.remedy, kind="refused") from failure
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._http.get(self.url + _API + path, params=query, headers=headers, allow_redirects=False) as answer,
            ):
                return _document(answer.status, await _read(answer))
        except TimeoutError as failure:
            fault = f"it did not answer within {self._timeout_seconds:g} s"
            raise MonitoringError("gateway", fault, "Look at its load.", kind="timeout") from failure
        except (aiohttp.ClientError, OSError) as failure:
            fault = f"it cannot be reached at {self.url}"
            raise MonitoringError("gateway", fault, _START, kind="unreachable") from failure


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for part in answer.content.iter_any():
        found += part
        if len(found) > _MAX_BYTES:
            fault = f"its answer is larger than {_MAX_BYTES // 1_000_000} MB"
            raise MonitoringError("gateway", fault, "Look at what answers at its address.", kind="too_large")
    return bytes(found)


def _document(status: int, body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as failure:
        raise _stranger(status) from failure
    if not isinstance(document, dict) or (status != _OK and "error" not in document):
        raise _stranger(status)
    if status == _OK:
        return document
    match status, document["error"]:
        case 404, "unknown_session":
            raise UnknownSession("session", "the gateway has none of this id", "Take one from the list of sessions.")
        case 410, "stopped_session":
            fields = {name: document[name] for name in ("lastKnown",) if name in document}
            raise StoppedSession("session", "it has ended", "Take another from the list.", fields=fields)
        case 404, _:
            fault = "it does not know the question, so it is older than this console"
            raise MonitoringError("gateway", fault, "Upgrade it.", kind="refused")
        case 401, _:
            remedy = "Put a key of 'edgeinfer key new' alone into a file, and name it in EDGEINFER_API_KEY_FILE."
            fault = "it requires an API key, and the console has none that is valid"
            raise MonitoringError("gateway", fault, remedy, kind="refused")
    fault = f"it refused ({str(document.get('message', status))[:300]})"
    raise MonitoringError("gateway", fault, str(document.get("remedy") or "Look at its log."), kind="refused")


def _stranger(status: int) -> MonitoringError:
    fault = f"something else answers at its address (status {status})"
    return MonitoringError("gateway", fault, "Set EDGEINFER_GATEWAY_URL.", kind="unreachable")
