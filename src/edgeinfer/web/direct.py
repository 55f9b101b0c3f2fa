"""Chosen routes answered straight from the connection, without the task, scope and events of an ASGI request.

These cost more than a small model's own time. The same routes are in the ASGI application too, for whatever
is not the common case here: a query, another method, HTTP/1.0, Expect.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from edgeinfer.web.error_answers import CLIENT_CLOSED_REQUEST, STATUS_LINES, Refusal


class Connection(Protocol):
    """What carries the answer."""

    def answer_direct(self, request: "DirectRequest", answer: bytes) -> None:
        """Write the answer, unless the client has disconnected, then handle the next request."""


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """A route and what answers it.

    Args:
        path: exactly.
        max_body_bytes: more is not kept, and `DirectRequest.body` is None.
        serve: called once with each request, on the event loop, when its body is there, too long, or will never come
            (`DirectRequest.disconnected`); calls `DirectRequest.respond` once, then or later.
        method: of HTTP.
        query: that the whole query must match; None where there must be none.
        unless: headers, in lower case, that make a request one for the application.
    """

    path: bytes
    max_body_bytes: int
    serve: Callable[["DirectRequest"], None]
    method: bytes = b"POST"
    query: re.Pattern[bytes] | None = None
    unless: frozenset[bytes] = frozenset()


class DirectRequest(msgspec.Struct, eq=False):
    """A request whose body is whole, too large or cut off, and its answer.

    Args:
        headers: with names in lower case; of a repeated one the last.
        body: None where it is too large.
        connection: that it came by.
        arrived: when its head was there, in seconds of `perf_counter`.
        keep_alive: whether the connection stays open after the answer.
        target: path and query, as they were sent.
        ended_with: the status that the caller got where `disconnected`: 499, or that of the connection's own answer.
        disconnected: whether the caller has hung up, or has its answer from the connection.
    """

    headers: dict[bytes, bytes]
    body: bytes | None
    connection: Connection
    arrived: float
    keep_alive: bool
    target: bytes = b""
    ended_with: int = CLIENT_CLOSED_REQUEST
    disconnected: bool = False

    def is_abandoned(self) -> bool:
        """Whether the caller has hung up; may be asked from any thread."""
        return self.disconnected

    def hang_up(self) -> None:
        """The caller is gone: its answer will not be sent."""
        self.disconnected = True

    def expire(self, why: Refusal) -> bool:
        """Its time is over: what comes later is not sent; returns whether the connection must answer in its place."""
        self.ended_with = why.status
        self.disconnected = True
        return True

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """Answer.

        Args:
            status: of HTTP.
            headers: lines that end with CR LF, without content-length and connection.
            body: of the answer.
        """
        close = b"" if self.keep_alive else b"connection: close\r\n"
        head = b"%b%bcontent-length: %d\r\n%b\r\n" % (STATUS_LINES[status], headers, len(body), close)
        self.connection.answer_direct(self, head + body)
