"""Alerts on what is kept on disk."""

from edgeinfer.catalog import gateway
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, gauge
from edgeinfer.monitoring.promql import Queries

_GATEWAY = 'job="edge-infer", instance="gateway:8080"'
_GATEWAY_LABELS = {"job": "edge-infer", "instance": "gateway:8080"}
_TARGET = ("job", "instance")
_Q = Queries("5m", {})


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [_store_damaged()]


def _store_damaged() -> Alert:
    set_aside = f"edgeinfer_store_set_aside{{{_GATEWAY}}}"
    return Alert(
        name="EdgeInferStoreDamaged",
        provoked_by="store-damaged",
        expression=f"{_Q.gauge(gateway.STORE_SET_ASIDE, by=_TARGET)} > 0",
        for_="1m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="health",
        summary="The gateway {{ $labels.instance }} found its session store damaged",
        description="Folders of damaged files that wait for inspection: {{ $value | humanize }}.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="A file of the session store was missing, cut or altered, and the gateway set it aside to start.",
            impact="Samples of some sessions are lost; every record whose checksum holds was kept, and it serves.",
            diagnosis=(
                RunbookStep(
                    "What was lost?",
                    {
                        "`it is missing`": "it was deleted, perhaps by `fsck`; a backup may have it.",
                        "`are no records`": "the disk returned other bytes than were written: continue.",
                    },
                    command="cat /var/lib/edgeinfer/damaged/*/report.txt",
                ),
                RunbookStep(
                    "Is the disk failing?",
                    {
                        "`I/O error` or `mmc0: error`": "the card is failing: back up its data, and replace it.",
                        "nothing": "a power cut, most likely; check the supply.",
                    },
                    command="sudo dmesg | grep -iE 'i/o error|mmc0: error|ext4-fs error' | tail -5",
                ),
                RunbookStep(
                    "Are the set-aside files still needed? If not, remove the folder: the alert resolves.",
                    {
                        "`edgeinfer doctor` finds no other damage": "remove `damaged`; it is noticed within seconds.",
                        "it finds more damage": "restart the gateway: it sets that aside as well.",
                    },
                    command="edgeinfer doctor --data-folder /var/lib/edgeinfer",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={set_aside: gauge((0, 60), (1, 300), (0, 120))},
            pending_at=105,
            firing_at=150,
            resolved_at=375,
            labels=_GATEWAY_LABELS,
            expected_description="Folders of damaged files that wait for inspection: 1.",
        ),
        negative_cases=(
            RuleCase(why="nothing was set aside", series={set_aside: gauge((0, 300))}, at=200),
            RuleCase(why="sessions live in memory", series={set_aside: gauge((None, 300))}, at=200),
        ),
    )
