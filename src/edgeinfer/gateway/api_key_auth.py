"""API key authentication: a request without a valid key, or above its rate, is rejected before its body is read."""

import asyncio
import logging
from collections.abc import Iterable

from prometheus_client import Counter
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from edgeinfer.errors import RateLimited, SettingsError, Unauthorized
from edgeinfer.gateway.keys import KeyRing
from edgeinfer.web.problems import Problem, problem_of

_log = logging.getLogger(__name__)
_GUARDED = "/api/"
_SCHEME = "bearer "
_LOOK_SECONDS = 2.0


class ApiKeyMiddleware:
    """Plain ASGI middleware: lets requests under /api/ pass that carry `Authorization: Bearer KEY`.

    Health, metrics and the API's description stay open: they contain no samples of users.

    Args:
        app: the application inside.
        keys: who may pass.
        problems: counter with the label `error_type`.
        routes: whose templates the metrics show for a request that is refused before the framework finds its route.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing, problems: Counter, routes: Iterable[BaseRoute] = ()) -> None:
        self._app = app
        self._keys = keys
        self._problems = problems
        self._routes = tuple(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" and scope["path"].startswith(_GUARDED) else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        try:
            check_key(self._keys, next((value for name, value in scope["headers"] if name == b"authorization"), b""))
        except (Unauthorized, RateLimited) as failure:
            problem = problem_of(failure)
            self._problems.labels(problem.problem).inc()
            scope["route"] = next((route for route in self._routes if route.matches(scope)[0] is Match.FULL), None)
            return problem
        return None


def check_key(keys: KeyRing, authorization: bytes) -> None:
    """Let a request pass.

    Args:
        keys: who may pass.
        authorization: the header; empty where there is none.

    Raises:
        Unauthorized, RateLimited: it may not.
    """
    given = authorization.decode("latin-1")
    if not given[: len(_SCHEME)].lower() == _SCHEME:
        raise Unauthorized("API key", "none was sent", "Send the header Authorization: Bearer KEY.")
    keys.admit(given[len(_SCHEME) :].strip())


async def watch_keys(keys: KeyRing) -> None:
    """Read the key file again whenever it changed, until cancelled: a key is revoked without a restart.

    An invalid file is logged, and the previous keys stay in effect.
    """
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if not await asyncio.to_thread(keys.has_changed):
            continue
        try:
            _log.info("API keys reloaded", extra={"keys": keys.load()})
        except SettingsError as failure:
            _log.error("API key file invalid; keeping previous keys", extra={"fault": str(failure)})
            await asyncio.sleep(_LOOK_SECONDS * 4)
