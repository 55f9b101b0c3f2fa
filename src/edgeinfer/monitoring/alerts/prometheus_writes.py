"""Alerts on what Prometheus writes now: its write-ahead log, failing writes, and samples with a wrong clock."""

from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, counter, gauge
from edgeinfer.monitoring.alerts.store_series import (
    LOOK_AT_DISK,
    ONCE,
    PROMETHEUS,
    RETRIED,
    SHORTENING,
    SHORTENING_NAMES,
    TARGET,
    grown,
    of_prometheus,
    ten_failed_attempts,
)
from edgeinfer.monitoring.thresholds import STORE_DAMAGE_SECONDS


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _log_not_shortened(),
        _log_damaged(),
        _writes_failing(),
        _out_of_order_timestamps(),
    ]


def _log_not_shortened() -> Alert:
    def shortening(name: str, moves: Values) -> dict[str, Values]:
        return of_prometheus(**{one: counter((0, 3600)) for one in SHORTENING_NAMES} | {name: moves})

    return Alert(
        name="PrometheusWriteAheadLogGrowing",
        provoked_by="segment-damaged",
        expression=" + ".join(grown(counted) for counted in SHORTENING) + " > 0",
        for_="5m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Prometheus cannot shorten its write-ahead log",
        description="{{ $value | humanize }} failed attempts in 15 minutes.",
        runbook=Runbook(
            meaning="A segment of the log is damaged or cannot be removed, so no checkpoint takes its place.",
            impact=(
                "The log fills the disk. At the next start everything after the damage is dropped: "
                "what was measured since the last block."
            ),
            diagnosis=(
                RunbookStep(
                    "Which segment, and why?",
                    {
                        "`corruption in segment`": (
                            "continue; what comes after that place in the log is lost at a restart."
                        ),
                        "`no space left on device`": "see HailoDiskFull.",
                    },
                    command="journalctl -u prometheus --since -15min | grep -iE 'checkpoint|truncat' | tail -2",
                ),
                LOOK_AT_DISK,
                RunbookStep(
                    "Wait for the next full two hours, when a block is written, then let Prometheus repair its log.",
                    {
                        "`WAL corruption repaired` or `WAL replay completed`": (
                            "done; PrometheusWriteAheadLogDamaged reports for an hour that something was lost."
                        ),
                        "it does not start": "`journalctl -u prometheus -n 20` names the file: move it out of `wal`.",
                    },
                    command="sudo systemctl restart prometheus && journalctl -u prometheus -f -n 20",
                ),
            ),
        ),
        rule_test=ten_failed_attempts(shortening("CHECKPOINT_FAILURES", counter((1 / 60, 1800), (0, 1800)))),
        negative_cases=(
            RuleCase(why="none failed", series=shortening("CHECKPOINT_FAILURES", counter((0, 2400))), at=2100),
            *(
                RuleCase(
                    why=f"one failed, twenty minutes ago: {name}",
                    series=shortening(name, counter((0, 600), (1 / 60, 60), (0, 2400))),
                    at=1860,
                )
                for name in SHORTENING_NAMES
            ),
        ),
        # Only a damaged segment can be provoked in a test: removing a file fails on a broken disk alone.
        positive_cases=tuple(
            RuleCase(why=f"one in ten minutes: {name}", series=shortening(name, counter((1 / 600, 2700))), at=2400)
            for name in SHORTENING_NAMES
        ),
    )


