"""A monitoring that is broken: other configuration for Prometheus and Alertmanager, and scrapes that are falsified."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from chaos.actions.action import Edit, Testbed, Users
from chaos.faults import NO_FAULT, Fault, FaultKind, FaultyReading
from edgeinfer.catalog.metric import Metric
from edgeinfer.stack.plan import LOOPBACK

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
_NOBODY = "127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class ReconfigurePrometheus:
    """Prometheus loads a changed configuration, and its own one at the end."""

    edit: Edit

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        (testbed.folder.configuration / FAILING_RULES).write_text(FAILING_RULE, encoding="utf-8")
        await testbed.configure(prometheus=self.edit)
        try:
            yield
        finally:
            await testbed.configure()


@dataclass(frozen=True, slots=True)
class ReconfigureAlertmanager:
    """Alertmanager loads a changed configuration, and its own one at the end."""

    edit: Edit

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        await testbed.configure(alertmanager=self.edit)
        try:
            yield
        finally:
            await testbed.configure()


@dataclass(frozen=True, slots=True)
class FalsifyScrapes:
    """Prometheus scrapes the sidecar through a proxy that changes what its metrics report.

    Args:
        fault: what the proxy does; it should spare no path.
        interval: of the scrapes, such as "3s"; empty leaves it as it is.
    """

    fault: Fault
    interval: str = ""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        testbed.scrape_proxy.fault = self.fault
        proxy = f"{LOOPBACK}:{testbed.scrape_proxy.port}"
        await testbed.configure(prometheus=lambda text: through_proxy(text, proxy, self.interval))
        try:
            yield
        finally:
            testbed.scrape_proxy.fault = NO_FAULT
            await testbed.configure()


def reads(*readings: FaultyReading) -> FalsifyScrapes:
    """The machine keeps what it has, such as memory; Prometheus gets other readings of it."""
    return FalsifyScrapes(Fault(FaultKind.READINGS, only_infer=False, readings=readings))


def reading(metric: Metric, of: str, value: float, falls_by: float = 0.0) -> FaultyReading:
    """Another value for the series of a metric whose one label is `of`."""
    [label] = metric.label_names
    return FaultyReading(f'{metric.name}{{{label}="{of}"}}', value, falls_by)


def not_yaml(_: str) -> str:
    """A file that is not valid YAML."""
    return "scrape_configs: ["


def without_sidecar(text: str) -> str:
    """A prometheus.yml that no longer names the sidecar."""
    document = yaml.safe_load(text)
    jobs = document["scrape_configs"]
    return _dump(document | {"scrape_configs": [job for job in jobs if job["job_name"] != SIDECAR_JOB]})


def with_failing_rule(text: str) -> str:
    """A prometheus.yml with one more rule, that matches many series to many."""
    document = yaml.safe_load(text)
    return _dump(document | {"rule_files": [*document["rule_files"], FAILING_RULES]})


def with_fleet_away(text: str) -> str:
    """A prometheus.yml whose samples are to be sent to a fleet's center that does not answer."""
    document = yaml.safe_load(text)
    return _dump(document | {"remote_write": [{"name": "fleet", "url": f"http://{_NOBODY}/api/v1/write"}]})


def with_second_alertmanager(text: str) -> str:
    """A prometheus.yml whose alerts go to a second Alertmanager too, which is not there."""
    document = yaml.safe_load(text)
    # As a pair, of which one is enough; from 2.53 on a separate entry would have to accept each alert as well.
    document["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"].append(_NOBODY)
    return _dump(document)


def through_proxy(text: str, proxy: str, interval: str = "") -> str:
    """A prometheus.yml that scrapes the sidecar through a proxy, and keeps the names of its series.

    Args:
        text: the file as it should be.
        proxy: host:port.
        interval: of the sidecar's scrapes; empty leaves it as it is.
    """
    document = yaml.safe_load(text)
    for job in document["scrape_configs"]:
        if job["job_name"] == SIDECAR_JOB:
            [instance] = job["static_configs"][0]["targets"]
            job["static_configs"] = [{"targets": [proxy], "labels": {"instance": instance}}]
            if interval:
                job["scrape_interval"] = job["scrape_timeout"] = interval
    return _dump(document)


def with_refusing_receiver(text: str) -> str:
    """An alertmanager.yml whose warnings and pages go to one more receiver, which answers 404."""
    document = yaml.safe_load(text)
    [local] = (one for one in document["receivers"] if one["name"] == "local")
    refusing = {"url": f"{local['webhook_configs'][0]['url']}/that-is-not-there"}
    for receiver in document["receivers"]:
        if receiver is not local:
            receiver["webhook_configs"].append(refusing)
    return _dump(document)


def _dump(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=1000)
