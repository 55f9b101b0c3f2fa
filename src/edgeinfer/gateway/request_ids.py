"""Every request has an id, the caller's or a new one, and every answer says which."""

from collections.abc import Mapping
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeinfer.catalog.labels import HTTP_METHODS
from edgeinfer.web.error_answers import CLIENT_CLOSED_REQUEST
from edgeinfer.web.request_id import request_id_of
from edgeinfer.web.route_templates import RouteTemplates
from edgeinfer.web.trace_context import RequestTrace, current_trace, parse
from edgeinfer.web.tracing import Answered, Tracing

_HEADER = b"x-request-id"
_KEY = "edgeinfer.request_id"


class RequestIds:
    """Plain ASGI middleware; it puts the id into the scope for `id_of`, and the trace into `current_trace`.

    Without an id of the caller's, that of its trace is the request's.

    Args:
        app: the application inside.
        tracing: records sampled requests; None where traces are off.
    """

    def __init__(self, app: ASGIApp, tracing: Tracing | None = None) -> None:
        self._app = app
        self._tracing = tracing
        self._templates = RouteTemplates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = parent = state = b""
        for name, value in scope["headers"]:
            if name == _HEADER:
                given = value
            elif name == b"traceparent":
                parent = value
            elif name == b"tracestate":
                state = value
        if parent or self._tracing is not None:
            headers = {b"traceparent": parent, b"tracestate": state}
            trace = request_trace(self._tracing, headers, perf_counter())
            await self._serve_traced(scope, receive, send, given, trace)
        else:
            await self._serve(scope, receive, send, request_id_of(given))

    async def _serve_traced(
        self, scope: Scope, receive: Receive, send: Send, given: bytes, trace: RequestTrace | None
    ) -> None:
        request_id = request_id_of(given or (trace.trace_id.encode() if trace is not None else b""))
        status = CLIENT_CLOSED_REQUEST

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        token = current_trace.set(trace)
        try:
            await self._serve(scope, receive, watch, request_id)
        finally:
            current_trace.reset(token)
            if trace is not None and self._tracing is not None:
                method = scope["method"] if scope["method"] in HTTP_METHODS else "OTHER"
                route = self._templates.template_of(scope)
                self._tracing.finish(trace, Answered(method, route, status, request_id.decode()), perf_counter())

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        scope[_KEY] = request_id.decode()

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_HEADER, request_id)]
            await send(message)

        await self._app(scope, receive, mark)


def request_trace(tracing: Tracing | None, headers: Mapping[bytes, bytes], started: float) -> RequestTrace | None:
    """The trace of a request; None where it has none and none is recorded.

    Args:
        tracing: records sampled requests; None where traces are off.
        headers: by names in lower case.
        started: when the request arrived, in seconds of `perf_counter`.
    """
    parent = headers.get(b"traceparent", b"")
    if tracing is not None:
        return tracing.begin(parent, headers.get(b"tracestate", b""), started)
    context = parse(parent, headers.get(b"tracestate", b"")) if parent else None
    return RequestTrace(context) if context is not None else None


def id_of(scope: Scope) -> str:
    """The id of a request that came through `RequestIds`."""
    found: str = scope[_KEY]
    return found
