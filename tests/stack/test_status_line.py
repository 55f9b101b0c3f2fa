"""The live line, from a server that answers as Prometheus does."""

import json
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp import web

from edgeinfer.stack.status_line import LiveFigures, in_words, read_figures

REQUESTS = "sum(rate(edgeinfer_analyses_total[30s]))"
SOURCES = "sum by (source) (rate(edgeinfer_analyses_total[30s]))"


class FakePrometheus:
    """Answers each query with the vector that was laid out for it, an empty one otherwise."""

    def __init__(self) -> None:
        self.vectors: dict[str, list[tuple[Mapping[str, str], str]]] = {}
        self.asked: list[str] = []
        self.body: bytes | None = None
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        query = request.query["query"]
        self.asked.append(query)
        result = [{"metric": metric, "value": [1.0, value]} for metric, value in self.vectors.get(query, [])]
        document = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return web.Response(body=self.body or json.dumps(document).encode())


@pytest.fixture
async def prometheus() -> AsyncIterator[FakePrometheus]:
    fake = FakePrometheus()
    app = web.Application()
    app.router.add_get("/api/v1/query", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_figures_are_those_of_prometheus(prometheus: FakePrometheus, http: aiohttp.ClientSession) -> None:
    await read_figures(http, prometheus.url)
    requests, p95, success, sources, alerts = prometheus.asked
    prometheus.vectors = {
        requests: [({}, "12.5")],
        p95: [({}, "0.0041")],
        success: [({}, "0.75")],
        sources: [({"source": "sidecar"}, "9"), ({"source": "fallback"}, "3"), ({"source": "none"}, "0")],
        alerts: [({}, "2")],
    }

    figures = await read_figures(http, prometheus.url)

    assert figures == LiveFigures(True, 12.5, 0.0041, 0.75, {"fallback": 0.25, "sidecar": 0.75}, 2)
    assert in_words(figures) == (
        "12.5 requests/s | p95 4.1 ms | success 75.0% | source fallback 25%, sidecar 75% | 2 alerts firing"
    )


async def test_before_two_scrapes_it_is_collecting(prometheus: FakePrometheus, http: aiohttp.ClientSession) -> None:
    figures = await read_figures(http, prometheus.url)

    assert figures.is_collecting
    assert in_words(figures).startswith("collecting")


async def test_a_rate_of_nothing_is_no_number_and_not_a_bad_one(
    prometheus: FakePrometheus, http: aiohttp.ClientSession
) -> None:
    await read_figures(http, prometheus.url)
    requests, p95, success, *_ = prometheus.asked
    prometheus.vectors = {requests: [({}, "0")], p95: [({}, "NaN")], success: [({}, "NaN")], SOURCES: []}

    words = in_words(await read_figures(http, prometheus.url))

    assert words == "0.0 requests/s | p95 - | success - | source none"


async def test_a_prometheus_that_is_away_makes_no_numbers(http: aiohttp.ClientSession) -> None:
    figures = await read_figures(http, "http://127.0.0.1:9")

    assert figures == LiveFigures()
    assert in_words(figures) == "Prometheus does not answer yet"


async def test_an_answer_of_another_kind_makes_no_numbers(
    prometheus: FakePrometheus, http: aiohttp.ClientSession
) -> None:
    prometheus.body = b"<html>"
    assert await read_figures(http, prometheus.url) == LiveFigures()
