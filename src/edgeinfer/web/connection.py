"""One connection of the HTTP/1.1 server: a state, a deadline for it, and one request at a time."""

import asyncio
from math import inf
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from edgeinfer.web.asgi_exchange import NO_ANSWER_IN_TIME, STOPPING, AsgiExchange, make_scope
from edgeinfer.web.connection_state import ConnectionState, ServerContext
from edgeinfer.web.direct import DirectRequest, DirectRoute
from edgeinfer.web.error_answers import Refusal, Refused, malformed
from edgeinfer.web.flow_control import FlowControl
from edgeinfer.web.request_reader import CUT_OFF, Request, RequestReader

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FEWER = "Keep connections and use fewer."
TOO_MANY = Refusal(503, "overloaded", "The service has no connection left.", _FEWER, retry_after_seconds=1)
TOO_BUSY = Refusal(503, "overloaded", "Too many requests are under way.", "Send it again later.", 1)
NO_MEMORY = Refusal(503, "overloaded", "Too many requests are half sent; this one took longest.", "Send it again.", 1)
_HEAD_CUT_OFF = malformed("The connection ended in the middle of the request.").refusal
# Answered all the same, for a client that only sends no more; nothing was refused to it.
_HANG_UPS = (CUT_OFF, _HEAD_CUT_OFF)


