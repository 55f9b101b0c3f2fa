"""The client of Prometheus: bounded, and clear about why there is no answer."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from edgeinfer.console.prometheus import Prometheus
from edgeinfer.errors import MonitoringError
from tests.console.fake_prometheus import FakePrometheus, running, series


@pytest.fixture
async def fake() -> AsyncIterator[FakePrometheus]:
    async with running(FakePrometheus()) as found:
        yield found


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_range_query_carries_range_step_and_timeout(fake: FakePrometheus, http: aiohttp.ClientSession) -> None:
    fake.series["up"] = [series([(0, "1")], job="a")]
    found = await Prometheus(http, fake.url).query_range("up", 0, 10, 5)
    assert found[0]["metric"] == {"job": "a"}
    assert fake.asked[0][1] == {"query": "up", "start": "0.000", "end": "10.000", "step": "5", "timeout": "10s"}


async def test_a_refused_query_shows_prometheus_reason(fake: FakePrometheus, http: aiohttp.ClientSession) -> None:
    fake.errors["sum("] = "parse error: unclosed left parenthesis"
    with pytest.raises(MonitoringError, match="unclosed left parenthesis") as failure:
        await Prometheus(http, fake.url).query("sum(", 0)
    assert failure.value.kind == "refused"


async def test_a_slow_answer_is_a_timeout_and_not_an_empty_one(
    fake: FakePrometheus, http: aiohttp.ClientSession
) -> None:
    fake.delay_seconds = 5
    with pytest.raises(MonitoringError) as failure:
        await Prometheus(http, fake.url, timeout_seconds=-0.9).query("up", 0)
    assert failure.value.kind == "timeout"


async def test_nobody_there_is_unreachable(http: aiohttp.ClientSession, unused_tcp_port: int) -> None:
    with pytest.raises(MonitoringError) as failure:
        await Prometheus(http, f"http://127.0.0.1:{unused_tcp_port}").query("up", 0)
    assert failure.value.kind == "unreachable"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, b"Service Unavailable", "starting"),
        (200, b"<html>", "unreachable"),
        (200, b"[]", "unreachable"),
        (404, b'{"error": "not_found"}', "unreachable"),
        (400, b'{"status": "error", "error": "parse error"}', "refused"),
    ],
)
async def test_a_strange_answer_is_named(
    fake: FakePrometheus, http: aiohttp.ClientSession, status: int, body: bytes, kind: str
) -> None:
    fake.raw["up"] = (status, body)
    with pytest.raises(MonitoringError) as failure:
        await Prometheus(http, fake.url).query("up", 0)
    assert failure.value.kind == kind


async def test_a_huge_answer_is_not_read_to_its_end(fake: FakePrometheus, http: aiohttp.ClientSession) -> None:
    fake.raw["up"] = (200, b" " * 16_100_000)
    with pytest.raises(MonitoringError) as failure:
        await Prometheus(http, fake.url).query("up", 0)
    assert failure.value.kind == "too_large"


async def test_only_so_many_requests_are_under_way_at_once(fake: FakePrometheus, http: aiohttp.ClientSession) -> None:
    fake.delay_seconds = 0.01
    prometheus = Prometheus(http, fake.url, at_once=3)
    await asyncio.gather(*(prometheus.query(f"up{number}", 0) for number in range(12)))
    assert fake.max_under_way == 3
