"""One request given to the ASGI application, and its answer put into bytes."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Message, Scope

from edgeinfer.web.error_answers import CLIENT_CLOSED_REQUEST, STATUS_LINES, Refusal, malformed
from edgeinfer.web.flow_control import FlowControl
from edgeinfer.web.request_head import RequestHead
from edgeinfer.web.request_reader import CUT_OFF, Request

_log = logging.getLogger(__name__)
_BODILESS = frozenset({204, 304})
# Above this, joining head and body costs more than a second buffer in one system call.
_JOINED_BYTES = 64 * 1024
SENT_STATUS = "edgeinfer.sent_status"
"""Where the scope says which status the caller got, where that is not what the application answered."""
STOPPING = Refusal(503, "overloaded", "The service stops.", "Send it again in a moment.", retry_after_seconds=1)
NO_ANSWER_IN_TIME = Refusal(503, "overloaded", "The answer was not ready in time.", "Send it again later.", 5)
FAILED = Refusal(500, "internal_error", "The service failed to answer.", "Look for the traceback in its log.")


class Connection(Protocol):
    """What carries the answer."""

    @property
    def flow(self) -> FlowControl:
        """Takes the bytes."""

    def answered(self, exchange: "AsgiExchange") -> None:
        """The whole answer is written."""

    def answer_refusal(self, refusal: Refusal) -> None:
        """Answer in place of the application, and close."""

    def break_off(self) -> None:
        """Close in the middle of an answer, so that the caller sees that it is not whole."""


class AsgiExchange:
    """A request to the application; it begins when the body is whole, or will not be read any further.

    Args:
        connection: that it came by.
        request: that the application answers.
        keep_alive: whether the connection stays open after the answer.
    """

    __slots__ = (
        "_body",
        "_chunked",
        "_connection",
        "_ended",
        "_has_body",
        "_head",
        "_is_complete",
        "_is_head_sent",
        "_missing",
        "_scope",
        "_task",
        "_unread",
        "_why_cancelled",
        "disconnected",
        "keep_alive",
    )

    def __init__(self, connection: Connection, request: Request, *, keep_alive: bool) -> None:
        self._connection = connection
        self._body: bytes | None = request.body
        self._unread = request.unread
        self._has_body = request.head.method != b"HEAD"
        self._chunked = request.head.version == "1.1"
        self._head: bytes | None = None
        self._is_head_sent = False
        self._is_complete = False
        self._why_cancelled = STOPPING
        self._missing: int | None = None  # bytes of the answer that are still to come; None where that is unknown
        self._ended: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._scope: Scope = {}
        self.keep_alive = keep_alive
        self.disconnected = False

    def start(self, app: ASGIApp, scope: Scope, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Have it answered by a task of its own."""
        self._scope = scope
        self._task = loop.create_task(self._run(app, scope))
        return self._task

    def hang_up(self) -> None:
        """The caller is gone: what is sent from now on goes nowhere."""
        self.disconnected = True
        self._report(CLIENT_CLOSED_REQUEST)
        self._end()

    def expire(self, why: Refusal) -> bool:
        """Its time is over; returns whether the connection must answer in its place."""
        self._why_cancelled = why
        self._report(why.status)
        if self._task is not None:
            self._task.cancel()
        return False

    # What the application calls.

    async def receive(self) -> Message:
        """The body at once, then the end of the caller or of the answer."""
        if self._body is not None:
            body, self._body = self._body, None
            if body or self._unread is None:
                return {"type": "http.request", "body": body, "more_body": self._unread is not None}
        if self._unread is not None and self._head is None:
            self._refuse(self._unread)
        if not self.disconnected and not self._is_complete:
            self._ended = self._ended or asyncio.Event()
            await self._ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take the beginning, a piece or the end of the answer."""
        if self.disconnected:
            return
        if message["type"] == "http.response.start" and self._head is None:
            self._head = self._encode_head(message["status"], message.get("headers", ()))
        elif message["type"] == "http.response.body" and self._head is not None and not self._is_complete:
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"the application sent {message['type']} at the wrong time")

    def _encode_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        self._has_body = self._has_body and status not in _BODILESS
        lines = [STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        chunked_by_app = False
        for name, value in headers:
            key = name.lower()
            if key == b"content-length":
                self._missing = int(value)
            elif key == b"transfer-encoding":
                chunked_by_app = True
                continue
            elif key == b"connection":
                self.keep_alive = self.keep_alive and b"close" not in value.lower()
                continue
            lines.append(b"%b: %b\r\n" % (key, value))
        self._frame(lines, unsized=chunked_by_app or self._missing is None)
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines):
            raise RuntimeError("a header of the answer holds a line end")
        return head

    def _frame(self, lines: list[bytes], *, unsized: bool) -> None:
        if not unsized or not self._has_body:
            self._chunked = False
        elif self._chunked:
            self._missing = None
            lines.append(b"transfer-encoding: chunked\r\n")
        else:  # HTTP/1.0: the end of the connection is the end of the answer
            self._missing = None
            self.keep_alive = False

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        parts = self._frame_body(body, more=more) if self._has_body else []
        if not self._is_head_sent:
            self._is_head_sent = True
            parts.insert(0, self._head or b"")
        if sum(map(len, parts)) <= _JOINED_BYTES:
            parts = [b"".join(parts)]
        self._connection.flow.write(*parts)
        if more:
            await self._connection.flow.drained()
            return
        self._is_complete = True
        self._end()
        self._connection.answered(self)

    def _frame_body(self, body: bytes, *, more: bool) -> list[bytes]:
        if self._chunked:
            chunk = [b"%x\r\n" % len(body), body, b"\r\n"] if body else []
            return chunk if more else [*chunk, b"0\r\n\r\n"]
        if self._missing is not None:
            self._missing -= len(body)
            if self._missing < 0 or (self._missing and not more):
                raise RuntimeError("the answer is not as long as its Content-Length says")
        return [body]

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        refusal = FAILED
        try:
            await app(scope, self.receive, self.send)
            if not self._is_complete and not self.disconnected:
                _log.error("the application returned without an answer", extra={"path": scope["path"]})
        except asyncio.CancelledError:
            refusal = self._why_cancelled
        except Exception:  # noqa: BLE001 - every failure becomes an answer
            if not self._is_complete:  # else the application has answered for it, and logged it
                _log.exception("unexpected error in the application")
        finally:
            self._task = None
        self._refuse(refusal)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in place of the application, unless it has begun to, or nobody waits."""
        if self._is_complete or self.disconnected:
            return
        self.disconnected = True
        self._report(CLIENT_CLOSED_REQUEST if refusal is CUT_OFF else refusal.status)
        if self._is_head_sent:
            self._connection.break_off()
        else:
            self._connection.answer_refusal(refusal)
        self._end()

    def _report(self, status: int) -> None:
        """Say which status the caller got, unless an answer has begun."""
        if not self._is_head_sent:
            self._scope.setdefault(SENT_STATUS, status)

    def _end(self) -> None:
        if self._ended is not None:
            self._ended.set()


def make_scope(
    head: RequestHead,
    state: dict[str, Any],
    client: tuple[str, int] | None,
    server: tuple[str, int | None] | None,
) -> Scope:
    """The scope of a request.

    Args:
        head: of the request.
        state: of the application's lifespan.
        client: address of the caller; None on a Unix socket.
        server: address that it reached.

    Raises:
        Refused: its target is not a path.
    """
    try:
        url = httptools.parse_url(head.target)
        raw_path = url.path or b""
        path = raw_path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError) as failure:
        raise malformed("The target of the request is not a path.") from failure
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.version,
        "method": head.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(path) if "%" in path else path,
        "raw_path": raw_path,
        "query_string": url.query or b"",
        "root_path": "",
        "headers": head.headers.copy(),
        "client": client,
        "server": server,
        "state": state.copy(),
    }
