"""Chosen routes answered straight from the connection, without the task, scope and events of an ASGI request.

These cost more than a small network's own time. The same routes stand in the ASGI application too, for whatever
is not the common case here: a query, another method, HTTP/1.0, Expect, a request that came before the last answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Protocol

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Connection(Protocol):
    """What carries the answer."""

    def send_direct(self, request: "DirectRequest", answer: bytes) -> None:
        """Write the answer, unless the caller is gone, and go on with what came next."""


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """A route and what answers it.

    Args:
        path: exactly; the method is POST.
        longest_body_bytes: more is not kept, and `DirectRequest.body` is None.
        serve: called once with each request, on the event loop, when its body is there, too long, or will never come
            (`DirectRequest.disconnected`); calls `DirectRequest.respond` once, then or later.
    """

    path: bytes
    longest_body_bytes: int
    serve: Callable[["DirectRequest"], None]


class _NobodyWaits:
    """Stands in for the event that the server sets for an ASGI application."""

    def set(self) -> None:
        """Nothing."""


_NOBODY_WAITS = _NobodyWaits()


class DirectRequest:
    """A request and its answer; in the server's eyes a cycle like that of an ASGI request.

    Args:
        route: that it is for.
        headers: with names in lower case; of a repeated one the last.
        connection: that it came by.
        keep_alive: whether the connection stays open after the answer.
    """

    __slots__ = (
        "_connection",
        "_parts",
        "_size",
        "arrived",
        "body",
        "disconnected",
        "headers",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
        "response_started",
        "route",
    )

    def __init__(
        self, route: DirectRoute, headers: dict[bytes, bytes], connection: Connection, *, keep_alive: bool
    ) -> None:
        self.arrived = perf_counter()
        self.route = route
        self.headers = headers
        self.body: bytes | None = b""
        self._connection = connection
        self._parts: list[bytes] = []
        self._size = 0
        self.keep_alive = keep_alive
        self.disconnected = False
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.message_event = _NOBODY_WAITS

    def begin(self) -> None:
        """The head is there: a body that is announced as too long is refused before it comes."""
        length = self.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self.route.longest_body_bytes:
            self._refuse_body()

    def is_abandoned(self) -> bool:
        """Whether the caller has hung up; may be asked from any thread."""
        return self.disconnected

    def add(self, part: bytes) -> None:
        """A piece of the body came."""
        if self.response_complete:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self.route.longest_body_bytes:
            self._refuse_body()

    def complete(self) -> None:
        """All of the body is there: have it answered."""
        self.more_body = False
        if self.response_complete or self.body is None:
            return
        parts = self._parts
        self.body = parts[0] if len(parts) == 1 else b"".join(parts)
        self.route.serve(self)

    def hang_up(self) -> None:
        """The caller is gone before the body was there."""
        self.disconnected = True
        if self.more_body and not self.response_complete:
            self.route.serve(self)

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """Answer.

        Args:
            status: of HTTP.
            headers: lines that end with CR LF, without content-length and connection.
            body: of the answer.
        """
        close = b"" if self.keep_alive else b"connection: close\r\n"
        head = b"%b%bcontent-length: %d\r\n%b\r\n" % (_STATUS_LINES[status], headers, len(body), close)
        self._connection.send_direct(self, head + body)

    def _refuse_body(self) -> None:
        """Too much: it is answered now, and what else comes is thrown away."""
        if self.body is not None:
            self.body = None
            self._parts.clear()
            self.route.serve(self)
