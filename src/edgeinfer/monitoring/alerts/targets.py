"""Alerts on what is scraped: that a target which answers is the expected service."""

from collections.abc import Mapping

from edgeinfer.catalog import device, gateway, sidecar
from edgeinfer.catalog.metric import Metric, Owner
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, gauge
from edgeinfer.monitoring.prometheus_metrics import UP
from edgeinfer.monitoring.promql import Queries

_Q = Queries("5m", {})
# What each service exports from its first scrape on, whatever requests it gets; a third party's sidecar that is
# instrumented as the guide describes has it too.
IDENTITY: Mapping[Owner, Metric] = {
    Owner.GATEWAY: gateway.BUILD_INFO,
    Owner.SIDECAR: sidecar.READY,
    Owner.EXPORTER: device.EXPORTER_BUILD_INFO,
}
_EXPORTER = 'job="hailo-exporter", instance="exporter:9048"'
_NODE = f'node_exporter_build_info{{{_EXPORTER}, version="1.5.0"}}'
_OURS = f'{device.EXPORTER_BUILD_INFO.name}{{{_EXPORTER}, version="1", python="3"}}'


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [_foreign()]


def _foreign() -> Alert:
    return Alert(
        name="ScrapeTargetForeign",
        provoked_by="sidecar-port-taken",
        expression="\nor ".join(
            f"{_Q.select(UP, {'job': str(job)})} == 1 unless on (job, instance) {_Q.select(metric)}"
            for job, metric in IDENTITY.items()
        ),
        for_="2m",
        severity=Severity.CRITICAL,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="What answers at {{ $labels.instance }} is not {{ $labels.job }}",
        description="{{ $labels.instance }} of {{ $labels.job }} answers Prometheus without any metric of that "
        "service.",
        runbook=Runbook(
            meaning="Another program uses the port, often node exporter, or the address in prometheus.yml is wrong.",
            impact="The target counts as up, and no other alert about this service can fire.",
            diagnosis=(
                RunbookStep(
                    "Which program listens on the port? Replace 9048 by the port of the alert's instance.",
                    {
                        "`edgeinfer`": (
                            "it is EdgeInfer: the address in prometheus.yml is of another service. Correct it, and "
                            "reload."
                        ),
                        "another program": (
                            "it started first, and EdgeInfer's service exited with status 78: move one of them."
                        ),
                        "no process": (
                            "Prometheus scrapes another machine: correct the address in prometheus.yml, and reload."
                        ),
                    },
                    command="sudo ss -ltnp 'sport = :9048'",
                ),
                RunbookStep(
                    "Which service do the metrics belong to?",
                    {
                        "`node_...`": "node exporter: it belongs on port 9100, in a job of its own.",
                        "`hailo_...` or `edgeinfer_...`": "another service of EdgeInfer: two jobs are swapped.",
                        "HTML or nothing": "a web page; see the program that the first step named.",
                    },
                    command="curl -s localhost:9048/metrics | grep -v '^#' | head",
                ),
                RunbookStep(
                    "Give EdgeInfer's service a free port: set EDGEINFER_EXPORTER_PORT (or that of the gateway or "
                    "sidecar), change "
                    "the target in prometheus.yml, and start both again.",
                    {
                        "the alert resolves within a minute": "done.",
                        "it keeps firing": (
                            "the service does not run: see HailoExporterDown, HailoSidecarDown, EdgeInferDown."
                        ),
                    },
                    command="sudo systemctl restart edgeinfer-exporter; sudo systemctl reload prometheus",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={
                f"up{{{_EXPORTER}}}": gauge((1, 900)),
                _NODE: gauge((1, 600), (None, 300)),
                _OURS: gauge((None, 600), (1, 300)),
            },
            pending_at=105,
            firing_at=150,
            resolved_at=630,
            labels={"job": "hailo-exporter", "instance": "exporter:9048"},
            expected_description="exporter:9048 of hailo-exporter answers Prometheus without "
            "any metric of that service.",
        ),
        negative_cases=(
            *(
                RuleCase(
                    why=f"{job} is itself",
                    series={
                        f'up{{job="{job}", instance="x:1"}}': gauge((1, 600)),
                        f'{metric.name}{{job="{job}", instance="x:1"}}': gauge((0, 600)),
                    },
                    at=500,
                )
                for job, metric in IDENTITY.items()
            ),
            RuleCase(why="down is not foreign", series={f"up{{{_EXPORTER}}}": gauge((0, 600))}, at=500),
            RuleCase(why="a foreign job", series={'up{job="node", instance="node:9100"}': gauge((1, 600))}, at=500),
        ),
        positive_cases=(
            *(
                RuleCase(
                    why=f"another program at the address of {job}",
                    series={
                        f'up{{job="{job}", instance="x:1"}}': gauge((1, 600)),
                        f'{metric.name}{{job="{job}", instance="y:1"}}': gauge((1, 600)),
                    },
                    at=500,
                )
                for job, metric in IDENTITY.items()
            ),
            RuleCase(
                why="the gateway at the exporter's address",
                series={
                    f"up{{{_EXPORTER}}}": gauge((1, 600)),
                    f'{gateway.BUILD_INFO.name}{{{_EXPORTER}, version="1", python="3"}}': gauge((1, 600)),
                },
                at=500,
            ),
        ),
    )
