"""Alerts on data of the monitoring that was damaged and set aside."""

from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, gauge


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [_set_aside()]


def _set_aside() -> Alert:
    name = prometheus_metrics.SET_ASIDE.name
    return Alert(
        name="MonitoringDataSetAside",
        provoked_by="silences-damaged",
        expression=f"max by (part) ({name}) > 0",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Files of {{ $labels.part }} were damaged and set aside",
        description="{{ $value }} damaged files or folders of {{ $labels.part }} are in the folder `damaged`.",
        runbook=Runbook(
            meaning="`edgeinfer up` found files that Prometheus or Alertmanager could not use, as after a power cut, "
            "moved them to `damaged/<time>/` in the data folder and started without them.",
            impact="Part of the history is missing in dashboards, or silences are gone; everything runs.",
            diagnosis=(
                RunbookStep(
                    "What was damaged, and what is lost?",
                    {
                        "`set aside` lines": "each names the file, what was wrong with it and what is lost.",
                        "`broken` lines": "there is more: the next `edgeinfer up` sets it aside as well.",
                        "`clock` is broken": "the clock was ahead: see `timedatectl`.",
                    },
                    command="edgeinfer doctor --only folder",
                ),
                RunbookStep(
                    "Does the card or the disk report errors?",
                    {
                        "`I/O error` or `mmc0: error`": "it is failing: back up its data, and replace it.",
                        "nothing": "the power was cut: a stable supply, and a clean shutdown, keep it from "
                        "coming back.",
                    },
                    command="sudo dmesg | grep -iE 'i/o error|mmc[0-9]: error' | tail -5",
                ),
                RunbookStep(
                    "Are silences lost? Check which alerts are silenced now.",
                    {
                        "one that you need is missing": "set it again on the console's Alerts page.",
                        "all are there": "continue.",
                    },
                    command="amtool silence query --alertmanager.url=http://localhost:9093",
                ),
                RunbookStep(
                    "Once the damaged files are no longer needed, move or remove them; the alert resolves within a "
                    "minute.",
                    {"no line": "done.", "you are not sure": "keep them: their space is not needed soon."},
                    command="edgeinfer doctor --only folder | grep 'set aside'",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={f'{name}{{part="prometheus"}}': gauge((0, 300), (1, 600), (0, 300))},
            firing_at=360,
            resolved_at=960,
            labels={"part": "prometheus"},
            expected_description="1 damaged files or folders of prometheus are in the folder `damaged`.",
        ),
        negative_cases=(
            RuleCase(why="nothing is set aside", series={f'{name}{{part="prometheus"}}': gauge((0, 600))}, at=500),
        ),
    )
