"""The gateway's API as a phone calls it; every call returns an Answer, also when no response came."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import aiohttp
import orjson

TIMEOUT = "timeout"
CONNECTION_ERROR = "connection_error"
MALFORMED_ANSWER = "malformed_answer"
KEY_HELP = "File with the API key, where the gateway asks for one."
_API = "/api/v1/analysis"
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class LoadAnswer:
    """The result of one request.

    Args:
        status: the HTTP status, or 0 where no answer came.
        failure: empty on success, else the gateway's problem code, `http_NNN`, or a class of this module.
        document: the JSON object of the answer.
        retry_after_seconds: from the gateway's Retry-After, else 0.
        seconds: from sending to the whole answer.
    """

    status: int
    failure: str
    document: dict[str, Any] = field(default_factory=dict)
    retry_after_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        """Whether the request did what it is for."""
        return not self.failure

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later: no response came, or the service is temporarily unable."""
        return self.status in {0, 429} or self.status >= 500  # noqa: PLR2004 - 429 Too Many Requests


class GatewayClient:
    """Calls one gateway.

    Args:
        http: an open aiohttp session; its limits and timeouts are the caller's choice.
        base_url: such as "http://127.0.0.1:8080".
        clock: monotonic seconds.
    """

    def __init__(self, http: aiohttp.ClientSession, base_url: str, clock: Callable[[], float] = perf_counter) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        self._clock = clock

    async def start(self) -> LoadAnswer:
        """Start a session; its id is in the answer's document."""
        return await self._call("POST", f"{_API}/start", b"{}")

    async def stream(self, body: bytes) -> LoadAnswer:
        """Send a batch of samples; 202 means that they are stored."""
        return await self._call("PUT", f"{_API}/stream", body)

    async def motifs(self, session_id: str) -> LoadAnswer:
        """Request the motifs of a session's newest window."""
        return await self._call("GET", f"{_API}/motifs?sessionId={session_id}")

    async def synchrony(self, session_id: str) -> LoadAnswer:
        """Request the synchrony of a session's streams."""
        return await self._call("GET", f"{_API}/synchrony?sessionId={session_id}")

    async def session(self, session_id: str) -> LoadAnswer:
        """Request what the gateway knows about a session."""
        return await self._call("GET", f"{_API}/session?sessionId={session_id}")

    async def stop(self, session_id: str) -> LoadAnswer:
        """Stop a session; its totals are in the answer's document."""
        return await self._call("POST", f"{_API}/stop", orjson.dumps({"sessionId": session_id}))

    async def process(self, body: bytes) -> LoadAnswer:
        """Have one window analysed without a session."""
        return await self._call("POST", f"{_API}/process", body)

    async def _call(self, method: str, path: str, body: bytes | None = None) -> LoadAnswer:
        started = self._clock()
        try:
            async with self._http.request(
                method, self._base + path, data=body, headers=_JSON if body is not None else None
            ) as response:
                content = await response.read()
                return _read(response.status, content, response.headers.get("Retry-After"), self._clock() - started)
        except TimeoutError:
            return LoadAnswer(0, TIMEOUT, seconds=self._clock() - started)
        except (aiohttp.ClientError, OSError):
            return LoadAnswer(0, CONNECTION_ERROR, seconds=self._clock() - started)


def _read(status: int, content: bytes, retry_after: str | None, seconds: float) -> LoadAnswer:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        failure = MALFORMED_ANSWER if status < 400 else f"http_{status}"  # noqa: PLR2004 - the first error status
        return LoadAnswer(status, failure, {}, _seconds(retry_after), seconds)
    failure = "" if status < 400 else str(document.get("error", f"http_{status}"))  # noqa: PLR2004 - as above
    return LoadAnswer(status, failure, document, _seconds(retry_after), seconds)


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after is not None and retry_after.isdigit() else 0.0