def _log_damaged() -> Alert:
    found = " + ".join(
        ONCE.gauge(one, by=TARGET) for one in (prometheus_metrics.WAL_CORRUPTIONS, prometheus_metrics.CHUNK_CORRUPTIONS)
    )
    started = ONCE.gauge(prometheus_metrics.STARTED, by=TARGET)

    def start(wal: float, chunks: float) -> dict[str, Values]:
        return of_prometheus(
            WAL_CORRUPTIONS=gauge((wal, 6000)), CHUNK_CORRUPTIONS=gauge((chunks, 6000)), STARTED=gauge((600, 6000))
        )

    return Alert(
        name="PrometheusWriteAheadLogDamaged",
        provoked_by="log-damaged",
        expression=f"{found} > 0\nand on (job, instance) (time() - {started} < {STORE_DAMAGE_SECONDS})",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Prometheus lost measurements: its log was damaged",
        description="It was repaired by dropping what came after the damage; this is reported for an hour.",
        runbook=Runbook(
            meaning="The newest measurements, up to three hours, are in a log that a power cut or a bad disk damaged.",
            impact="A gap in the graphs. Alerts with long windows have less data than they need for as long.",
            diagnosis=(
                RunbookStep(
                    "What was repaired?",
                    {
                        "`Encountered WAL read error, attempting repair`": "everything after that place is gone.",
                        "`Loading on-disk chunks failed`": "it was read again from the log: nothing is lost.",
                    },
                    command="journalctl -u prometheus --since -2h | grep -iE 'repair|corrupt|failed' | tail",
                ),
                RunbookStep(
                    "Was it a power cut?",
                    {
                        "the log of the boot before breaks off": "yes: give the machine a stable supply.",
                        "it ended cleanly": "then the disk returns other bytes than were written; continue.",
                    },
                    command="journalctl -b -1 -n 5",
                ),
                LOOK_AT_DISK,
            ),
        ),
        rule_test=RuleTest(
            series=start(1, 0),
            firing_at=4140,
            resolved_at=4200,
            labels=PROMETHEUS,
            expected_description="It was repaired by dropping what came after the damage; this is reported for an "
            "hour.",
            interval_seconds=60,
        ),
        negative_cases=(RuleCase(why="nothing was damaged", series=start(0, 0), at=1800),),
        positive_cases=(RuleCase(why="chunks of the head were damaged", series=start(0, 1), at=1800),),
    )


def _writes_failing() -> Alert:
    return Alert(
        name="PrometheusWritesFailing",
        provoked_by="writes-refused",
        expression=f"{grown(prometheus_metrics.WAL_WRITE_FAILURES)} > 0",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Prometheus could not write samples to disk",
        # While no write succeeds this cannot be measured either: it is reported after the first that does.
        description="{{ $value | humanize }} scrapes or rules were lost in 15 minutes.",
        runbook=Runbook(
            meaning="Appending to the write-ahead log failed: the disk is full, or broken.",
            impact="Measurements are missing, and alerts that needed them could not fire.",
            diagnosis=(
                LOOK_AT_DISK,
                RunbookStep(
                    "What does Prometheus log?",
                    {
                        "`no space left on device`": "see HailoDiskFull: what fills the disk?",
                        "`input/output error` or `read-only file system`": "the disk is failing: replace it.",
                        "nothing within the last minutes": "it is over; there is a gap in the graphs.",
                    },
                    command="journalctl -u prometheus --since -15min | grep -i 'write to WAL' | tail -2",
                ),
            ),
        ),
        rule_test=RuleTest(
            series=of_prometheus(WAL_WRITE_FAILURES=counter((0, 600), (1 / 15, 60), (0, 2400))),
            firing_at=1200,
            resolved_at=1680,
            labels=PROMETHEUS,
            expected_description="4 scrapes or rules were lost in 15 minutes.",
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="none", series=of_prometheus(WAL_WRITE_FAILURES=counter((0, 1800))), at=1500),
            RuleCase(
                why="twenty minutes ago",
                series=of_prometheus(WAL_WRITE_FAILURES=counter((0, 600), (1 / 15, 60), (0, 2400))),
                at=1860,
            ),
        ),
        positive_cases=(
            RuleCase(
                why="a single one",
                series=of_prometheus(WAL_WRITE_FAILURES=counter((0, 600), (1 / 60, 60), (0, 2400))),
                at=1200,
            ),
        ),
    )


