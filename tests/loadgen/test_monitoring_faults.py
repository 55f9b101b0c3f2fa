"""Broken files of the monitoring are broken in exactly the requested way."""

import pytest
import yaml

from edgeinfer.loadgen.monitoring_faults import (
    FAILING_RULE,
    FAILING_RULES,
    SIDECAR_JOB,
    break_alertmanager,
    break_prometheus,
)
from edgeinfer.loadgen.steps import STORE_DAMAGE, MonitoringFault
from edgeinfer.monitoring.alerting import alertmanager_configuration
from edgeinfer.monitoring.scrape import prometheus_configuration

SCRAPING = prometheus_configuration(
    targets={"edge-infer": ["127.0.0.1:1"], SIDECAR_JOB: ["127.0.0.1:2"]},
    alertmanagers=["127.0.0.1:4"],
    rule_files=["rules.yml"],
)
ALERTING = alertmanager_configuration()


def broken(how: MonitoringFault) -> dict[str, object]:
    document: dict[str, object] = yaml.safe_load(break_prometheus(SCRAPING, how, scrape_proxy="127.0.0.1:3"))
    return document


def changed(how: MonitoringFault) -> set[str]:
    whole, found = yaml.safe_load(SCRAPING), broken(how)
    return {key for key in whole.keys() | found.keys() if whole.get(key) != found.get(key)}


@pytest.mark.parametrize(
    ("how", "keys"),
    [
        (MonitoringFault.TARGET_FORGOTTEN, {"scrape_configs"}),
        (MonitoringFault.RULE_FAILING, {"rule_files"}),
        (MonitoringFault.FLEET_AWAY, {"remote_write"}),
        (MonitoringFault.SCRAPE_SLOW, {"scrape_configs"}),
        (MonitoringFault.SCRAPE_BIG, {"scrape_configs"}),
        (MonitoringFault.DISK_READ_FULL, {"scrape_configs"}),
        (MonitoringFault.SAMPLES_LATE, {"scrape_configs"}),
        (MonitoringFault.ALERTMANAGER_ELSEWHERE, {"alerting"}),
        (MonitoringFault.RECEIVER_REFUSES, set()),
        (MonitoringFault.RECEIVERS_BROKEN, set()),
        *((how, set()) for how in sorted(STORE_DAMAGE)),
    ],
)
def test_only_what_is_to_be_broken_changes(how: MonitoringFault, keys: set[str]) -> None:
    assert changed(how) == keys


def test_a_forgotten_target_is_the_sidecar_alone() -> None:
    jobs = yaml.safe_load(break_prometheus(SCRAPING, MonitoringFault.TARGET_FORGOTTEN, scrape_proxy=""))[
        "scrape_configs"
    ]
    assert [job["job_name"] for job in jobs] == ["edge-infer"]


def test_spoilt_scrapes_go_through_the_proxy() -> None:
    through = {"targets": ["127.0.0.1:3"], "labels": {"instance": "127.0.0.1:2"}}
    for how in (MonitoringFault.SCRAPE_SLOW, MonitoringFault.SCRAPE_BIG, MonitoringFault.MEMORY_READ_LOW):
        text = break_prometheus(SCRAPING, how, scrape_proxy="127.0.0.1:3")
        targets = {job["job_name"]: job["static_configs"] for job in yaml.safe_load(text)["scrape_configs"]}
        assert targets == {"edge-infer": [{"targets": ["127.0.0.1:1"]}], SIDECAR_JOB: [through]}


def test_a_broken_configuration_is_no_yaml() -> None:
    with pytest.raises(yaml.YAMLError):
        broken(MonitoringFault.CONFIGURATION_BROKEN)


def test_a_failing_rule_is_a_rule_file() -> None:
    assert broken(MonitoringFault.RULE_FAILING)["rule_files"] == ["rules.yml", FAILING_RULES]
    assert yaml.safe_load(FAILING_RULE)["groups"][0]["rules"]


def test_a_refusing_receiver_joins_those_of_warnings_and_pages_only() -> None:
    text = break_alertmanager(ALERTING, MonitoringFault.RECEIVER_REFUSES, refusing_url="http://127.0.0.1:3/no")
    count = {one["name"]: len(one["webhook_configs"]) for one in yaml.safe_load(text)["receivers"]}
    assert count == {"local": 1, "notify": 2, "page": 2}
    assert break_alertmanager(ALERTING, MonitoringFault.FLEET_AWAY, refusing_url="x") == ALERTING


def test_a_second_alertmanager_joins_the_one_that_is_there() -> None:
    text = break_prometheus(SCRAPING, MonitoringFault.ALERTMANAGER_ELSEWHERE, scrape_proxy="")
    [pair] = yaml.safe_load(text)["alerting"]["alertmanagers"]
    assert pair["static_configs"] == [{"targets": ["127.0.0.1:4", "127.0.0.1:9"]}]


def test_broken_receivers_are_no_yaml() -> None:
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(break_alertmanager(ALERTING, MonitoringFault.RECEIVERS_BROKEN, refusing_url="x"))
