"""Pages of other origins, let in by name: a browser asks before their scripts may read an answer (CORS)."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import Counter
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeinfer.web.problems import Problem

ANY_ORIGIN = "*"
_METHODS = "GET, HEAD, POST, PUT"
_HEADERS = "Accept, Authorization, Content-Encoding, Content-Type, X-Request-Id"
_READABLE = "Retry-After, X-Request-Id"
# Two hours is the most that a browser keeps it.
_KEPT_SECONDS = "7200"


@dataclass(frozen=True, slots=True)
class _Preflight:
    """Takes the place of the framework's route in the scope, for the request metrics."""

    path: str = "preflight"


class CorsMiddleware:
    """Plain ASGI middleware around the API keys: a browser asks before it sends one, and carries none when it asks.

    Cookies mean nothing here, so none are allowed; a key travels in a header that the page's script sets.

    Args:
        app: the application inside.
        origins: that may read answers, such as "https://app.example.org"; "*" for every one.
        problems: counter with the label `error_type`.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str], problems: Counter) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers({})
        origin = headers.get("origin")
        if origin is None:
            await self._app(scope, receive, send)
            return
        is_allowed = ANY_ORIGIN in self._origins or origin in self._origins

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                if is_allowed:
                    answer["Access-Control-Allow-Origin"] = origin
                    answer["Access-Control-Expose-Headers"] = _READABLE
            await send(message)

        app = self._app
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            scope["route"] = _Preflight()
            app = self._preflight(headers) if is_allowed else self._refusal(origin)
        await app(scope, receive, with_headers)

    @staticmethod
    def _preflight(asked: Headers) -> Response:
        answer = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _KEPT_SECONDS,
        }
        if asked.get("access-control-request-private-network") == "true":
            answer["Access-Control-Allow-Private-Network"] = "true"
        return Response(status_code=204, headers=answer)

    def _refusal(self, origin: str) -> Problem:
        self._problems.labels("forbidden").inc()
        remedy = "Name the origin in EDGEINFER_GATEWAY_CORS_ORIGINS."
        return Problem(403, "forbidden", f"origin {origin[:200]!r}: its pages may not ask.", remedy)
