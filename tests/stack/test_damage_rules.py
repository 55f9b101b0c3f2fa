"""The series of what lies aside: what was counted, in a rule that Prometheus reads."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.stack.damage import Damage, set_aside
from edgeinfer.stack.damage_rules import PARTS, SERIES, DamagePublisher, rule_file, write_rules
from edgeinfer.stack.folder import DataFolder, prepare


def counted(folder: DataFolder) -> dict[str, str]:
    [group] = json.loads(rule_file(folder).read_text())["groups"]
    assert {rule["record"] for rule in group["rules"]} == {SERIES}
    return {rule["labels"]["part"]: rule["expr"] for rule in group["rules"]}


def test_each_part_has_its_number_and_an_unchanged_one_is_not_written_again(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "data")
    assert write_rules(folder)
    assert counted(folder) == dict.fromkeys(PARTS, "vector(0)")
    assert not write_rules(folder)

    (folder.alertmanager / "nflog").write_bytes(b"x")
    set_aside(folder, [Damage("alertmanager", folder.alertmanager / "nflog", "is bad", "x")], lambda: 0.0)
    assert write_rules(folder)
    assert counted(folder)["alertmanager"] == "vector(1)"

    shutil.rmtree(folder.damaged)
    assert write_rules(folder)
    assert counted(folder)["alertmanager"] == "vector(0)"


class Prometheus:
    """Counts reloads, each with the rule file as it was then, and answers with `status`."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.status = 200
        self.loaded: list[dict[str, str]] = []

    async def reload(self, request: web.Request) -> web.Response:
        del request
        self.loaded.append(counted(self.folder))
        return web.Response(status=self.status)


@pytest.fixture
def prometheus(tmp_path: Path) -> Prometheus:
    return Prometheus(prepare(tmp_path / "data"))


@pytest.fixture
async def url(prometheus: Prometheus) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/-/reload", prometheus.reload)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_prometheus_reads_a_changed_rule_once(
    prometheus: Prometheus, url: str, http: aiohttp.ClientSession
) -> None:
    publisher = DamagePublisher(prometheus.folder, url)
    for _ in range(2):
        await publisher.publish(http, is_ready=True)
    assert prometheus.loaded == [dict.fromkeys(PARTS, "vector(0)")]


async def test_a_rule_that_changed_while_prometheus_started_is_read_when_it_is_ready(
    prometheus: Prometheus, url: str, http: aiohttp.ClientSession
) -> None:
    publisher = DamagePublisher(prometheus.folder, url)
    await publisher.publish(http, is_ready=False)
    assert prometheus.loaded == []
    await publisher.publish(http, is_ready=True)
    assert len(prometheus.loaded) == 1


async def test_a_reload_that_failed_is_asked_for_again(
    prometheus: Prometheus, url: str, http: aiohttp.ClientSession
) -> None:
    publisher = DamagePublisher(prometheus.folder, url)
    prometheus.status = 500
    await publisher.publish(http, is_ready=True)
    publisher.prometheus_url = "http://127.0.0.1:9"
    with pytest.raises(aiohttp.ClientError):
        await publisher.publish(http, is_ready=True)
    publisher.prometheus_url, prometheus.status = url, 200
    for _ in range(2):
        await publisher.publish(http, is_ready=True)
    assert len(prometheus.loaded) == 2


def test_it_is_the_series_that_the_alert_asks_for() -> None:
    assert prometheus_metrics.SET_ASIDE.name == SERIES
