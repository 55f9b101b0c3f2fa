"""Alerts on the blocks of Prometheus: unreadable ones, and a compaction that fails."""

from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, Values, counter
from edgeinfer.monitoring.alerts.store_series import (
    LOOK_AT_DISK,
    SHORTENING,
    SHORTENING_NAMES,
    grown,
    of_prometheus,
    ten_failed_attempts,
)

_STACK = (
    "With `edgeinfer up`, stop it and start it again: it sets the damaged part aside by itself and reports what is "
    "lost."
)


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _block_unreadable(),
        _compaction_failing(),
    ]


def _block_unreadable() -> Alert:
    return Alert(
        name="PrometheusBlockUnreadable",
        provoked_by="block-unreadable",
        expression=f"{grown(prometheus_metrics.BLOCK_FAILURES)} > 0",
        for_="5m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Prometheus cannot read a block of its measurements",
        description="{{ $value | humanize }} failed attempts in 15 minutes.",
        runbook=Runbook(
            meaning="A block, which holds two hours or more of measurements, lacks its index or its chunks.",
            impact=(
                "Nothing is compacted or dropped any more: memory and disk fill. "
                "At its next start Prometheus may end at once, and monitoring is gone."
            ),
            diagnosis=(
                RunbookStep(
                    "Which block is it?",
                    {
                        "`corrupted block` and a name of 26 letters": "that folder is the one; continue.",
                        "nothing": "the block was removed meanwhile; the alert resolves within 15 minutes.",
                    },
                    command="journalctl -u prometheus --since -15min | grep -i 'corrupted block' | tail -1",
                ),
                LOOK_AT_DISK,
                RunbookStep(
                    "Set it aside, with its name in place of BLOCK; what it holds is lost to the graphs.",
                    {
                        "the alert resolves within 20 minutes": "done; keep the folder until you know why it broke.",
                        "another block is named": "do the same for that block.",
                    },
                    command="sudo mv /var/lib/prometheus/metrics2/BLOCK /var/lib/prometheus/",
                ),
                RunbookStep(
                    "Does it run under `edgeinfer up`?",
                    {"yes": _STACK, "no": "the steps above are all."},
                ),
            ),
        ),
        rule_test=ten_failed_attempts(of_prometheus(BLOCK_FAILURES=counter((1 / 60, 1800), (0, 1800)))),
        negative_cases=(
            RuleCase(why="none failed", series=of_prometheus(BLOCK_FAILURES=counter((0, 2400))), at=2100),
            RuleCase(
                why="one failed, twenty minutes ago",
                series=of_prometheus(BLOCK_FAILURES=counter((0, 600), (1 / 60, 60), (0, 2400))),
                at=1860,
            ),
        ),
        positive_cases=(
            RuleCase(
                why="one in ten minutes",
                series=of_prometheus(BLOCK_FAILURES=counter((1 / 600, 2700))),
                at=2400,
            ),
        ),
    )


def _compaction_failing() -> Alert:
    others = " + ".join(grown(counted) for counted in (prometheus_metrics.BLOCK_FAILURES, *SHORTENING))
    return Alert(
        name="PrometheusCompactionFailing",
        provoked_by="chunks-damaged",
        # Each attempt fails at the first of its parts: a part with its own alert is reported by that.
        expression=f"{grown(prometheus_metrics.COMPACTION_FAILURES)} > 0\nunless on (job, instance) ({others} > 0)",
        for_="5m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Prometheus cannot write or merge blocks",
        description="{{ $value | humanize }} failed attempts in 15 minutes.",
        runbook=Runbook(
            meaning="What is in memory cannot be written as a block, or old blocks cannot be merged.",
            impact="Memory and write-ahead log grow until one of them is full; old measurements are not dropped.",
            diagnosis=(
                RunbookStep(
                    "What does Prometheus log?",
                    {
                        "`no space left on device`": "see HailoDiskFull.",
                        "`checksum mismatch` or `cannot populate chunk` and a block's name": (
                            "continue with that block."
                        ),
                        "`too many open files`": "raise LimitNOFILE of its unit.",
                    },
                    command="journalctl -u prometheus --since -15min | grep -i 'compaction failed' | tail -1",
                ),
                LOOK_AT_DISK,
                RunbookStep(
                    "Set the block aside, with its name in place of BLOCK; what it holds is lost to the graphs.",
                    {
                        "the alert resolves within 20 minutes": "done.",
                        "another block is named": "do the same for that block.",
                    },
                    command="sudo mv /var/lib/prometheus/metrics2/BLOCK /var/lib/prometheus/",
                ),
            ),
        ),
        rule_test=ten_failed_attempts(
            of_prometheus(COMPACTION_FAILURES=counter((1 / 60, 1800), (0, 1800)), **_quiet())
        ),
        negative_cases=(
            RuleCase(why="none", series=of_prometheus(COMPACTION_FAILURES=counter((0, 2400)), **_quiet()), at=2100),
            RuleCase(
                why="one failed, twenty minutes ago",
                series=of_prometheus(COMPACTION_FAILURES=counter((0, 600), (1 / 60, 60), (0, 2400)), **_quiet()),
                at=1860,
            ),
            *(
                RuleCase(
                    why=f"it fails at another part: {name}",
                    series=of_prometheus(
                        **{**_quiet(), "COMPACTION_FAILURES": counter((1 / 60, 2400)), name: counter((1 / 600, 2400))}
                    ),
                    at=2100,
                )
                for name in _quiet()
            ),
        ),
        positive_cases=(
            RuleCase(
                why="one in ten minutes",
                series=of_prometheus(COMPACTION_FAILURES=counter((1 / 600, 2700)), **_quiet()),
                at=2400,
            ),
            *(
                RuleCase(
                    why=f"what failed at another part was put right twenty minutes ago: {name}",
                    series=of_prometheus(
                        **{
                            **_quiet(),
                            "COMPACTION_FAILURES": counter((1 / 60, 3000)),
                            name: counter((1 / 60, 600), (0, 2400)),
                        }
                    ),
                    at=2100,
                )
                for name in _quiet()
            ),
        ),
    )


def _quiet() -> dict[str, Values]:
    return {name: counter((0, 3600)) for name in ("BLOCK_FAILURES", *SHORTENING_NAMES)}
