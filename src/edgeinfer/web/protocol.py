"""HTTP/1.1 with the limits that uvicorn leaves open, and a shorter way for direct routes."""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from edgeinfer.web.direct import DirectRequest, DirectRoute


class BoundedProtocol(HttpToolsProtocol):
    """One connection; the server calls `close_if_slow` about once a second.

    Args:
        direct: routes that are answered without an ASGI request.
    """

    longest_head_bytes: ClassVar[int] = 32 * 1024
    longest_request_seconds: ClassVar[float] = 30.0
    most_connections: ClassVar[int] = 4096

    def __init__(self, *given: Any, direct: tuple[DirectRoute, ...] = (), **named: Any) -> None:
        super().__init__(*given, **named)
        self._direct = {route.path: route for route in direct}
        self._request: DirectRequest | None = None
        self._is_in_head = False
        self._head_bytes = 0
        self._waiting_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base
        """Take the connection, unless there are too many."""
        super().connection_made(_OneWrite(transport, self.loop))  # type: ignore[arg-type]  # what a protocol needs of one
        self._waiting_since = self.loop.time()
        if len(self.connections) > self.most_connections:
            self._refuse(503, "overloaded", "The service has no connection left.", "Keep connections and use fewer.")

    def data_received(self, data: bytes) -> None:
        """Read what came; a head that does not end is refused."""
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.longest_head_bytes:
                fault = f"The request's head is larger than {self.longest_head_bytes} bytes."
                self._refuse(431, "invalid_head", fault, "Send fewer or shorter headers.")

    def on_message_begin(self) -> None:
        """A request begins."""
        # What uvicorn does here is done in _begin_asgi, for requests that become ASGI ones.
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._request = None
        self._is_in_head = True
        self._head_bytes = 0
        self._waiting_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._is_in_head = False
        route = self._direct.get(self.url)
        if route is not None and self._may_be_direct():
            request = DirectRequest(route, dict(self.headers), self, keep_alive=self.parser.should_keep_alive())
            self.cycle = self._request = request  # type: ignore[assignment]  # in uvicorn's eyes, a cycle
            request.begin()
            return
        self._begin_asgi()
        super().on_headers_complete()

    def _may_be_direct(self) -> bool:
        parser = self.parser
        is_plain = parser.get_method() == b"POST" and parser.get_http_version() == "1.1"
        before: Any = self.cycle  # None before the first request
        is_alone = before is None or before.response_complete
        return is_plain and is_alone and not self.expect_100_continue and not parser.should_upgrade()

    def _begin_asgi(self) -> None:
        """Catch up with what uvicorn does when a request begins."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._request is None:
            super().on_body(body)
        else:
            self._request.add(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._waiting_since = None
        if self._request is None:
            super().on_message_complete()
        else:
            self._request.complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        super().connection_lost(exc)
        if self._request is not None:
            self._request.hang_up()
            # Request and connection know each other: let go, so that neither waits for a garbage collection.
            self.cycle = self._request = None  # type: ignore[assignment]  # as uvicorn begins

    def send_direct(self, request: DirectRequest, answer: bytes) -> None:
        """Write the answer to a direct request, and go on with what came next on the connection."""
        request.response_started = request.response_complete = True
        if request.disconnected or self.transport.is_closing():
            return
        self.transport.write_at_once(answer)  # type: ignore[attr-defined]  # _OneWrite has it
        if not request.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def close_if_slow(self, now: float) -> None:
        """Close a connection whose request takes too long to arrive, or never begins.

        Args:
            now: time of the event loop.
        """
        if self._waiting_since is None or now - self._waiting_since <= self.longest_request_seconds:
            return
        fault = f"No whole request came within {self.longest_request_seconds:.0f} s."
        self._refuse(408, "slow_request", fault, "Send the request at once.")

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP in the shape of every error."""
        self._refuse(400, "invalid_head", msg, "Send HTTP/1.1.")

    def _refuse(self, status: int, problem: str, message: str, remedy: str) -> None:
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle  # None before the first request
        # Where another request's answer is due, this one would be taken for it.
        if cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started):
            self.transport.write(_answer(status, problem, message, remedy))
        self.transport.close()


class _OneWrite:
    """A transport that sends what one turn of the loop wrote in one piece.

    Head and body of an answer are written apart; on a loopback or a network each piece is a system call, a
    packet and a wake-up of the caller.
    """

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def write_at_once(self, data: bytes) -> None:
        """What is whole waits for nothing."""
        self._flush()
        self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._transport.write(data)


def _answer(status: int, problem: str, message: str, remedy: str) -> bytes:
    body = orjson.dumps({"error": problem, "status": status, "message": message, "remedy": remedy})
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
