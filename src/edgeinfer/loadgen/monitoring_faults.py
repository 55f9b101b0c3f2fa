"""Files of Prometheus and Alertmanager as a broken monitoring has them: text in, text out."""

from typing import Any

import yaml

from edgeinfer.loadgen.steps import STORE_DAMAGE, MonitoringFault

SIDECAR_JOB = "hailo-inference"
FAILING_RULES = "failing.yml"
# Two series on each side match two: Prometheus refuses that, each time the rule is evaluated.
FAILING_RULE = """\
groups:
  - name: failing
    rules:
      - record: job:up:failing
        expr: up * on () up
"""
_SLOW_SECONDS = "3s"
_NOBODY = "http://127.0.0.1:9"


def break_prometheus(text: str, how: MonitoringFault, *, scrape_proxy: str) -> str:  # noqa: C901 - a table
    """A prometheus.yml as this failure leaves it.

    Args:
        text: the file as it should be.
        how: the failure.
        scrape_proxy: host:port of a proxy in front of the sidecar's metrics, which falsifies the values
            but keeps the series.
    """
    document = yaml.safe_load(text)
    match how:
        case MonitoringFault.CONFIGURATION_BROKEN:
            return "scrape_configs: ["
        case MonitoringFault.TARGET_FORGOTTEN:
            jobs = document["scrape_configs"]
            document["scrape_configs"] = [job for job in jobs if job["job_name"] != SIDECAR_JOB]
        case MonitoringFault.RULE_FAILING:
            document["rule_files"] = [*document["rule_files"], FAILING_RULES]
        case MonitoringFault.FLEET_AWAY:
            document["remote_write"] = [{"name": "fleet", "url": f"{_NOBODY}/api/v1/write"}]
        case MonitoringFault.ALERTMANAGER_ELSEWHERE:
            # As a pair, of which one is enough; from 2.53 on a separate entry would have to accept each alert as well.
            pair = document["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
            pair.append(_NOBODY.partition("//")[2])
        case _ if how in STORE_DAMAGE or how in {MonitoringFault.RECEIVER_REFUSES, MonitoringFault.RECEIVERS_BROKEN}:
            return text
        case (
            MonitoringFault.SCRAPE_SLOW
            | MonitoringFault.SCRAPE_BIG
            | MonitoringFault.MEMORY_READ_LOW
            | MonitoringFault.DISK_READ_FULL
            | MonitoringFault.DISK_READ_FILLING
            | MonitoringFault.SAMPLES_LATE
        ):
            for job in document["scrape_configs"]:
                if job["job_name"] == SIDECAR_JOB:
                    [instance] = job["static_configs"][0]["targets"]
                    job["static_configs"] = [{"targets": [scrape_proxy], "labels": {"instance": instance}}]
                    if how is MonitoringFault.SCRAPE_SLOW:
                        job["scrape_interval"] = job["scrape_timeout"] = _SLOW_SECONDS
    return _dump(document)


def break_alertmanager(text: str, how: MonitoringFault, *, refusing_url: str) -> str:
    """An alertmanager.yml as this failure leaves it.

    Args:
        text: the file as it should be.
        how: the failure.
        refusing_url: a receiver that answers 404.
    """
    if how is MonitoringFault.RECEIVERS_BROKEN:
        return "receivers: ["
    if how is not MonitoringFault.RECEIVER_REFUSES:
        return text
    document = yaml.safe_load(text)
    for receiver in document["receivers"]:
        if receiver["name"] != "local":
            receiver["webhook_configs"].append({"url": refusing_url})
    return _dump(document)


def _dump(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=1000)
