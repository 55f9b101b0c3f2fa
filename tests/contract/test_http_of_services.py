"""Every service speaks the same HTTP: what framework and server set by default is compared, and what they answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from edgeinfer.console.app import build_app as build_console
from edgeinfer.exporter.app import build_app as build_exporter
from edgeinfer.gateway.app import build_app as build_gateway
from edgeinfer.metrics.registry import new_registry
from edgeinfer.monitoring.files import dashboards_folder
from edgeinfer.sidecar.app import build_sidecar
from edgeinfer.web.api_page import render
from edgeinfer.web.connection_state import ServerContext
from edgeinfer.web.server import configuration
from tests.gateway.rigs import make_rig
from tests.sidecar.rig import ToyBackend, shipped_card
from tests.web.server_rig import PROBLEM

# What a service says of itself; of all else that the framework sets, another value in one service is a surprise there.
OWN = {"title", "description", "version", "summary"}


def gateway() -> ASGIApp:
    return build_gateway(make_rig().parts())


def sidecar() -> ASGIApp:
    return build_sidecar(backend=ToyBackend(), card=shipped_card(), registry=new_registry(), version="1").app


def exporter() -> ASGIApp:
    return build_exporter([], new_registry())


def console() -> ASGIApp:
    return build_console(
        dashboards=dashboards_folder(), prometheus_url="http://127.0.0.1:9", alertmanager_url="http://127.0.0.1:9"
    )


SERVICES: dict[str, Callable[[], ASGIApp]] = {
    "gateway": gateway,
    "sidecar": sidecar,
    "exporter": exporter,
    "console": console,
}


def framework_of(app: ASGIApp) -> FastAPI:
    """The FastAPI application inside whatever stands around it."""
    inside: Any = app
    while not isinstance(inside, FastAPI):
        inside = next(value for name in ("_app", "_rest") if (value := getattr(inside, name, None)) is not None)
    return inside


def settings_of(framework: FastAPI) -> dict[str, Any]:
    """Every plain value of an application and of its router, and which failures it answers."""
    parts = {"": framework, "router.": framework.router}
    plain = {
        f"{part}{name}": value
        for part, thing in parts.items()
        for name, value in vars(thing).items()
        if isinstance(value, bool | int | float | str | type(None)) and name not in OWN and not name.startswith("_")
    }
    return plain | {"failures": sorted(str(kind) for kind in framework.exception_handlers)}


@pytest.fixture(params=SERVICES)
def app(request: pytest.FixtureRequest) -> ASGIApp:
    return SERVICES[request.param]()


@asynccontextmanager
async def asking(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        yield client


def test_the_framework_is_set_alike_in_every_service() -> None:
    found = [settings_of(framework_of(make())) for make in SERVICES.values()]
    assert {"docs_url", "redoc_url", "openapi_url", "debug", "router.redirect_slashes"} <= set(found[0])
    assert not found[0]["router.redirect_slashes"]
    assert [settings for settings in found if settings != found[0]] == []


def test_the_server_is_set_alike_because_there_is_one_place_that_sets_it() -> None:
    config = configuration(exporter(), ServerContext(), 10)
    reported = {name: getattr(config, name) for name in ("server_header", "date_header", "proxy_headers", "access_log")}
    assert not any(reported.values()), reported
    assert (config.ws, config.lifespan, config.root_path, config.headers) == ("none", "on", "", [])
    makers = [path for path in Path("src").rglob("*.py") if "uvicorn.Config(" in path.read_text("utf-8")]
    assert [path.as_posix() for path in makers] == ["src/edgeinfer/web/server.py"]


async def test_a_slash_too_many_is_not_found_and_not_sent_elsewhere(app: ASGIApp) -> None:
    async with asking(app) as client:
        for method, path in (("GET", "/healthz/"), ("GET", "/docs/"), ("HEAD", "/healthz/"), ("POST", "/infer/")):
            answer = await client.request(method, path, headers={"X-Forwarded-Proto": "https"})
            assert answer.status_code in {404, 200}, path  # the console shows its page for what it does not know
            assert "location" not in answer.headers


async def test_head_answers_what_get_answers_without_a_body(app: ASGIApp) -> None:
    async with asking(app) as client:
        for path in ("/healthz", "/docs", "/redoc", "/openapi.json", "/"):
            get, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.headers.get("content-type")) == (
                get.status_code,
                get.headers.get("content-type"),
            ), path
            assert head.content == b""


async def test_a_wrong_method_is_answered_with_every_right_one(app: ASGIApp) -> None:
    async with asking(app) as client:
        for method in ("DELETE", "TRACE", "PROPFIND", "PATCH"):
            answer = await client.request(method, "/healthz")
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
            assert answer.json().keys() == PROBLEM
        options = await client.options("/healthz")
        assert (options.status_code, options.headers["allow"], options.content) == (204, "GET, HEAD", b"")


async def test_the_pages_of_the_api_need_no_other_host_and_no_prefix(app: ASGIApp) -> None:
    async with asking(app) as client:
        document = (await client.get("/openapi.json")).json()
        for path in ("/docs", "/redoc"):
            page = (await client.get(path)).text
            assert "://" not in page.replace('lang="en"', "")
            assert '="/' not in page.replace('data-path="/', "")
            assert all(f"<code>{route}</code>" in page for route in document["paths"]), path
        for asset, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
            answer = await client.get(f"/docs/{asset}")
            assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
        assert (await client.get("/docs/other.js")).status_code == 404


@pytest.mark.parametrize(
    ("prefix", "servers"),
    [
        ("/npu0", [{"url": "/npu0"}]),
        ("/a/b/", [{"url": "/a/b"}]),
        ("", None),
        ("https://evil.example", None),
        ("//x", None),
    ],
)
async def test_the_document_names_the_prefix_that_a_proxy_took_away(
    app: ASGIApp, prefix: str, servers: list[dict[str, str]] | None
) -> None:
    async with asking(app) as client:
        document = (await client.get("/openapi.json", headers={"X-Forwarded-Prefix": prefix})).json()
        assert document.get("servers") == servers
        assert "servers" not in (await client.get("/openapi.json")).json()


@pytest.mark.parametrize("name", ["gateway", "sidecar", "exporter"])
async def test_the_front_page_says_what_answers_and_where_to_go_next(name: str) -> None:
    async with asking(SERVICES[name]()) as client:
        answer = await client.get("/")
        document = answer.json()
        assert set(document) == {"ok", "service", "version", "links"}
        for path in document["links"]:
            assert (await client.get(path)).status_code in {200, 503}, path
        page = await client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
        assert page.headers["content-type"].startswith("text/html")
        assert [path for path in document["links"] if f'href="{path[1:]}"' not in page.text] == []
        assert (await client.get("/", headers={"Accept": "application/json"})).json() == document


@pytest.mark.parametrize("name", ["gateway", "sidecar", "exporter"])
async def test_metrics_honour_what_a_scraper_refuses(name: str) -> None:
    async with asking(SERVICES[name]()) as client:
        plain = await client.get("/metrics", headers={"Accept-Encoding": "gzip;q=0"})
        assert "content-encoding" not in plain.headers
        packed = await client.get("/metrics", headers={"Accept-Encoding": "br, GZIP;q=0.1"})
        assert packed.headers["content-encoding"] == "gzip"
        old = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;q=0, text/plain"})
        assert old.headers["content-type"].startswith("text/plain")
        new = await client.get("/metrics", headers={"Accept": "Application/OpenMetrics-Text; version=1.0.0"})
        assert new.headers["content-type"].startswith("application/openmetrics-text")
        assert (await client.head("/metrics")).status_code == 200


def test_no_page_is_larger_than_a_slow_link_forgives() -> None:
    for name, make in SERVICES.items():
        assert len(render(framework_of(make()).openapi())) < 100_000, name
