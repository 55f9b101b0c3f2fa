"""The routes that phones call all the time, answered straight from the connection, past ASGI and the framework.

The application has the same routes with the same handlers, for its description and for what is not the common case:
a page of another origin, HTTP/1.0, an unusual query. What its middlewares do around a handler is done here in one
function: request id, trace, API key, errors, metrics.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import msgspec
from prometheus_client import Counter

from edgeinfer.errors import Overloaded
from edgeinfer.gateway.answers import Document
from edgeinfer.gateway.api_key_auth import check_key
from edgeinfer.gateway.keys import KeyRing
from edgeinfer.gateway.request_ids import request_trace
from edgeinfer.web.direct import DirectRequest, DirectRoute
from edgeinfer.web.problems import Problem, problem_of
from edgeinfer.web.request_id import new_request_id, request_id_of
from edgeinfer.web.trace_context import RequestTrace, current_trace
from edgeinfer.web.tracing import Answered, Tracing

_HEADERS = b"content-type: application/json\r\nx-request-id: %b\r\n"
# A browser that asks for a page of another origin: the application knows what it may read.
_ASKS_FOR_A_PAGE = frozenset((b"origin",))


class Call(msgspec.Struct, frozen=True):
    """What a handler is asked.

    Args:
        headers: by names in lower case.
        query: as it was sent, without the question mark.
        body: None where it is too large.
        request_id: of the request.
    """

    headers: Mapping[bytes, bytes]
    query: bytes
    body: bytes | None
    request_id: str


Later = Coroutine[Any, Any, Document]
"""An answer that must wait for something."""
Handler = Callable[[Call], Document | Later]
"""Answers a call at once, or later where it must wait for something; raises EdgeInferError."""


@dataclass(frozen=True, slots=True)
class HotRoute:
    """A route that is answered from the connection.

    Args:
        method: of HTTP.
        path: exactly; also its template in the metrics.
        handler: answers it.
        query: that the whole query must match; None where there must be none.
    """

    method: str
    path: str
    handler: Handler
    query: re.Pattern[bytes] | None = None


class HotRoutes:
    """Makes direct routes of hot ones.

    Args:
        record: counts an answer: method, endpoint, status, seconds.
        problems: counter with the label `error_type`.
        keys: the API keys; None where no key is required.
        tracing: records sampled requests; None where traces are off.
        max_body_bytes: longest body that is read.
        max_waiting: requests that wait for something before more are shed.
    """

    def __init__(  # noqa: PLR0913 - what the middlewares have, by name
        self,
        *,
        record: Callable[[str, str, int, float], None],
        problems: Counter,
        keys: KeyRing | None,
        tracing: Tracing | None,
        max_body_bytes: int,
        max_waiting: int,
    ) -> None:
        self._record = record
        self._problems = problems
        self._keys = keys
        self._tracing = tracing
        self._max_body_bytes = max_body_bytes
        self._max_waiting = max_waiting
        self._waiting: set[asyncio.Task[None] | None] = set()

    def direct(self, route: HotRoute) -> DirectRoute:
        """How the server reaches a route past ASGI."""
        return DirectRoute(
            route.path.encode(),
            self._max_body_bytes,
            partial(self._serve, route),
            route.method.encode(),
            route.query,
            _ASKS_FOR_A_PAGE,
        )

    def _serve(self, route: HotRoute, request: DirectRequest) -> None:
        headers = request.headers
        trace = None
        if self._tracing is not None or b"traceparent" in headers:
            trace = request_trace(self._tracing, headers, request.arrived)
        given = headers.get(b"x-request-id", b"")
        if not given and trace is not None:
            given = trace.trace_id.encode()
        answering = _Answering(route, request, request_id_of(given) if given else new_request_id(), trace)
        if request.disconnected:
            self._finish(answering, request.ended_with)
            return
        try:
            if self._keys is not None:
                check_key(self._keys, headers.get(b"authorization", b""))
            answer = self._ask(answering)
        except Exception as failure:  # noqa: BLE001 - every failure becomes an answer
            self._refuse(answering, failure)
            return
        if isinstance(answer, Document):
            self._answer(answering, answer)
        else:
            # What waits holds its samples as arrays; its body would hold them a second time.
            request.body = None
            self._wait(answering, answer)

    def _ask(self, answering: "_Answering") -> Document | Later:
        request = answering.request
        _, _, query = request.target.partition(b"?")
        call = Call(request.headers, query, request.body, answering.request_id.decode())
        if answering.trace is None:
            return answering.route.handler(call)
        token = current_trace.set(answering.trace)
        try:
            return answering.route.handler(call)
        finally:
            current_trace.reset(token)

    def _wait(self, answering: "_Answering", answer: Later) -> None:
        if len(self._waiting) >= self._max_waiting:
            answer.close()
            fault = f"{len(self._waiting)} requests are under way"
            self._refuse(answering, Overloaded("gateway", fault, "Send it again later."))
            return
        self._waiting.add(asyncio.get_running_loop().create_task(self._answer_later(answering, answer)))

    async def _answer_later(self, answering: "_Answering", answer: Later) -> None:
        if answering.trace is not None:
            current_trace.set(answering.trace)  # of this task only
        try:
            document = await answer
        except Exception as failure:  # noqa: BLE001 - every failure becomes an answer
            self._refuse(answering, failure)
        else:
            self._answer(answering, document)
        finally:
            self._waiting.discard(asyncio.current_task())

    def _answer(self, answering: "_Answering", document: Document) -> None:
        answering.request.respond(document.status, _HEADERS % answering.request_id, document.body)
        self._finish(answering, document.status)

    def _refuse(self, answering: "_Answering", failure: Exception) -> None:
        problem = problem_of(failure)
        self._problems.labels(problem.problem).inc()
        headers = _lines_of(problem) + b"x-request-id: %b\r\n" % answering.request_id
        answering.request.respond(problem.status_code, headers, bytes(problem.body))
        self._finish(answering, problem.status_code)

    def _finish(self, answering: "_Answering", status: int) -> None:
        """Count what became of a request, which is not what was answered where nobody waited any more."""
        route, request = answering.route, answering.request
        status = request.ended_with if request.disconnected else status
        ended = perf_counter()
        self._record(route.method, route.path, status, ended - request.arrived)
        if answering.trace is not None and self._tracing is not None:
            answered = Answered(route.method, route.path, status, answering.request_id.decode())
            self._tracing.finish(answering.trace, answered, ended)


class _Answering(msgspec.Struct, frozen=True):
    """A request that is being answered."""

    route: HotRoute
    request: DirectRequest
    request_id: bytes
    trace: RequestTrace | None


def _lines_of(problem: Problem) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in problem.raw_headers if pair[0] != b"content-length")
