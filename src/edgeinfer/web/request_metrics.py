"""Requests counted and timed, by a plain ASGI middleware or by whoever answers past ASGI."""

from collections.abc import Callable, Iterable
from time import perf_counter

from prometheus_client import Counter, Histogram
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeinfer.catalog.labels import HTTP_METHODS
from edgeinfer.web.asgi_exchange import SENT_STATUS
from edgeinfer.web.error_answers import CLIENT_CLOSED_REQUEST
from edgeinfer.web.route_templates import RouteTemplates

_FAILED = 500


class AnswerRecorder:
    """Counts and times answers.

    Args:
        requests: counter with the labels method, endpoint, status_code.
        duration: histogram with the labels method, endpoint.
    """

    def __init__(self, requests: Counter, duration: Histogram) -> None:
        self._requests = requests
        self._duration = duration
        # Looking up children costs more than using them: each combination is bound once.
        self._counts: dict[tuple[str, str, int], Callable[[], None]] = {}
        self._timers: dict[tuple[str, str], Callable[[float], None]] = {}

    def __call__(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count one answer.

        Args:
            method: one of `HTTP_METHODS` or "OTHER".
            endpoint: a route template.
            status: of HTTP, or CLIENT_CLOSED_REQUEST.
            seconds: from the head of the request to the end of the answer.
        """
        count = self._counts.get((method, endpoint, status))
        if count is None:
            count = self._counts[method, endpoint, status] = self._requests.labels(method, endpoint, str(status)).inc
        observe = self._timers.get((method, endpoint))
        if observe is None:
            observe = self._timers[method, endpoint] = self._duration.labels(method, endpoint).observe
        count()
        observe(seconds)


class RequestMetrics:
    """Counts answers by method, route template and status, and times them.

    Label values never come from the caller: a path that no route matches is "unmatched", a method
    outside the catalog's list is "OTHER".

    Args:
        app: the application inside.
        requests: counter with the labels method, endpoint, status_code.
        duration: histogram with the labels method, endpoint.
        clock: monotonic seconds.
        routes: those of the outermost application; needed where it mounts others.
    """

    def __init__(
        self,
        app: ASGIApp,
        requests: Counter,
        duration: Histogram,
        clock: Callable[[], float] = perf_counter,
        routes: Callable[[], Iterable[BaseRoute]] | None = None,
    ) -> None:
        self._app = app
        self._record = AnswerRecorder(requests, duration)
        self._clock = clock
        self._templates = RouteTemplates(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, has_begun = CLIENT_CLOSED_REQUEST, False
        started = self._clock()

        async def watch(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                status, has_begun = message["status"], True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except BaseException:
            status = status if has_begun else _FAILED
            raise
        finally:
            status = scope.get(SENT_STATUS, status)
            method = scope["method"] if scope["method"] in HTTP_METHODS else "OTHER"
            self._record(method, self._templates.template_of(scope), status, self._clock() - started)
