"""A configuration of the monitoring is broken in exactly the requested way, and put back."""

from pathlib import Path

import pytest
import yaml

from chaos.actions.action import Edit
from chaos.actions.monitoring import (
    FAILING_RULES,
    SIDECAR_JOB,
    FalsifyScrapes,
    ReconfigureAlertmanager,
    ReconfigurePrometheus,
    not_yaml,
    through_proxy,
    with_failing_rule,
    with_fleet_away,
    with_refusing_receiver,
    with_second_alertmanager,
    without_sidecar,
)
from chaos.faults import NO_FAULT, Fault, FaultKind
from edgeinfer.monitoring.alerting import alertmanager_configuration
from edgeinfer.monitoring.scrape import prometheus_configuration
from edgeinfer.stack.folder import DataFolder, prepare
from tests.chaos.fake_testbed import USERS, FakeTestbed

SCRAPING = prometheus_configuration(
    targets={"edge-infer": ["127.0.0.1:1"], SIDECAR_JOB: ["127.0.0.1:2"]},
    alertmanagers=["127.0.0.1:4"],
    rule_files=["rules.yml"],
)
ALERTING = alertmanager_configuration()
PROXY = "127.0.0.1:3"


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (without_sidecar, "scrape_configs"),
        (with_failing_rule, "rule_files"),
        (with_fleet_away, "remote_write"),
        (with_second_alertmanager, "alerting"),
        (lambda text: through_proxy(text, PROXY), "scrape_configs"),
    ],
)
def test_only_what_is_to_be_broken_changes(edit: Edit, key: str) -> None:
    whole, found = yaml.safe_load(SCRAPING), yaml.safe_load(edit(SCRAPING))
    assert {one for one in whole.keys() | found.keys() if whole.get(one) != found.get(one)} == {key}


def test_a_forgotten_target_is_the_sidecar_alone() -> None:
    jobs = yaml.safe_load(without_sidecar(SCRAPING))["scrape_configs"]
    assert [job["job_name"] for job in jobs] == ["edge-infer"]


@pytest.mark.parametrize("interval", ["", "3s"])
def test_falsified_scrapes_go_through_the_proxy_and_keep_the_names_of_their_series(interval: str) -> None:
    jobs = {job["job_name"]: job for job in yaml.safe_load(through_proxy(SCRAPING, PROXY, interval))["scrape_configs"]}
    assert jobs["edge-infer"]["static_configs"] == [{"targets": ["127.0.0.1:1"]}]
    assert jobs[SIDECAR_JOB]["static_configs"] == [{"targets": [PROXY], "labels": {"instance": "127.0.0.1:2"}}]
    assert jobs[SIDECAR_JOB].get("scrape_interval", "") == interval


def test_a_broken_configuration_is_not_yaml() -> None:
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(not_yaml(SCRAPING))


def test_a_refusing_receiver_joins_those_of_warnings_and_pages_only() -> None:
    receivers = yaml.safe_load(with_refusing_receiver(ALERTING))["receivers"]
    assert {one["name"]: len(one["webhook_configs"]) for one in receivers} == {"local": 1, "notify": 2, "page": 2}
    assert receivers[1]["webhook_configs"][1]["url"].endswith("/hooks/alerts/that-is-not-there")


def test_a_second_alertmanager_joins_the_one_that_is_there() -> None:
    [pair] = yaml.safe_load(with_second_alertmanager(SCRAPING))["alerting"]["alertmanagers"]
    assert pair["static_configs"] == [{"targets": ["127.0.0.1:4", "127.0.0.1:9"]}]


async def test_prometheus_loads_the_change_and_its_own_configuration_afterwards(tmp_path: Path) -> None:
    testbed = FakeTestbed(folder=prepare(tmp_path))
    async with ReconfigurePrometheus(with_failing_rule).applied(testbed, USERS):
        assert testbed.configured == [(with_failing_rule, None)]
        rules = DataFolder(tmp_path).configuration / FAILING_RULES
        assert yaml.safe_load(rules.read_text())["groups"][0]["rules"]
    assert testbed.configured[1:] == [(None, None)]


async def test_alertmanager_loads_the_change_and_its_own_configuration_afterwards() -> None:
    testbed = FakeTestbed()
    async with ReconfigureAlertmanager(not_yaml).applied(testbed, USERS):
        assert testbed.configured == [(None, not_yaml)]
    assert testbed.configured[1:] == [(None, None)]


async def test_scrapes_are_falsified_until_the_action_ends() -> None:
    testbed = FakeTestbed()
    fault = Fault(FaultKind.WILD_LABEL, only_infer=False)
    async with testbed.scrape_proxy:
        async with FalsifyScrapes(fault).applied(testbed, USERS):
            assert testbed.scrape_proxy.fault is fault
            [(edit, _)] = testbed.configured
            assert edit is not None
            assert f"127.0.0.1:{testbed.scrape_proxy.port}" in edit(SCRAPING)
        assert testbed.scrape_proxy.fault is NO_FAULT
    assert testbed.configured[1:] == [(None, None)]