class HttpConnection(asyncio.Protocol):
    """What uvicorn's server makes for each connection; it calls `shutdown` when it stops.

    Bytes are read only as far as the state allows: a request that comes before the last one is answered waits,
    and nothing more is read from the socket. `check_deadline` must be called about once a second.

    Args:
        config: of the server, for its application.
        server_state: for its sets of connections and tasks.
        app_state: of the application's lifespan.
        _loop: the event loop.
        context: shared by the connections of a server.
    """

    __slots__ = (
        "_app",
        "_app_state",
        "_context",
        "_deadline",
        "_discarded",
        "_exchange",
        "_is_holding",
        "_is_last",
        "_is_used",
        "_limits",
        "_loop",
        "_reader",
        "_server_state",
        "_state",
        "_stops_at",
        "_unread",
        "flow",
    )

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        context: ServerContext,
    ) -> None:
        self._app = cast("ASGIApp", config.loaded_app)
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_event_loop()
        self._context = context
        self._limits = context.limits
        self._reader = RequestReader(context.limits, context.heads)
        self.flow = FlowControl(self._loop)
        self._exchange: DirectRequest | AsgiExchange | None = None
        self._state = ConnectionState.IDLE
        self._deadline = 0.0
        self._stops_at = inf
        self._discarded = 0
        self._is_used = False  # whether a request ever began
        self._is_last = False  # whether the connection ends with the answer under way
        self._is_holding = False
        self._unread = False  # whether what still comes is thrown away

    # What the event loop and the server call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, unless there are too many."""
        self.flow.begin(transport)
        self._server_state.connections.add(self)
        self._enter(ConnectionState.IDLE, self._limits.head_seconds)
        too_many = len(self._server_state.connections) - self._limits.max_connections
        if too_many > self._limits.max_refused_connections:
            self._context.on_refusal(TOO_MANY)
            self.break_off()
        elif too_many > 0:
            self.answer_refusal(TOO_MANY)

    def data_received(self, data: bytes) -> None:
        """Read what came, as far as its turn is."""
        if self._unread or self._state is ConnectionState.CLOSED:
            self._discard(len(data))
            return
        reader = self._reader
        reader.feed(data)
        if self._state <= ConnectionState.BODY:
            self._read()
        else:
            self.flow.pause_reading()
        if self._is_holding or reader.buffer or reader.state is not ConnectionState.IDLE:
            self._account()

    def eof_received(self) -> bool:
        """The client sends nothing more; one that waits for its answer gets it. Returns whether to stay open."""
        self.flow.sees_end = True
        if self._state is ConnectionState.ANSWERING and self.flow.is_peer_gone():
            self.break_off()
        elif self._state is ConnectionState.HEAD:
            self.answer_refusal(_HEAD_CUT_OFF)
        elif self._state is ConnectionState.BODY:
            self._cut()
        return self.flow.is_paused or self._state in {ConnectionState.ANSWERING, ConnectionState.TAKING}

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        del exc
        self._server_state.connections.discard(self)
        self.flow.end()
        if self._state is ConnectionState.BODY:
            self._cut()
        self._state = ConnectionState.CLOSED
        if self._exchange is not None:
            self._exchange.hang_up()
        self._context.budget.release(self)
        self._reader.drop()
        # Request and connection know each other: let go, so that neither waits for a garbage collection.
        self._exchange = None

    def pause_writing(self) -> None:
        """The client has not taken all that was written."""
        self.flow.set_paused(is_paused=True)
        unsent = self.flow.unsent_bytes
        seconds = self._limits.take_seconds + unsent / self._limits.min_take_bytes_per_second
        self._enter(self._state, seconds)
        self._hold(unsent + self._reader.memory_bytes)

    def resume_writing(self) -> None:
        """The client has taken all."""
        self.flow.set_paused(is_paused=False)
        if self._state is ConnectionState.TAKING:
            self._continue()
        elif self._state is ConnectionState.ANSWERING:
            self._enter(self._state, self._limits.answer_seconds)
        elif self._state is ConnectionState.DISCARDING:
            self._enter(self._state, self._limits.discard_seconds)
            self.flow.finish()
        self._account()

    def check_deadline(self, now: float) -> None:
        """End a state that lasts too long.

        Args:
            now: time of the event loop.
        """
        if now <= self._deadline:
            return
        if self.flow.is_paused or self._state >= ConnectionState.TAKING:
            self.break_off()
        elif self._state is ConnectionState.ANSWERING:
            self._expire()
        elif self._state is ConnectionState.IDLE and self._is_used:
            self._close()
        else:
            self.answer_refusal(STOPPING if self._stops_at <= now else self._slow())

    def shutdown(self) -> None:
        """The server stops: the request under way is the last one."""
        self._is_last = True
        self._stops_at = self._loop.time() + self._context.stop_seconds
        self._deadline = min(self._deadline, self._stops_at)
        if self._exchange is not None:
            self._exchange.keep_alive = False
        elif self._state is ConnectionState.IDLE:
            self._close()

    def evict(self) -> None:
        """Give back the bytes that it holds: the budget of all connections is used up."""
        if self._state in {ConnectionState.HEAD, ConnectionState.BODY}:
            self.answer_refusal(NO_MEMORY)
        else:
            self.break_off()

    # What an exchange calls.

    def answer_direct(self, request: DirectRequest, answer: bytes) -> None:
        """Write the answer to a direct request, then handle the next one."""
        if request is self._exchange and not request.disconnected:
            self.flow.write(answer)
            self.answered(request)

    def answered(self, exchange: DirectRequest | AsgiExchange) -> None:
        """The whole answer is written: continue once it is accepted."""
        self._exchange = None
        self._is_last = self._is_last or not exchange.keep_alive
        if self.flow.is_paused:
            self._state = ConnectionState.TAKING  # with the deadline that pause_writing has set
        else:
            self._continue()

    def answer_refusal(self, refusal: Refusal) -> None:
        """Answer in place of the application, and close when the client has had time to read it."""
        self._exchange = None
        if not self.flow.is_open:
            return
        if refusal not in _HANG_UPS:
            self._context.on_refusal(refusal)
        self.flow.write(refusal.encode())
        self._end_reading()

    def break_off(self) -> None:
        """Close at once, whatever was not taken."""
        self._state = ConnectionState.CLOSED
        # Now, and not when the loop has closed it: it may read from a thousand others before.
        self._reader.drop()
        self.flow.abort()

    # Reading.

    def _read(self) -> None:
        """Continue the current request, or start the next one in the queue."""
        try:
            request = self._reader.read()
        except Refused as refused:
            self.answer_refusal(refused.refusal)
            return
        if request is not None:
            self._begin_exchange(request)
            return
        state = self._reader.state
        if state is not self._state:
            self._is_used = True
            self._enter(
                state, self._limits.body_seconds if state is ConnectionState.BODY else self._limits.head_seconds
            )
            if self._reader.wants_continue:
                self.flow.write(_CONTINUE)

    def _read_next(self) -> None:
        """Read a request that came while another was answered."""
        if self._state is ConnectionState.ANSWERING and self._exchange is None:
            self._enter(ConnectionState.IDLE, self._limits.idle_seconds)
            self._read()
            self._await_more()
            self._account()

    def _await_more(self) -> None:
        if self._state is ConnectionState.IDLE and (self._is_last or self.flow.sees_end):
            self._close()
        elif self._state <= ConnectionState.BODY:
            self.flow.resume_reading()

    def _discard(self, size: int) -> None:
        """Throw away what came, up to a bound."""
        self._discarded += size
        if self._discarded > self._limits.max_discarded_bytes:
            self.break_off()

    def _cut(self) -> None:
        """The client is gone in the middle of a body: that is reported like every end of a request."""
        request = self._reader.cut()
        if request is not None:
            self._begin_exchange(request)

    # Answering.

    def _begin_exchange(self, request: Request) -> None:
        """Have a request answered, whose body is whole or will not be read any further."""
        if self._is_holding:
            self._hold(0)
        self._is_used = True
        self._unread = request.unread is not None
        self._is_last = self._is_last or self._unread or not request.head.keep_alive
        self._state = ConnectionState.ANSWERING
        if request.route is None:
            self._begin_asgi(request)
        else:
            self._begin_direct(request.route, request)
        if self._state is ConnectionState.ANSWERING and not self.flow.is_paused:
            self._enter(ConnectionState.ANSWERING, self._limits.answer_seconds)
            if self._reader.buffer:
                self.flow.pause_reading()

    def _begin_direct(self, route: DirectRoute, request: Request) -> None:
        body = request.body if request.unread is None else None
        head = request.head
        direct = DirectRequest(head.fields, body, self, request.arrived, not self._is_last, head.target)
        direct.disconnected = request.unread is CUT_OFF
        self._exchange = direct
        route.serve(direct)
        if direct.disconnected:
            self.answer_refusal(CUT_OFF)

    def _begin_asgi(self, request: Request) -> None:
        try:
            scope = make_scope(
                request.head, self._app_state, self.flow.address("peername"), self.flow.address("sockname")
            )
        except Refused as refused:
            self.answer_refusal(refused.refusal)
            return
        tasks, budget = self._server_state.tasks, self._context.budget
        size = len(request.body) + request.head.memory_bytes
        if len(tasks) >= self._limits.max_running_requests or not budget.pin(size):
            self.answer_refusal(TOO_BUSY)
            return

        def done(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            budget.unpin(size)

        self._exchange = exchange = AsgiExchange(self, request, keep_alive=not self._is_last)
        task = exchange.start(self._app, scope, self._loop)
        tasks.add(task)
        task.add_done_callback(done)

    def _expire(self) -> None:
        exchange = self._exchange
        why = STOPPING if self._stops_at < inf else NO_ANSWER_IN_TIME
        if exchange is not None and exchange.expire(why):
            self.answer_refusal(why)
        self._enter(self._state, self._limits.discard_seconds)

    def _continue(self) -> None:
        """The answer is taken: the next request, if there may be one."""
        if self._unread or self._is_last:
            self._close()
        elif self._reader.buffer:
            # In a turn of its own: a client with many requests in one packet leaves room for others.
            self._state = ConnectionState.ANSWERING
            self._loop.call_soon(self._read_next)
        else:
            self._enter(ConnectionState.IDLE, self._limits.idle_seconds)
            if self.flow.is_reading_paused or self.flow.sees_end:
                self._await_more()

    # Ending.

    def _close(self) -> None:
        """Close when all is sent; bytes that were not read would reset the connection, and the answer with it."""
        if self._unread or self._reader.waiting_bytes:
            self._end_reading()
        else:
            self._enter(ConnectionState.CLOSED, self._limits.take_seconds)
            self.flow.close()

    def _end_reading(self) -> None:
        """Read no more requests: what still comes is thrown away, for a while."""
        self._unread = True
        self._discard(self._reader.drop())
        self._hold(0)
        if self._state is not ConnectionState.CLOSED:
            self._enter(ConnectionState.DISCARDING, self._limits.discard_seconds)
            self.flow.resume_reading()
            self.flow.finish()

    def _slow(self) -> Refusal:
        seconds = self._limits.body_seconds if self._state is ConnectionState.BODY else self._limits.head_seconds
        return Refusal(408, "slow_request", f"No whole request came within {seconds:g} s.", "Send it at once.")

    def _enter(self, state: ConnectionState, seconds: float) -> None:
        self._state = state
        self._deadline = min(self._loop.time() + seconds, self._stops_at)

    # The bytes that it holds, of those that all connections may hold.

    def _account(self) -> None:
        if not self.flow.is_paused and self._state is not ConnectionState.CLOSED:
            self._hold(self._reader.memory_bytes)

    def _hold(self, size: int) -> None:
        if size:
            self._is_holding = True
            self._context.budget.hold(self, size)
        elif self._is_holding:
            self._is_holding = False
            self._context.budget.release(self)
