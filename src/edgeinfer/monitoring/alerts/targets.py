"""Alerts on what is scraped: that it is the expected service, answers soon, and has no more series than it may."""

from collections.abc import Mapping

from edgeinfer.catalog import device, gateway, sidecar
from edgeinfer.catalog.metric import Metric, Owner
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, gauge
from edgeinfer.monitoring.prometheus_metrics import SCRAPE_DURATION, UP
from edgeinfer.monitoring.prometheus_metrics import SCRAPE_SAMPLES as SAMPLES_SCRAPED
from edgeinfer.monitoring.promql import Queries
from edgeinfer.monitoring.thresholds import SCRAPE_SAMPLES, SCRAPE_SLOW_SECONDS

_Q = Queries("5m", {})
# What each service exports from its first scrape on, whatever requests it gets; a third party's sidecar that is
# instrumented as the guide describes has it too.
IDENTITY: Mapping[Owner, Metric] = {
    Owner.GATEWAY: gateway.BUILD_INFO,
    Owner.SIDECAR: sidecar.READY,
    Owner.EXPORTER: device.EXPORTER_BUILD_INFO,
}
_SIDECAR = 'job="hailo-inference", instance="sidecar:9000"'
_TARGET = ("job", "instance")
_EXPORTER = 'job="hailo-exporter", instance="exporter:9048"'
_NODE = f'node_exporter_build_info{{{_EXPORTER}, version="1.5.0"}}'
_OURS = f'{device.EXPORTER_BUILD_INFO.name}{{{_EXPORTER}, version="1", python="3"}}'


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [_foreign(), _scrape_slow(), _scrape_big()]


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


def _scrape_slow() -> Alert:
    took = f"scrape_duration_seconds{{{_SIDECAR}}}"
    return Alert(
        name="ScrapeSlow",
        provoked_by="scrape-slow",
        expression=f"{_Q.gauge(SCRAPE_DURATION, by=_TARGET)} > {SCRAPE_SLOW_SECONDS}",
        for_="10m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Scraping {{ $labels.instance }} takes too long",
        description="{{ $value | humanizeDuration }} for one scrape; beyond the timeout the target counts as down.",
        runbook=Runbook(
            meaning="The process answers /metrics slowly: its event loop or its machine is overloaded.",
            impact="Gaps in the graphs, then false alerts about a target that is down.",
            diagnosis=(
                RunbookStep(
                    "How long does a scrape by hand take?",
                    {
                        "well under a second": "the network or Prometheus' own machine is slow.",
                        "about as long": (
                            "the process is short of CPU time; continue. A scrape reads memory only, so a slow "
                            "device is never the cause."
                        ),
                    },
                    command="curl -s -o /dev/null -w '%{time_total}\\n' localhost:9000/metrics",
                ),
                RunbookStep(
                    "Which process uses the CPU?",
                    {
                        "this process": "reduce its load.",
                        "another": "stop it, or move it elsewhere.",
                    },
                    command="top -b -n 1 | head -15",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={took: gauge((1.1, 900), (0.01, 600))},
            pending_at=585,
            firing_at=660,
            resolved_at=930,
            labels={"job": "hailo-inference", "instance": "sidecar:9000"},
            expected_description="1.1s for one scrape; beyond the timeout the target counts as down.",
        ),
        negative_cases=(RuleCase(why="exactly a second", series={took: gauge((1, 900))}, at=800),),
    )


def _scrape_big() -> Alert:
    size = f"scrape_samples_scraped{{{_SIDECAR}}}"
    return Alert(
        name="ScrapeTooBig",
        provoked_by="scrape-big",
        expression=f"{_Q.gauge(SAMPLES_SCRAPED, by=_TARGET)} > {SCRAPE_SAMPLES}",
        for_="10m",
        severity=Severity.TICKET,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="{{ $labels.instance }} exports too many series",
        description="{{ $value | humanize }} samples in one scrape; above 5000 Prometheus rejects the whole scrape.",
        runbook=Runbook(
            meaning="A label has an unbounded set of values.",
            impact="Prometheus uses more memory and disk, then loses the target.",
            diagnosis=(
                RunbookStep(
                    "Which metric has so many series?",
                    {
                        "one far above the others": (
                            "one of its labels is unbounded: bound its values in the catalog, and release."
                        ),
                        "all of them": "more chips or sidecars than expected: raise SCRAPE_SAMPLES.",
                    },
                    command="curl -s localhost:9000/metrics | cut -d'{' -f1 | sort | uniq -c | sort -n | tail",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={size: gauge((3200, 900), (300, 600))},
            pending_at=585,
            firing_at=660,
            resolved_at=930,
            labels={"job": "hailo-inference", "instance": "sidecar:9000"},
            expected_description="3.2k samples in one scrape; above 5000 Prometheus rejects the whole scrape.",
        ),
        negative_cases=(RuleCase(why="exactly at the threshold", series={size: gauge((3000, 900))}, at=800),),
    )
