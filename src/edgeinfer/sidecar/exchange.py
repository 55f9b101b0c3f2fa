"""One request to a fast route and its answer, whichever way it came: straight from the server, or through ASGI."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import msgspec
from starlette.types import Message, Receive, Scope, Send

from edgeinfer.backends.base import Window
from edgeinfer.errors import UnsupportedContentType
from edgeinfer.sidecar.inference import ClientDisconnected, never
from edgeinfer.web.content import check_json_type, decompress, media_type
from edgeinfer.web.direct import DirectRequest, DirectRoute
from edgeinfer.web.error_answers import CLIENT_CLOSED_REQUEST
from edgeinfer.web.negotiation import first_accepted
from edgeinfer.web.problems import Problem
from edgeinfer.web.request_id import request_id_of
from edgeinfer.web.trace_context import parse_headers

JSON, BINARY = b"application/json", b"application/octet-stream"
_ANSWERS = (BINARY.decode(), JSON.decode())


class Request(Protocol):
    """What is asked, in whatever way it came."""

    @property
    def arrived(self) -> float:
        """When its head was there, in seconds of `perf_counter`."""

    @property
    def headers(self) -> dict[bytes, bytes]:
        """By names in lower case."""

    @property
    def body(self) -> bytes | None:
        """None where it is too large; taken away once the handler has returned."""

    @property
    def is_abandoned(self) -> Callable[[], bool]:
        """Whether the client has disconnected; called on a worker thread."""


@dataclass(slots=True)
class Arrived:
    """A request that came through ASGI."""

    arrived: float
    headers: dict[bytes, bytes]
    body: bytes | None
    is_abandoned: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Path:
    """Takes the place of the framework's route in the scope, for the request metrics."""

    path: str


class HttpAnswer(msgspec.Struct, frozen=True):
    """What goes back to the caller.

    Args:
        status: of HTTP.
        headers: lines that end with CR LF, without content-length.
        body: as it is sent.
    """

    status: int
    headers: bytes
    body: bytes


Reply = Callable[[HttpAnswer | None], None]
"""Takes the answer, once; None when the caller has hung up and nothing was computed."""


class FastRoute:
    """Gives the POST requests of one route to a handler that calls back, and takes ASGI ones as well.

    Args:
        template: of its path, as the metrics name it.
        max_body_bytes: a longer body reaches the handler as None.
        answer: reads the request before it returns, and replies once, then or later.
        on_abandoned: called when a client disconnected before its body was complete.
        record: counts an answer to a direct request: method, endpoint, status, seconds.
    """

    def __init__(
        self,
        template: str,
        max_body_bytes: int,
        answer: Callable[[Request, Reply], None],
        on_abandoned: Callable[[], None],
        record: Callable[[str, str, int, float], None],
    ) -> None:
        self._path = Path(template)
        self._max_body_bytes = max_body_bytes
        self._answer = answer
        self._on_abandoned = on_abandoned
        self._record = record

    def direct_route(self, path: str) -> DirectRoute:
        """How the server reaches it past ASGI, at one path."""
        return DirectRoute(path.encode(), self._max_body_bytes, self._serve)

    def _serve(self, request: DirectRequest) -> None:
        def reply(answer: HttpAnswer | None) -> None:
            status = CLIENT_CLOSED_REQUEST if answer is None or request.disconnected else answer.status
            if answer is not None:
                request.respond(answer.status, answer.headers, answer.body)
            self._record("POST", self._path.path, status, perf_counter() - request.arrived)

        if request.disconnected:
            self._on_abandoned()
            reply(None)
        else:
            self._answer(request, reply)
            # A request that waits in the queue holds its windows; its body would be held a second time.
            request.body = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = perf_counter()
        scope["route"] = self._path
        replied: asyncio.Future[HttpAnswer | None] = asyncio.get_running_loop().create_future()
        headers = dict(scope["headers"])
        try:
            body = await _read(headers, receive, self._max_body_bytes)
        except ClientDisconnected:
            self._on_abandoned()
            return
        request = Arrived(arrived, headers, body, _hang_up_of(receive))
        del body
        self._answer(request, lambda answer: None if replied.cancelled() else replied.set_result(answer))
        request.body = None
        answer = await replied
        if answer is not None:
            await send_answer(answer, send)


async def send_answer(answer: HttpAnswer, send: Send) -> None:
    lines = [*answer.headers.split(b"\r\n")[:-1], b"content-length: %d" % len(answer.body)]
    pairs = [line.split(b": ", 1) for line in lines]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": answer.body})


def plain_body(headers: dict[bytes, bytes], body: bytes, max_bytes: int) -> bytes:
    """The body with its compression undone; raises as `edgeinfer.web.content.decompress`."""
    coding = headers.get(b"content-encoding")
    return body if coding is None else decompress(body, coding.decode("latin-1"), max_bytes)


def request_id_for(headers: dict[bytes, bytes]) -> bytes:
    """The caller's id, else that of its trace, else a new one."""
    given = headers.get(b"x-request-id", b"")
    if not given and (context := parse_headers(headers)) is not None:
        return context.trace_id.encode()
    return request_id_of(given)


def body_type(headers: dict[bytes, bytes]) -> bytes:
    """JSON or BINARY, as a body is declared; JSON where it is declared as nothing.

    Raises:
        UnsupportedContentType: it is declared as something else.
    """
    declared = headers.get(b"content-type", JSON)
    if declared in {JSON, BINARY}:
        return declared
    text = declared.decode("latin-1")
    if media_type(text).encode("latin-1") == BINARY:
        return BINARY
    try:
        check_json_type(text)
    except UnsupportedContentType as failure:
        remedy = "Send application/json in UTF-8, or application/octet-stream."
        raise UnsupportedContentType(failure.thing, failure.fault, remedy) from failure
    return JSON


def wants_binary(headers: dict[bytes, bytes]) -> bool:
    """Whether an answer is asked for as bytes rather than JSON."""
    accept = headers.get(b"accept", JSON)
    if accept in {JSON, BINARY}:
        return accept == BINARY
    return first_accepted(accept.decode("latin-1"), _ANSWERS) == _ANSWERS[0]


def problem_headers(problem: Problem, request_id: bytes) -> bytes:
    """The lines of an answer that reports a failure, without its length."""
    pairs = [*problem.raw_headers, (b"x-request-id", request_id)]
    return b"".join(b"%b: %b\r\n" % pair for pair in pairs if pair[0] != b"content-length")


def little_endian(values: Window) -> bytes:
    """Float32 as they travel."""
    return (values if sys.byteorder == "little" else values.byteswap()).tobytes()


def _hang_up_of(receive: Receive) -> Callable[[], bool]:
    """Whether the caller has hung up, without awaiting: a window in a full queue is often nobody's any more.

    ASGI reports it only to a task that waits for the next message, which costs a task per request; the server's
    exchange, whose method `receive` is, knows it at once.
    """
    cycle: Any = getattr(receive, "__self__", None)
    if not hasattr(cycle, "disconnected"):
        return never
    return lambda: cycle.disconnected is True


async def _read(headers: dict[bytes, bytes], receive: Receive, max_bytes: int) -> bytes | None:
    """The body, or None where it is too large."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > max_bytes:
        return None
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        parts.append(_part(message))
        size += len(parts[-1])
        if size > max_bytes:
            return None
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnected
    part: bytes = message.get("body", b"")
    return part
