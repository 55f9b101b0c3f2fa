"""Requests by route template, also where the framework leaves no route behind."""

from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from edgeinfer.catalog import sidecar
from edgeinfer.metrics.instruments import counter, histogram
from edgeinfer.metrics.registry import new_registry
from edgeinfer.web.request_metrics import RequestMetrics

REQUESTS = sidecar.HTTP_REQUESTS.name
DURATION = sidecar.HTTP_DURATION.name


async def plain(_: Request) -> Response:
    return PlainTextResponse("plain")


async def raw(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def make_app() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("unexpected")

    router = APIRouter(prefix="/routed")

    @router.api_route("/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    async def routed(name: str) -> str:
        return name

    app.include_router(router)
    inner = FastAPI()
    inner.get("/deep/{name}")(routed)
    inner.router.routes.append(Route("/flat/{name}", plain))
    app.router.routes.append(Route("/plain/{name}", plain))
    app.mount("/mounted", inner)
    app.mount("/raw", raw)
    app.router.routes.append(Mount("/tenant/{tenant}", inner))
    return app


@pytest.fixture
def registry() -> CollectorRegistry:
    return new_registry()


@pytest.fixture
def client(registry: CollectorRegistry) -> Iterator[TestClient]:
    app = make_app()
    requests, duration = counter(sidecar.HTTP_REQUESTS, registry), histogram(sidecar.HTTP_DURATION, registry)
    watched = RequestMetrics(app, requests, duration, routes=lambda: app.routes)
    with TestClient(watched, raise_server_exceptions=False) as client:
        yield client


def series(registry: CollectorRegistry) -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["method"], sample.labels["endpoint"], sample.labels["status_code"]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == REQUESTS
    }


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status"),
    [
        ("GET", "/items/1", "/items/{item}", 200),
        ("GET", "/items/one", "/items/{item}", 422),
        ("POST", "/items/1", "/items/{item}", 405),
        ("GET", "/routed/a", "/routed/{name}", 200),
        ("HEAD", "/routed/a", "/routed/{name}", 200),
        ("GET", "/plain/a", "/plain/{name}", 200),
        ("GET", "/mounted/deep/a", "/mounted/deep/{name}", 200),
        ("GET", "/mounted/flat/a", "/mounted/flat/{name}", 200),
        ("GET", "/mounted/none", "unmatched", 404),
        ("GET", "/raw/any/thing", "/raw", 204),
        ("GET", "/tenant/a-customers-name/deep/a", "unmatched", 200),
        ("GET", "/nothing/here", "unmatched", 404),
        ("GET", "/docs", "/docs", 200),
        ("GET", "/openapi.json", "/openapi.json", 200),
        ("GET", "/broken", "/broken", 500),
    ],
)
def test_requests_are_counted_by_template(
    registry: CollectorRegistry, client: TestClient, method: str, path: str, endpoint: str, status: int
) -> None:
    assert client.request(method, path).status_code == status
    assert series(registry) == {(method, endpoint, str(status)): 1.0}
    count = registry.get_sample_value(f"{DURATION}_count", {"method": method, "endpoint": endpoint})
    assert count == 1.0


def test_a_method_outside_the_list_is_one_value(registry: CollectorRegistry, client: TestClient) -> None:
    for method in ("DELETE", "PATCH", "BREW"):
        client.request(method, "/items/1")
    assert series(registry) == {("OTHER", "/items/{item}", "405"): 3.0}


def test_any_number_of_unknown_paths_is_one_series(registry: CollectorRegistry, client: TestClient) -> None:
    for number in range(50):
        client.get(f"/unknown/{number}")
    assert series(registry) == {("GET", "unmatched", "404"): 50.0}


async def test_a_caller_that_hung_up_is_no_failure_of_the_service(registry: CollectorRegistry) -> None:
    async def gives_up(scope: Scope, receive: Receive, send: Send) -> None:
        """Returns without an answer, as an application does after http.disconnect."""

    async def nothing() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def never(_: object) -> None:
        raise AssertionError

    watched = RequestMetrics(
        gives_up, counter(sidecar.HTTP_REQUESTS, registry), histogram(sidecar.HTTP_DURATION, registry)
    )
    await watched({"type": "http", "method": "POST"}, nothing, never)
    assert series(registry) == {("POST", "unmatched", "499"): 1.0}