def _out_of_order_timestamps() -> Alert:
    names = ("OUT_OF_ORDER", "OUT_OF_BOUNDS", "OUT_OF_ORDER_STORED", "TOO_OLD")
    grew = "\nor ".join(f"{grown(getattr(prometheus_metrics, name))} > 0" for name in names)
    # A reload that changes a job starts its scrapes again, and their first samples overlap with the last ones before;
    # it is looked for further back than they are, because they come after it.
    reloaded = RETRIED.select(prometheus_metrics.CONFIGURATION_LOADED_AT)

    once_loaded, loaded_again = gauge((1, 3600)), gauge((1, 600), (601, 3000))

    def sample(name: str, moves: Values, loaded: Values = once_loaded) -> dict[str, Values]:
        counted = dict.fromkeys(names, counter((0, 3600))) | {name: moves}
        return of_prometheus(CONFIGURATION_LOADED_AT=loaded, **counted)

    once = counter((0, 600), (1 / 60, 60), (0, 2400))
    return Alert(
        name="PrometheusOutOfOrderTimestamps",
        provoked_by="samples-late",
        expression=f"({grew})\nunless on (job, instance) changes({reloaded}[20m]) > 0",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Prometheus received samples older than those it has",
        description="{{ $value | humanize }} samples in 15 minutes were out of order or out of bounds.",
        runbook=Runbook(
            meaning=(
                "The clock of this machine was set back, or was ahead before; "
                "or a target sends times of its own that are wrong."
            ),
            impact=(
                "Samples are refused, or stored among older ones. "
                "For as long as the clock was ahead, rates are wrong and alerts may not fire."
            ),
            diagnosis=(
                RunbookStep(
                    "Is the time right, and synchronised?",
                    {
                        "`System clock synchronized: yes` and the right time": (
                            "it was corrected just now: alerts are reliable again once that much time has passed."
                        ),
                        "no": "`sudo systemctl restart systemd-timesyncd`, and see whether a time server is reached.",
                    },
                    command="timedatectl status",
                ),
                RunbookStep(
                    "When did it jump?",
                    {
                        "a line of systemd-timesyncd or chronyd": (
                            "it jumped at that time, as a Pi without a clock chip does."
                        ),
                        "nothing": "a target sends times of its own; continue.",
                    },
                    command="journalctl --since -1h | grep -iE 'time has been changed|clock synchroni'",
                ),
                RunbookStep(
                    "Which target sends these samples?",
                    {
                        "one target": "its exporter sends times: correct its clock, or `honor_timestamps: false`.",
                        "all of them": "it is this machine's clock.",
                    },
                    command="journalctl -u prometheus --since -15min | grep -iE 'out-of-order|out of bounds|too old'",
                ),
            ),
        ),
        rule_test=RuleTest(
            series=sample("OUT_OF_ORDER", counter((0, 600), (1, 60), (0, 2400))),
            firing_at=1200,
            resolved_at=1680,
            labels=PROMETHEUS,
            expected_description="60 samples in 15 minutes were out of order or out of bounds.",
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="all in order", series=sample("OUT_OF_ORDER", counter((0, 3600))), at=1500),
            RuleCase(
                why="the configuration was loaded again",
                series=sample("OUT_OF_ORDER", once, loaded=loaded_again),
                at=1200,
            ),
            RuleCase(
                why="its configuration was loaded again a quarter of an hour ago",
                series=sample("OUT_OF_ORDER", once, loaded=loaded_again),
                at=1500,
            ),
            *(RuleCase(why=f"twenty minutes ago: {name}", series=sample(name, once), at=1860) for name in names),
        ),
        positive_cases=(
            *(RuleCase(why=f"a single sample: {name}", series=sample(name, once), at=1200) for name in names),
            RuleCase(
                why="twenty minutes after it was loaded again",
                series=sample("OUT_OF_ORDER", counter((0, 600), (1, 3000)), loaded=loaded_again),
                at=1860,
            ),
        ),
    )
