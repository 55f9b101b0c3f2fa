"""Alerts on the sensors: what their samples say about rate, clock, axes and units."""

from edgeinfer.catalog import input_streams
from edgeinfer.catalog.sensor import SENSOR_REMEDIES
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, gauge
from edgeinfer.monitoring.promql import Queries

_BY = ("job", "instance", "problem", "session", "role")
_LABELS = {
    "job": "edge-infer",
    "instance": "gateway:8080",
    "problem": "acceleration_in_g",
    "session": "7bf48c73",
    "role": "dog",
}
_MATCHERS = ", ".join(f'{name}="{value}"' for name, value in _LABELS.items())
_SERIES = f"{input_streams.STREAM_PROBLEM.name}{{{_MATCHERS}}}"
_Q = Queries("5m", {})


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        Alert(
            name="EdgeInferInputQualityPoor",
            provoked_by="sensor-in-g",
            expression=f"{_Q.gauge(input_streams.STREAM_PROBLEM, by=_BY)} > 0",
            for_="5m",
            keep_firing_for="5m",
            severity=Severity.WARNING,
            service="edge-infer",
            signal="output",
            dashboard_uid="edgeinfer-gateway",
            summary="A sensor sends samples that cannot be right: {{ $labels.problem }}",
            description="Stream {{ $labels.role }} of session {{ $labels.session }} shows {{ $labels.problem }}. "
            "What to do is on the console's page /sessions/{{ $labels.session }}.",
            runbook=Runbook(
                meaning="The samples of one stream show that its sensor, its phone or the link between them is at "
                "fault. Gateway, sidecar and model are not.",
                impact="Motifs and synchrony of this session are refused or wrong; other sessions are not affected.",
                diagnosis=(
                    RunbookStep(
                        "Whose sensor is it, since when, and what else does its stream show? The console's page "
                        "`/sessions/SESSION` draws it; `SESSION` is the eight characters of the alert, here too.",
                        {
                            "one stream": "do to its sensor what the next step says.",
                            "all streams of one app": "the app has a new version: report it to its author.",
                        },
                        command="curl -s 'localhost:8080/api/v1/analysis/session?sessionId=SESSION'",
                    ),
                    RunbookStep("Which problem does the alert name?", SENSOR_REMEDIES),
                ),
            ),
            rule_test=RuleTest(
                series={_SERIES: gauge((1, 600), (None, 900))},
                pending_at=270,
                firing_at=330,
                resolved_at=1260,
                labels=_LABELS,
                expected_description="Stream dog of session 7bf48c73 shows acceleration_in_g. "
                "What to do is on the console's page /sessions/7bf48c73.",
            ),
            negative_cases=(
                RuleCase(why="over within five minutes", series={_SERIES: gauge((1, 120), (0, 600))}, at=420),
            ),
        )
    ]
