"""Error to status: the one JSON shape of every error, and the table that a new failure joins."""

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from edgeinfer import errors

_log = logging.getLogger(__name__)
_NOT_FOUND, _NOT_ALLOWED = 404, 405

# The first class in a failure's ancestry that stands here decides.
STATUS_AND_PROBLEM: dict[type[Exception], tuple[int, str]] = {
    errors.InvalidBody: (400, "invalid_body"),
    errors.InvalidWindow: (422, "invalid_window"),
    errors.InvalidSamples: (422, "invalid_samples"),
    errors.BodyTooLarge: (413, "body_too_large"),
    errors.UnsupportedContentType: (415, "unsupported_content_type"),
    errors.UnknownSession: (404, "unknown_session"),
    errors.StoppedSession: (410, "stopped_session"),
    errors.NotEnoughSamples: (409, "not_enough_samples"),
    errors.UnusableWindow: (409, "unusable_window"),
    errors.UnknownDashboard: (404, "not_found"),
    errors.UnknownIncident: (404, "not_found"),
    errors.UnknownModel: (404, "not_found"),
    errors.Unauthorized: (401, "unauthorized"),
    errors.Overloaded: (503, "overloaded"),
    errors.RateLimited: (429, "rate_limited"),
    errors.NotReady: (503, "not_ready"),
    errors.BackendError: (500, "backend_error"),
    errors.SidecarError: (502, "backend_error"),
    errors.MonitoringError: (502, "backend_error"),
    errors.StorageError: (507, "storage_error"),
}
# Client errors that time can cure, as every server error may be.
_MAY_PASS = frozenset({"rate_limited", "not_enough_samples", "unusable_window"})
# What a caller may do about a failure, as HTTP says it.
_HEADERS: dict[type[Exception], dict[str, str]] = {
    errors.UnsupportedContentEncoding: {"Accept-Encoding": "gzip, deflate"},
    errors.Unauthorized: {"WWW-Authenticate": "Bearer"},
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_REMEDY_BY_STATUS = {
    404: ("not_found", "See GET /docs for the routes of this service."),
    405: ("method_not_allowed", "See GET /docs for the methods of this route."),
}


class Problem(Response):
    """An error as JSON: `{error, status, message, remedy, retry}`, and fields of its own.

    `retry` says whether the same request may succeed later; where it is false, it never will.
    """

    media_type = "application/json"

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one answer
        self,
        status: int,
        problem: str,
        message: str,
        remedy: str,
        retry_after_seconds: int = 0,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        self.message, self.remedy = _utf8(message), remedy
        body = {
            **(fields or {}),
            "error": problem,
            "status": status,
            "message": self.message,
            "remedy": remedy,
            "retry": status >= HTTPStatus.INTERNAL_SERVER_ERROR or problem in _MAY_PASS,
        }
        headers = {"Retry-After": str(retry_after_seconds)} if retry_after_seconds else None
        super().__init__(orjson.dumps(body), status, headers)
        self.problem = problem


class NoAnswer(Response):
    """Nothing: the caller has hung up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing, which the request metrics count as 499."""


def _utf8(text: str) -> str:
    """Half a surrogate pair, from a client's JSON, is not valid in JSON."""
    return text.encode("utf-8", "replace").decode()


def problem_of(failure: Exception) -> Problem:
    """The answer to a failure; one that is not in the table is logged, and answered without details."""
    for ancestor in type(failure).__mro__:
        if ancestor in STATUS_AND_PROBLEM and isinstance(failure, errors.EdgeInferError):
            status, problem = STATUS_AND_PROBLEM[ancestor]
            retry_after = getattr(failure, "retry_after_seconds", 1 if isinstance(failure, errors.NotReady) else 0)
            message = f"{failure.thing}: {failure.fault}."
            answer = Problem(status, problem, message, failure.remedy, retry_after, failure.fields)
            answer.headers.update(_HEADERS.get(type(failure), {}))
            return answer
    _log.error("unexpected error in a request", exc_info=failure)
    return Problem(500, "internal_error", "The service failed to answer.", "Look for the traceback in its log.")


def install_problems(app: FastAPI, counter: Counter | None = None) -> None:
    """Answer every failure of an application in the one shape, and count it.

    Args:
        app: the application.
        counter: a counter with the label `problem`; none where the process exports no metrics.
    """

    def answer(problem: Problem) -> Response:
        if counter is not None:
            counter.labels(problem.problem).inc()
        return problem

    async def on_failure(_: Request, failure: Exception) -> Response:
        return answer(problem_of(failure))

    async def on_validation(_: Request, failure: Exception) -> Response:
        first = failure.errors()[0] if isinstance(failure, RequestValidationError) else {"loc": (), "msg": ""}
        where = ".".join(str(part) for part in first["loc"]) or "body"
        remedy = "Send what GET /docs describes."
        return answer(Problem(422, "invalid_body", f"{where}: {first['msg']}.", remedy))

    async def on_http(request: Request, failure: Exception) -> Response:
        status = failure.status_code if isinstance(failure, HTTPException) else 500
        allow = {"Allow": ", ".join(allowed_methods(app.routes, request.scope))} if status == _NOT_ALLOWED else {}
        if allow and request.method == "OPTIONS":
            return Response(status_code=204, headers=allow)
        problem, remedy = _REMEDY_BY_STATUS.get(status, ("invalid_body", "See GET /docs."))
        if status == _NOT_FOUND and request.scope["path"].endswith("/"):
            remedy = "Send the path without the slash at its end."
        response = answer(Problem(status, problem, f"{HTTPStatus(status).phrase}.", remedy))
        response.headers.update({**(getattr(failure, "headers", None) or {}), **allow})
        return response

    async def on_disconnect(_: Request, __: Exception) -> Response:
        return NoAnswer()

    app.add_exception_handler(errors.EdgeInferError, on_failure)
    app.add_exception_handler(ClientDisconnect, on_disconnect)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_failure)


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """Every method that some route answers at the path of a request.

    The framework names those of the first route that has the path. OPTIONS, which every path answers, is left out.
    """
    known = list(routes)
    found = [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in known)
    ]
    return ["GET", "HEAD", *found[1:]] if "GET" in found else found
