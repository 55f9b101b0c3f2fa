"""The two hot routes past the framework's routing and injection, with the same handlers, answers and metrics."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from prometheus_client import Counter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from edgeinfer.errors import EdgeInferError
from edgeinfer.web.problems import NoAnswer, problem_of

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class HotRoute:
    """A handler that a request reaches by its exact method and path.

    Args:
        path: also its template in the metrics.
    """

    path: str
    handler: Handler


class Shortcut:
    """Plain ASGI middleware, innermost: sends hot requests to their handler, all others on.

    The routes are in the application as well, for its description and for other methods.

    Args:
        app: the application inside.
        routes: by method and path.
        problems: counter with the label `problem`.
    """

    def __init__(self, app: ASGIApp, routes: Mapping[tuple[str, str], HotRoute], problems: Counter) -> None:
        self._app = app
        self._routes = routes
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        response = await self._answer(route, Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, route: HotRoute, request: Request) -> Response:
        try:
            return await route.handler(request)
        except ClientDisconnect:
            return NoAnswer()
        except EdgeInferError as failure:
            problem = problem_of(failure)
            self._problems.labels(problem.problem).inc()
            return problem
