"""A small HTTP/1.1 client for one peer: one write per request, kept connections, a parser in C.

It exists because it takes a fraction of a general client's time (benchmarks/gateway_clients.py), and
knows only what a sidecar needs: no redirects, cookies, compression, proxies or pipelining.
"""

import asyncio
import contextlib
import re
import socket
import struct
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httptools
import msgspec

from edgeinfer.gateway.transport import (
    MAX_ANSWER_BYTES,
    RawAnswer,
    SidecarAddress,
    broken_off,
    not_http,
    timed_out,
)
from edgeinfer.web.request_id import new_request_id

_FIRST_FINAL_STATUS = 200
_REQUEST_ID = "x-request-id"
# What a sidecar of ours answers to nearly every window. Whatever else comes is read by the parser.
_USUAL_HEAD = re.compile(r"HTTP/1\.1 200 OK\r\n(?:[a-z0-9-]+: [!-~][ -~]*\r\n)+\r\n")
_FIELD = re.compile(r"([a-z0-9-]+): ([ -~]*)\r\n")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class HttpTransport:
    """Carries calls over a pool of connections.

    A kept connection that the peer closes before it answers is not a failure: the call goes out once more
    on a new one, which is safe because an inference changes nothing.

    Args:
        target: the sidecar.
        connections: most connections at a time; further calls wait within their timeout.
    """

    def __init__(self, target: SidecarAddress, *, connections: int = 256) -> None:
        self._target = target
        self._peer = _Peer(target.name)
        self._limit = connections
        self._idle: list[_Connection] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_closed = False
        host = target.origin.partition("://")[2].rpartition("@")[2]
        self._host = f"Host: {host}\r\n".encode()
        self._posts: dict[str, bytes] = {}

    def post(
        self, body: bytes, headers: Mapping[str, str], timeout_seconds: float, *, path: str = ""
    ) -> Coroutine[Any, Any, RawAnswer]:
        begin = self._posts.get(path)
        if begin is None:
            begin = f"POST {path or self._target.path} HTTP/1.1\r\n".encode() + self._host
            self._posts = {path: begin}  # a sidecar has one route at a time
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = begin + f"{fields}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")
        return self._send(_Call(head + body, headers.get("X-Request-Id", "")), timeout_seconds)

    async def get(self, path: str, timeout_seconds: float) -> RawAnswer:
        request_id = new_request_id()
        head = b"GET %b HTTP/1.1\r\n%bX-Request-Id: %b\r\n\r\n" % (path.encode(), self._host, request_id)
        return await self._send(_Call(head, request_id.decode()), timeout_seconds)

    async def close(self) -> None:
        """Close all connections that are not in use; those in use close after their answer."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().abort()
        await asyncio.sleep(0)

    async def _send(self, request: "_Call", timeout_seconds: float) -> RawAnswer:
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout_seconds
        connection = self._take_idle()
        if connection is not None:
            try:
                return await self._exchange(connection, request, ends, timeout_seconds)
            except _ClosedBeforeAnswer:
                pass
        connection = await self._connect(ends, timeout_seconds)
        try:
            return await self._exchange(connection, request, ends, timeout_seconds)
        except _ClosedBeforeAnswer as failure:
            raise broken_off(self._target.name, failure, answer_began=False) from failure

    async def _exchange(
        self, connection: "_Connection", request: "_Call", ends: float, timeout_seconds: float
    ) -> RawAnswer:
        loop = asyncio.get_running_loop()
        answer = connection.ask(request)
        alarm = loop.call_at(ends, connection.time_out, timeout_seconds)
        try:
            return await answer
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            alarm.cancel()
            self._give_back(connection)

    def _take_idle(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    def _give_back(self, connection: "_Connection") -> None:
        if connection.is_usable and not self._is_closed:
            self._idle.append(connection)
        else:
            connection.abort()
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _connect(self, ends: float, timeout_seconds: float) -> "_Connection":
        try:
            async with asyncio.timeout_at(ends):
                return await self._idle_or_new()
        except TimeoutError as failure:
            raise timed_out(self._target.name, timeout_seconds) from failure
        except OSError as failure:
            raise broken_off(self._target.name, failure, answer_began=False) from failure

    async def _idle_or_new(self) -> "_Connection":
        while self._open >= self._limit:
            if (connection := self._take_idle()) is not None:
                return connection
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                # Woken and cancelled in one step: the connection that it was woken for is the next one's.
                if waiter.done() and not waiter.cancelled():
                    self._wake_one()
                raise
        self._open += 1
        try:
            return await self._new()
        except BaseException:
            self._lost()
            raise

    async def _new(self) -> "_Connection":
        loop = asyncio.get_running_loop()

        def make() -> _Connection:
            return _Connection(self._peer, self._lost)

        if self._target.socket:
            _, connection = await loop.create_unix_connection(make, self._target.socket)
        else:
            host, port, is_tls = self._target.address
            _, connection = await loop.create_connection(make, host, port, ssl=is_tls or None)
        return connection

    def _lost(self) -> None:
        self._open -= 1
        self._wake_one()


class _Call(msgspec.Struct, frozen=True):
    """A request on its way.

    Args:
        content: as it is sent.
        request_id: that it carries, or empty.
    """

    content: bytes
    request_id: str


@dataclass(slots=True)
class _Peer:
    """What is known of the other side.

    Args:
        name: for messages.
        gives_ids_back: whether it ever answered with the id of a request.
    """

    name: str
    gives_ids_back: bool = False


class _ClosedBeforeAnswer(Exception):
    """The peer closed the connection and had not begun to answer."""


def read_usual(data: bytes) -> RawAnswer | None:
    """A whole answer with status 200 and a known length that came in one piece, else None; as the parser reads it."""
    end = data.find(b"\r\n\r\n") + 4
    head = data[:end].decode("latin-1")
    if not _USUAL_HEAD.fullmatch(head) or " \r\n" in head:
        return None
    fields = _FIELD.findall(head)
    headers = dict(fields)
    # What came twice, or changes the framing or the connection, is for the parser.
    if len(headers) != len(fields) or "connection" in headers or "transfer-encoding" in headers:
        return None
    if headers.get("content-length") != str(len(data) - end) or "upgrade" in headers:
        return None
    return RawAnswer(200, headers, data[end:])


class _Connection(asyncio.Protocol):
    """One connection: a request at a time, its answer put together by httptools where it is not the usual one."""

    def __init__(self, peer: _Peer, on_lost: Callable[[], None]) -> None:
        self._peer = peer
        self._name = peer.name
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[RawAnswer] | None = None
        self._is_kept = True
        self._begin("")

    def _begin(self, request_id: str) -> None:
        self._request_id = request_id
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._received = 0
        self._has_headers = False

    @property
    def is_usable(self) -> bool:
        """Whether another request may go out."""
        return self._is_kept and self._transport is not None and not self._transport.is_closing()

    def ask(self, request: _Call) -> "asyncio.Future[RawAnswer]":
        """Send a request; the answer comes, or an SidecarError, or _ClosedBeforeAnswer."""
        self._begin(request.request_id)
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            self._answer.set_exception(_ClosedBeforeAnswer("it closed the connection"))
        else:
            self._transport.write(request.content)
        return self._answer

    def time_out(self, seconds: float) -> None:
        """End the exchange: so much time was given to it."""
        self.give_up(timed_out(self._name, seconds))

    def give_up(self, failure: Exception) -> None:
        """End the exchange with a failure."""
        self._fail(failure)
        self.abort()

    def abort(self) -> None:
        """Close at once, with a reset: an orderly end would be that of a caller that still waits for its answer."""
        self._is_kept = False
        if self._transport is None or self._transport.is_closing():
            return
        given = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # the connection may be gone already
            given.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _fail(self, failure: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(failure)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer, or bytes that nobody asked for."""
        if self._answer is None or self._answer.done():
            self.abort()
            return
        self._received += len(data)
        if self._received > MAX_ANSWER_BYTES:
            self.give_up(not_http(self._name, f"the answer is longer than {MAX_ANSWER_BYTES} bytes"))
            return
        if self._parser is None:
            usual = read_usual(data)
            if usual is not None:
                self._headers = usual.headers  # type: ignore[assignment]  # a dict, as `read_usual` makes it
                self._finish(usual)
                return
            self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as failure:
            self.give_up(not_http(self._name, f"the answer is not HTTP ({failure})"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._transport = None
        self._on_lost()
        if self._received == 0:
            self._fail(_ClosedBeforeAnswer(str(exc or "it closed the connection")))
        elif exc is None and self._has_headers and self._ends_with_the_connection():
            self._finish(self._parsed())
        else:
            self._fail(broken_off(self._name, exc or ConnectionError(), answer_began=True))

    def _ends_with_the_connection(self) -> bool:
        return "content-length" not in self._headers and "transfer-encoding" not in self._headers

    # What the parser calls.

    def on_message_begin(self) -> None:
        """An answer begins; one behind the answer was not asked for, and ends the connection."""
        if self._answer is not None and self._answer.done():
            self._is_kept = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """All headers."""
        self._has_headers = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        """The whole answer, or an announcement of it (1xx)."""
        parser = self._parser
        assert parser is not None  # noqa: S101 - it is what calls
        if parser.get_status_code() < _FIRST_FINAL_STATUS:
            self._headers, self._chunks, self._has_headers = {}, [], False
            return
        self._is_kept = self._is_kept and parser.should_keep_alive()
        self._finish(self._parsed())

    def _parsed(self) -> RawAnswer:
        assert self._parser is not None  # noqa: S101 - it has called before
        return RawAnswer(self._parser.get_status_code(), self._headers, b"".join(self._chunks))

    def _finish(self, answer: RawAnswer) -> None:
        if self._answer is None or self._answer.done():
            return
        if self._is_to_another():
            self.give_up(not_http(self._name, "it answered another request on this connection, late or twice"))
            return
        self._answer.set_result(answer)

    def _is_to_another(self) -> bool:
        """Whether the answer has the id of another request than the one that was sent last.

        A peer that never gave an id of ours back has ids of its own, and is not judged by them.
        """
        echoed = self._headers.get(_REQUEST_ID, "")
        if echoed and echoed == self._request_id:
            self._peer.gives_ids_back = True
            return False
        return bool(echoed) and self._peer.gives_ids_back
