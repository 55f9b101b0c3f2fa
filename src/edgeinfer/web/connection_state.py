"""The states of a connection, and what all connections of a server share."""

from collections.abc import Callable, Iterable
from enum import IntEnum, auto

from edgeinfer.web.buffer_budget import BufferBudget
from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.error_answers import Refusal
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.request_head import HeadCache, RequestHead


class ConnectionState(IntEnum):
    """What a connection is about, in the order of its life; integers, because their comparison costs nothing."""

    IDLE = auto()
    """The next request has not begun."""
    HEAD = auto()
    """A head is awaited to its end."""
    BODY = auto()
    """A body is awaited to its end."""
    ANSWERING = auto()
    """A request is answered; what comes in the meantime waits."""
    TAKING = auto()
    """The answer is written and the client has not taken all of it."""
    DISCARDING = auto()
    """The last answer is written; what still comes is thrown away, so that the client gets the answer."""
    CLOSED = auto()
    """Nothing is read or written any more, except what the kernel has not accepted yet."""


class ServerContext:
    """What the connections of a server share.

    Args:
        direct: routes that are answered without an ASGI request.
        limits: of every connection.
        stop_seconds: that requests under way get when the server stops.
        on_refusal: called with each answer that the server gives in place of the application.
    """

    def __init__(
        self,
        direct: Iterable[DirectRoute] = (),
        limits: ConnectionLimits | None = None,
        *,
        stop_seconds: float = 8.0,
        on_refusal: Callable[[Refusal], None] = lambda _: None,
    ) -> None:
        self._direct = {(route.method, route.path): route for route in direct}
        self.limits = limits or ConnectionLimits()
        self.heads = HeadCache(self.limits.max_headers, self.route_of)
        self.budget = BufferBudget(self.limits.max_buffered_bytes)
        self.stop_seconds = stop_seconds
        self.on_refusal = on_refusal

    def route_of(self, head: RequestHead) -> DirectRoute | None:
        """The direct route that answers a request, if one does."""
        path, has_query, query = head.target.partition(b"?")
        route = self._direct.get((head.method, path))
        if route is None or head.version != "1.1" or head.expects_continue:
            return None
        if has_query if route.query is None else not route.query.fullmatch(query):
            return None
        # A header that came twice has a meaning that only the application looks for.
        is_plain = len(head.fields) == len(head.headers) and route.unless.isdisjoint(head.fields)
        return route if is_plain else None
