"""Bytes of a connection in, requests out, one at a time; does no I/O."""

from time import perf_counter

import msgspec

from edgeinfer.web.connection_state import ConnectionState
from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.error_answers import Refusal, head_too_large, malformed
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.request_body import ChunkedBody, SizedBody
from edgeinfer.web.request_head import HeadCache, RequestHead, check_beginning

_END_OF_HEAD = b"\r\n\r\n"
_BLANK = (b"\r", b"\n")
_MAX_BLANK_BYTES = 1024
TOO_LARGE = Refusal(413, "body_too_large", "The body is longer than this service reads.", "Send less at a time.")
CUT_OFF = Refusal(400, "invalid_body", "The connection ended in the middle of the body.", "Send it again.")


class Request(msgspec.Struct, frozen=True):
    """A request that can be answered.

    Args:
        head: of it.
        route: that answers it without the application; None where none does.
        body: what there is of it.
        arrived: when its head was there, in seconds of `perf_counter`.
        unread: why the rest of the body is not read; None where the body is whole.
    """

    head: RequestHead
    route: DirectRoute | None
    body: bytes
    arrived: float
    unread: Refusal | None = None


class RequestReader:
    """Puts the bytes of one connection together; what comes after a request stays until it is asked for.

    Args:
        limits: of heads and bodies.
        heads: reads heads; shared by the connections of a server.
    """

    __slots__ = (
        "_arrived",
        "_blank_bytes",
        "_body",
        "_head",
        "_heads",
        "_limits",
        "_route",
        "_searched",
        "_start",
        "buffer",
        "state",
    )

    def __init__(self, limits: ConnectionLimits, heads: HeadCache) -> None:
        self._limits = limits
        self._heads = heads
        self._route: DirectRoute | None = None
        self.buffer: bytes | bytearray = b""
        """What came, from the first byte on that was not read; empty where all was read."""
        self._start = 0  # where in the buffer the bytes begin that were not read yet
        self._searched = 0  # up to where in the buffer no end of a head is
        self._blank_bytes = 0
        self._head: RequestHead | None = None
        self._arrived = 0.0
        self._body: SizedBody | ChunkedBody | None = None
        self.state = ConnectionState.IDLE
        """IDLE, HEAD or BODY: what of a request is awaited."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes that came and were not read yet."""
        return len(self.buffer) - self._start

    @property
    def memory_bytes(self) -> int:
        """What it holds."""
        size = len(self.buffer)
        if self._body is not None and self._head is not None:
            size += self._body.memory_bytes + self._head.memory_bytes
        return size

    @property
    def wants_continue(self) -> bool:
        """Whether the client awaits a word before it sends the body (RFC 9110, 10.1.1)."""
        is_held_back = self.state is ConnectionState.BODY and self._body is not None and not self._body.content
        return is_held_back and self._head is not None and self._head.expects_continue and not self.waiting_bytes

    def feed(self, data: bytes) -> None:
        if not self.buffer:
            self.buffer = data
            return
        if not isinstance(self.buffer, bytearray):
            self._searched = max(0, self._searched - self._start)
            self.buffer = bytearray(memoryview(self.buffer)[self._start :])
            self._start = 0
        self.buffer += data

    def read(self) -> Request | None:
        """The next request that is whole, or too large, or None while more must come.

        Raises:
            Refused: what came cannot be read; nothing may be read any more.
        """
        if self._start >= len(self.buffer):
            return None
        request = self._read_body() if self.state is ConnectionState.BODY else self._read_head()
        if self._start >= len(self.buffer):
            self.buffer, self._start, self._searched = b"", 0, 0
        return request

    def cut(self) -> Request | None:
        """What there is of a request in the middle of whose body the connection ended."""
        return self._make_request(CUT_OFF) if self.state is ConnectionState.BODY else None

    def drop(self) -> int:
        """Forget everything; returns how many bytes had not been read."""
        waiting = self.waiting_bytes
        self.buffer, self._start, self._searched = b"", 0, 0
        self._head = self._body = None
        self.state = ConnectionState.IDLE
        return waiting

    def _read_head(self) -> Request | None:
        if self.state is ConnectionState.IDLE and self.buffer.startswith(_BLANK, self._start):
            self._skip_blank_lines()
        end = self.buffer.find(_END_OF_HEAD, max(self._start, self._searched))
        stop = end + len(_END_OF_HEAD) if end >= 0 else len(self.buffer)
        if stop - self._start > self._limits.max_head_bytes:
            raise head_too_large(f"The request's head is larger than {self._limits.max_head_bytes} bytes.")
        if self._start == stop:
            return None
        if end < 0:
            check_beginning(self.buffer, self._start)
            self._searched = max(self._start, stop - len(_END_OF_HEAD) + 1)
            self.state = ConnectionState.HEAD
            return None
        head = self._heads.read(bytes(self.buffer[self._start : stop]))
        self._start = stop
        return self._begin_body(head)

    def _skip_blank_lines(self) -> None:
        """Empty lines before a request are ignored (RFC 9112, 2.2): they begin nothing."""
        while self.buffer.startswith(_BLANK, self._start):
            self._start += 1
            self._blank_bytes += 1
            if self._blank_bytes > _MAX_BLANK_BYTES:
                raise malformed("Empty lines came and no request.")

    def _begin_body(self, head: RequestHead) -> Request | None:
        arrived, route, length = perf_counter(), head.route, head.content_length
        max_bytes = self._limits.max_body_bytes if route is None else route.max_body_bytes
        self._blank_bytes = 0
        end = self._start + length
        if length <= max_bytes and not head.is_chunked and end <= len(self.buffer):
            # The common case: all came at once.
            body = bytes(self.buffer[self._start : end])
            self._start, self.state = end, ConnectionState.IDLE
            return Request(head, route, body, arrived)
        self._head, self._route, self._arrived = head, route, arrived
        if length > max_bytes:
            return self._make_request(TOO_LARGE)
        self._body = ChunkedBody(max_bytes, self._limits.max_framing_bytes) if head.is_chunked else SizedBody(length)
        self.state = ConnectionState.BODY
        return self._read_body()

    def _read_body(self) -> Request | None:
        body = self._body
        assert body is not None  # noqa: S101 - the part says so
        self._start = body.feed(self.buffer, self._start)
        if body.is_whole:
            return self._make_request(None)
        return self._make_request(TOO_LARGE) if body.is_too_large else None

    def _make_request(self, unread: Refusal | None) -> Request:
        head = self._head
        assert head is not None  # noqa: S101 - a request begins with one
        body = b"" if self._body is None else bytes(self._body.content)
        request = Request(head, self._route, body, self._arrived, unread)
        self._head = self._body = self._route = None
        self.state = ConnectionState.IDLE
        return request
