"""The template of the route that served a request: a label value that never comes from the caller."""

from collections.abc import Callable, Iterable

from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Scope

UNMATCHED = "unmatched"


class RouteTemplates:
    """Finds templates, also for plain Starlette routes and mounted applications, which leave no route behind.

    Args:
        routes: those of the outermost application; asked once, when the first request needs them. Where it is
            not given they are taken from the scope, which suffices for an application without mounts.
    """

    def __init__(self, routes: Callable[[], Iterable[BaseRoute]] | None = None) -> None:
        self._routes = routes
        self._by_endpoint: dict[tuple[str, int], str] | None = None
        self._mounts: set[str] = set()

    def template_of(self, scope: Scope) -> str:
        route = scope.get("route")
        is_mounted = "app_root_path" in scope  # only a mount sets it
        if route is not None and not is_mounted:
            return getattr(route, "path", UNMATCHED)
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return UNMATCHED
        prefix = scope["root_path"][len(scope["app_root_path"]) :] if is_mounted else ""
        by_endpoint = self._known(scope)
        if route is not None and prefix in self._mounts:
            return prefix + getattr(route, "path", "")
        return by_endpoint.get((prefix, id(endpoint)), UNMATCHED)

    def _known(self, scope: Scope) -> dict[tuple[str, int], str]:
        if self._by_endpoint is None:
            routes = self._routes() if self._routes is not None else getattr(scope.get("app"), "routes", ())
            self._by_endpoint = {}
            self._add(routes, "")
        return self._by_endpoint

    def _add(self, routes: Iterable[BaseRoute], prefix: str) -> None:
        assert self._by_endpoint is not None  # noqa: S101 - made by the only caller
        for route in routes:
            if isinstance(route, Route):
                self._by_endpoint[prefix, id(route.endpoint)] = prefix + route.path
            elif isinstance(route, Mount) and "{" not in route.path:
                self._mounts.add(prefix + route.path)
                if route.routes:
                    self._add(route.routes, prefix + route.path)
                else:
                    self._by_endpoint[prefix + route.path, id(route.app)] = prefix + route.path
