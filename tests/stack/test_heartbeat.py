"""Whether alerts can fire, asked of servers that answer as Prometheus and Alertmanager do."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from edgeinfer.heartbeat import why_no_alert_can_fire

NOW = 1_795_953_600.0


class Servers:
    """Both servers, at one address."""

    def __init__(self) -> None:
        self.evaluated: float | None = NOW - 4
        self.fires_since = NOW - 3600
        self.stored_until = NOW - 2
        self.heard_of = ["Watchdog"]
        self.status = 200
        self.url = ""

    async def query(self, request: web.Request) -> web.Response:
        assert "Watchdog" in request.query["query"]
        value = self.fires_since if "FOR_STATE" in request.query["query"] else self.evaluated
        result = [] if value is None else [{"metric": {}, "value": [NOW, str(value)]}]
        document = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return web.json_response(document, status=self.status)

    async def tsdb(self, _: web.Request) -> web.Response:
        document = {"status": "success", "data": {"headStats": {"maxTime": int(self.stored_until * 1000)}}}
        return web.json_response(document)

    async def alerts(self, request: web.Request) -> web.Response:
        assert request.query["filter"] == 'alertname="Watchdog"'
        return web.json_response([{"labels": {"alertname": name}} for name in self.heard_of])


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    fake = Servers()
    app = web.Application()
    app.router.add_get("/api/v1/query", fake.query)
    app.router.add_get("/api/v1/status/tsdb", fake.tsdb)
    app.router.add_get("/api/v2/alerts", fake.alerts)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


async def reason(servers: Servers, alertmanager: str | None = None) -> str:
    async with aiohttp.ClientSession() as http:
        url = servers.url if alertmanager is None else alertmanager
        return await why_no_alert_can_fire(http, servers.url, url, lambda: NOW)


async def test_where_the_alert_that_always_fires_is_fresh_and_known_there_is_no_reason(servers: Servers) -> None:
    assert await reason(servers) == ""
    servers.heard_of = []
    assert await reason(servers, alertmanager="") == "", "where there is no Alertmanager, none is missed"


async def test_rules_that_are_not_evaluated_are_said(servers: Servers) -> None:
    servers.evaluated = None
    assert await reason(servers) == "Prometheus evaluates no rules"
    servers.evaluated = NOW - 200
    assert await reason(servers) == "Prometheus evaluated its rules last 200 s ago"


async def test_a_block_that_ends_in_the_future_is_said_with_the_true_words(servers: Servers) -> None:
    servers.evaluated, servers.stored_until = None, NOW + 10 * 86_400
    assert await reason(servers) == (
        "Prometheus stores no new measurement: the newest measurement in Prometheus is of 2026-12-09 12:00 UTC, "
        "10.0 days ahead of this machine's clock (2026-11-29 12:00 UTC): this clock is wrong now, or was wrong then"
    )


async def test_measurements_ahead_that_the_window_covers_leave_alerting_alone(servers: Servers) -> None:
    servers.stored_until = NOW + 10 * 86_400
    assert await reason(servers) == ""


async def test_an_alertmanager_that_does_not_know_it_or_does_not_answer_is_said(servers: Servers) -> None:
    servers.heard_of = []
    assert await reason(servers) == "Alertmanager has not heard of the alert that always fires"
    assert await reason(servers, alertmanager="http://127.0.0.1:9") == "Alertmanager does not answer"


@pytest.mark.parametrize("status", [500, 503])
async def test_a_prometheus_that_does_not_answer_is_said(status: int, servers: Servers) -> None:
    servers.status = status
    assert await reason(servers) == "Prometheus does not answer"


async def test_a_prometheus_that_has_just_begun_gets_the_minute_after_which_it_sends_an_alert_again(
    servers: Servers,
) -> None:
    servers.heard_of = []
    servers.fires_since = NOW - 60
    assert await reason(servers) == ""
    servers.fires_since = NOW - 90
    assert await reason(servers) == "Alertmanager has not heard of the alert that always fires"


async def test_an_alert_that_fires_since_a_moment_ahead_of_the_clock_has_not_just_begun(servers: Servers) -> None:
    servers.heard_of = []
    servers.fires_since = NOW + 600
    assert await reason(servers) == "Alertmanager has not heard of the alert that always fires"
