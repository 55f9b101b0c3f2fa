from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from edgeinfer.loadgen.prometheus import Prometheus, PrometheusUnreachable, Snapshot, compare
from edgeinfer.loadgen.records import Records, RequestRecord
from edgeinfer.loadgen.schedule import Operation

MOTIFS = "/api/v1/analysis/motifs"
BEFORE = Snapshot(1.0, {MOTIFS: 10.0}, {MOTIFS: {0.01: 10.0, 0.1: 10.0, float("inf"): 10.0}}, {"sidecar": 10.0})
AFTER = Snapshot(1.0, {MOTIFS: 110.0}, {MOTIFS: {0.01: 60.0, 0.1: 110.0, float("inf"): 110.0}}, {"sidecar": 110.0})


def some_records(count: int, seconds: float = 0.05, status: int = 200, failure: str = "") -> Records:
    return Records(RequestRecord(Operation.MOTIFS, 0, 0, seconds, 0, status, failure, "sidecar") for _ in range(count))


def test_equal_counts_and_a_p95_in_the_bucket_agree() -> None:
    comparison = compare(some_records(100), BEFORE, AFTER)
    assert comparison["agrees"]
    [row] = comparison["rows"]
    assert (row["requests_client"], row["requests_prometheus"]) == (100, 100)
    assert row["p95_prometheus_ms"] == [10.0, 100.0]
    assert comparison["analyses_by_source"] == {"sidecar": 100.0}


def test_one_request_more_or_less_disagrees() -> None:
    assert not compare(some_records(99), BEFORE, AFTER)["agrees"]
    assert not compare(some_records(101), BEFORE, AFTER)["agrees"]


def test_a_p95_below_its_bucket_disagrees() -> None:
    assert not compare(some_records(100, 0.005), BEFORE, AFTER)["agrees"]


def test_a_client_that_is_slower_than_the_gateway_agrees_and_is_reported() -> None:
    comparison = compare(some_records(100, 3.0), BEFORE, AFTER)
    assert comparison["agrees"]
    assert comparison["rows"][0]["p95_outside_gateway"] is False  # the next bucket has no end
    bounded = {bound: count for bound, count in AFTER.buckets[MOTIFS].items() if bound < 1} | {0.2: 110.0, 1.0: 110.0}
    comparison = compare(some_records(100, 3.0), BEFORE, replace(AFTER, buckets={MOTIFS: bounded}))
    assert comparison["agrees"]
    assert comparison["rows"][0]["p95_outside_gateway"] is True


def test_on_a_gateway_that_others_use_only_too_few_requests_disagree() -> None:
    assert compare(some_records(99, 0.005), BEFORE, AFTER, is_shared=True)["agrees"]
    assert not compare(some_records(101), BEFORE, AFTER, is_shared=True)["agrees"]


def test_requests_without_an_answer_leave_room_for_as_many_more() -> None:
    records = Records(some_records(98) + some_records(2, status=0, failure="timeout"))
    assert compare(records, BEFORE, AFTER)["agrees"]
    never_sent = Records(some_records(98) + some_records(2, status=0, failure="not_sent"))
    assert not compare(never_sent, BEFORE, AFTER)["agrees"]


def test_a_gateway_that_was_restarted_cannot_be_compared() -> None:
    assert not compare(some_records(100), BEFORE, replace(AFTER, started=2.0))["comparable"]


@dataclass
class FakePrometheus:
    """Scrapes once for every few questions."""

    clock: float = 100.0
    scraped: float = 99.0
    asked: int = 0

    async def query(self, request: web.Request) -> web.Response:
        expression = request.query["query"]
        self.asked += 1
        if self.asked == 3:
            self.scraped = 100.5
        if expression == "time()":
            return reply({"resultType": "scalar", "result": [self.clock, str(self.clock)]})
        if expression.startswith("max(timestamp"):
            return reply(vector({}, self.scraped))
        if expression.startswith("max("):
            return reply(vector({}, 1.0))
        if "_bucket" in expression:
            return reply(vector({"endpoint": MOTIFS, "le": "+Inf"}, 7.0))
        return reply(vector({"endpoint": MOTIFS, "source": "sidecar"}, 7.0))


def vector(labels: dict[str, str], value: float) -> dict[str, Any]:
    return {"resultType": "vector", "result": [{"metric": labels, "value": [0, str(value)]}]}


def reply(data: dict[str, Any]) -> web.Response:
    return web.json_response({"status": "success", "data": data})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/api/v1/query", FakePrometheus().query)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_snapshot_is_of_a_scrape_after_it_was_asked_for(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        snapshot = await Prometheus(http, url).snapshot()
    assert snapshot == Snapshot(1.0, {MOTIFS: 7.0}, {MOTIFS: {float("inf"): 7.0}}, {"sidecar": 7.0})


async def test_a_prometheus_that_is_away_is_named() -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(PrometheusUnreachable, match=r"127\.0\.0\.1:9"):
            await Prometheus(http, "http://127.0.0.1:9").query("up")
