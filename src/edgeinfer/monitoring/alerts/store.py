"""Alerts on the files and the delivery of Prometheus and Alertmanager: monitoring of the monitoring."""

from collections.abc import Mapping

from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, Severity, Step
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, counter, gauge
from edgeinfer.monitoring.promql import BuiltIn, Queries
from edgeinfer.monitoring.thresholds import STORE_DAMAGE_SECONDS

_TARGET = ("job", "instance")
_PROMETHEUS = {"job": "prometheus", "instance": "prometheus:9090"}
_ALERTMANAGER = {"job": "alertmanager", "instance": "alertmanager:9093"}
# Prometheus tries again each minute, or less often the longer it fails.
_RETRIED = Queries("15m", {})
# What happens once, at start, keeps firing for an hour.
_ONCE = Queries("1h", {})
_DELIVERY = Queries("5m", {})

_LOOK_AT_DISK = Step(
    "Is there free space, and does the disk accept writes?",
    {
        "no space is left": "see HailoDiskFull.",
        "there is space": "continue; errors of the card in `dmesg` mean that the card is worn out: replace it.",
    },
    command="df -h /var/lib/prometheus; sudo dmesg | grep -iE 'I/O error|mmc|ext4' | tail",
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
        _log_not_shortened(),
        _log_damaged(),
        _writes_failing(),
        _clock_trouble(),
        _alertmanager_unreachable(),
        _alertmanager_configuration_refused(),
        _alertmanager_state_unsaved(),
    ]


def _series(counted: BuiltIn, labels: Mapping[str, str]) -> str:
    inside = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{counted.name}{{{inside}}}"


def _of_prometheus(**values: Values) -> dict[str, Values]:
    """Series of Prometheus by the names that this module gives them in `prometheus_metrics`."""
    return {_series(getattr(prometheus_metrics, name), _PROMETHEUS): value for name, value in values.items()}


def _grown(counted: BuiltIn, queries: Queries = _RETRIED) -> str:
    return queries.increase(counted, by=_TARGET)


def _block_unreadable() -> Alert:
    return Alert(
        name="PrometheusBlockUnreadable",
        provoked_by="block-unreadable",
        expression=f"{_grown(prometheus_metrics.BLOCK_FAILURES)} > 0",
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
                Step(
                    "Which block is it?",
                    {
                        "`corrupted block` and a name of 26 letters": "that folder is the one; continue.",
                        "nothing": "the block was removed meanwhile; the alert resolves within 15 minutes.",
                    },
                    command="journalctl -u prometheus --since -15min | grep -i 'corrupted block' | tail -1",
                ),
                _LOOK_AT_DISK,
                Step(
                    "Set it aside, with its name in place of BLOCK; what it holds is lost to the graphs.",
                    {
                        "the alert resolves within 20 minutes": "done; keep the folder until you know why it broke.",
                        "another block is named": "do the same for that block.",
                    },
                    command="sudo mv /var/lib/prometheus/metrics2/BLOCK /var/lib/prometheus/",
                ),
                Step(
                    "Does it run under `edgeinfer up`?",
                    {"yes": _STACK, "no": "the steps above are all."},
                ),
            ),
        ),
        rule_test=RuleTest(
            series=_of_prometheus(BLOCK_FAILURES=counter((1 / 60, 1800), (0, 1800))),
            pending_at=300,
            firing_at=600,
            resolved_at=2760,
            labels=_PROMETHEUS,
            expected_description="10 failed attempts in 15 minutes.",
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="none failed", series=_of_prometheus(BLOCK_FAILURES=counter((0, 2400))), at=2100),
            RuleCase(
                why="one failed, twenty minutes ago",
                series=_of_prometheus(BLOCK_FAILURES=counter((0, 600), (1 / 60, 60), (0, 2400))),
                at=1860,
            ),
        ),
        positive_cases=(
            RuleCase(
                why="one in ten minutes",
                series=_of_prometheus(BLOCK_FAILURES=counter((1 / 600, 2700))),
                at=2400,
            ),
        ),
    )


def _compaction_failing() -> Alert:
    others = " + ".join(_grown(counted) for counted in (prometheus_metrics.BLOCK_FAILURES, *_SHORTENING))
    return Alert(
        name="PrometheusCompactionFailing",
        provoked_by="chunks-damaged",
        # Each attempt fails at the first of its parts: a part with its own alert is reported by that.
        expression=f"{_grown(prometheus_metrics.COMPACTION_FAILURES)} > 0\nunless on (job, instance) ({others} > 0)",
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
                Step(
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
                _LOOK_AT_DISK,
                Step(
                    "Set the block aside, with its name in place of BLOCK; what it holds is lost to the graphs.",
                    {
                        "the alert resolves within 20 minutes": "done.",
                        "another block is named": "do the same for that block.",
                    },
                    command="sudo mv /var/lib/prometheus/metrics2/BLOCK /var/lib/prometheus/",
                ),
            ),
        ),
        rule_test=RuleTest(
            series=_of_prometheus(COMPACTION_FAILURES=counter((1 / 60, 1800), (0, 1800)), **_quiet()),
            pending_at=300,
            firing_at=600,
            resolved_at=2760,
            labels=_PROMETHEUS,
            expected_description="10 failed attempts in 15 minutes.",
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="none", series=_of_prometheus(COMPACTION_FAILURES=counter((0, 2400)), **_quiet()), at=2100),
            RuleCase(
                why="one failed, twenty minutes ago",
                series=_of_prometheus(COMPACTION_FAILURES=counter((0, 600), (1 / 60, 60), (0, 2400)), **_quiet()),
                at=1860,
            ),
            *(
                RuleCase(
                    why=f"it fails at another part: {name}",
                    series=_of_prometheus(
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
                series=_of_prometheus(COMPACTION_FAILURES=counter((1 / 600, 2700)), **_quiet()),
                at=2400,
            ),
            *(
                RuleCase(
                    why=f"what failed at another part was put right twenty minutes ago: {name}",
                    series=_of_prometheus(
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


_SHORTENING = (
    prometheus_metrics.HEAD_TRUNCATION_FAILURES,
    prometheus_metrics.WAL_TRUNCATION_FAILURES,
    prometheus_metrics.CHECKPOINT_FAILURES,
    prometheus_metrics.OLD_CHECKPOINT_FAILURES,
)
_SHORTENING_NAMES = (
    "HEAD_TRUNCATION_FAILURES",
    "WAL_TRUNCATION_FAILURES",
    "CHECKPOINT_FAILURES",
    "OLD_CHECKPOINT_FAILURES",
)


def _quiet() -> dict[str, Values]:
    return {name: counter((0, 3600)) for name in ("BLOCK_FAILURES", *_SHORTENING_NAMES)}


def _log_not_shortened() -> Alert:
    def shortening(name: str, moves: Values) -> dict[str, Values]:
        return _of_prometheus(**{one: counter((0, 3600)) for one in _SHORTENING_NAMES} | {name: moves})

    return Alert(
        name="PrometheusWriteAheadLogGrowing",
        provoked_by="segment-damaged",
        expression=" + ".join(_grown(counted) for counted in _SHORTENING) + " > 0",
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
                Step(
                    "Which segment, and why?",
                    {
                        "`corruption in segment`": (
                            "continue; what comes after that place in the log is lost at a restart."
                        ),
                        "`no space left on device`": "see HailoDiskFull.",
                    },
                    command="journalctl -u prometheus --since -15min | grep -iE 'checkpoint|truncat' | tail -2",
                ),
                _LOOK_AT_DISK,
                Step(
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
        rule_test=RuleTest(
            series=shortening("CHECKPOINT_FAILURES", counter((1 / 60, 1800), (0, 1800))),
            pending_at=300,
            firing_at=600,
            resolved_at=2760,
            labels=_PROMETHEUS,
            expected_description="10 failed attempts in 15 minutes.",
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="none failed", series=shortening("CHECKPOINT_FAILURES", counter((0, 2400))), at=2100),
            *(
                RuleCase(
                    why=f"one failed, twenty minutes ago: {name}",
                    series=shortening(name, counter((0, 600), (1 / 60, 60), (0, 2400))),
                    at=1860,
                )
                for name in _SHORTENING_NAMES
            ),
        ),
        # Only a damaged segment can be provoked in a test: removing a file fails on a broken disk alone.
        positive_cases=tuple(
            RuleCase(why=f"one in ten minutes: {name}", series=shortening(name, counter((1 / 600, 2700))), at=2400)
            for name in _SHORTENING_NAMES
        ),
    )


def _log_damaged() -> Alert:
    found = " + ".join(
        _ONCE.gauge(one, by=_TARGET)
        for one in (prometheus_metrics.WAL_CORRUPTIONS, prometheus_metrics.CHUNK_CORRUPTIONS)
    )
    started = _ONCE.gauge(prometheus_metrics.STARTED, by=_TARGET)

    def start(wal: float, chunks: float) -> dict[str, Values]:
        return _of_prometheus(
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
                Step(
                    "What was repaired?",
                    {
                        "`Encountered WAL read error, attempting repair`": "everything after that place is gone.",
                        "`Loading on-disk chunks failed`": "it was read again from the log: nothing is lost.",
                    },
                    command="journalctl -u prometheus --since -2h | grep -iE 'repair|corrupt|failed' | tail",
                ),
                Step(
                    "Was it a power cut?",
                    {
                        "the log of the boot before breaks off": "yes: give the machine a stable supply.",
                        "it ended cleanly": "then the disk returns other bytes than were written; continue.",
                    },
                    command="journalctl -b -1 -n 5",
                ),
                _LOOK_AT_DISK,
            ),
        ),
        rule_test=RuleTest(
            series=start(1, 0),
            firing_at=4140,
            resolved_at=4200,
            labels=_PROMETHEUS,
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
        expression=f"{_grown(prometheus_metrics.WAL_WRITE_FAILURES)} > 0",
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
                _LOOK_AT_DISK,
                Step(
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
            series=_of_prometheus(WAL_WRITE_FAILURES=counter((0, 600), (1 / 15, 60), (0, 2400))),
            firing_at=1200,
            resolved_at=1680,
            labels=_PROMETHEUS,
            expected_description="4 scrapes or rules were lost in 15 minutes.",
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="none", series=_of_prometheus(WAL_WRITE_FAILURES=counter((0, 1800))), at=1500),
            RuleCase(
                why="twenty minutes ago",
                series=_of_prometheus(WAL_WRITE_FAILURES=counter((0, 600), (1 / 15, 60), (0, 2400))),
                at=1860,
            ),
        ),
        positive_cases=(
            RuleCase(
                why="a single one",
                series=_of_prometheus(WAL_WRITE_FAILURES=counter((0, 600), (1 / 60, 60), (0, 2400))),
                at=1200,
            ),
        ),
    )


def _clock_trouble() -> Alert:
    names = ("OUT_OF_ORDER", "OUT_OF_BOUNDS", "OUT_OF_ORDER_STORED", "TOO_OLD")

    def sample(name: str, moves: Values) -> dict[str, Values]:
        return _of_prometheus(**dict.fromkeys(names, counter((0, 3600))) | {name: moves})

    once = counter((0, 600), (1 / 60, 60), (0, 2400))
    return Alert(
        name="PrometheusClockTrouble",
        provoked_by="samples-late",
        expression="\nor ".join(f"{_grown(getattr(prometheus_metrics, name))} > 0" for name in names),
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
                Step(
                    "Is the time right, and synchronised?",
                    {
                        "`System clock synchronized: yes` and the right time": (
                            "it was corrected just now: alerts are reliable again once that much time has passed."
                        ),
                        "no": "`sudo systemctl restart systemd-timesyncd`, and see whether a time server is reached.",
                    },
                    command="timedatectl status",
                ),
                Step(
                    "When did it jump?",
                    {
                        "a line of systemd-timesyncd or chronyd": (
                            "it jumped at that time, as a Pi without a clock chip does."
                        ),
                        "nothing": "a target sends times of its own; continue.",
                    },
                    command="journalctl --since -1h | grep -iE 'time has been changed|clock synchroni'",
                ),
                Step(
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
            labels=_PROMETHEUS,
            expected_description="60 samples in 15 minutes were out of order or out of bounds.",
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="all in order", series=sample("OUT_OF_ORDER", counter((0, 3600))), at=1500),
            *(RuleCase(why=f"twenty minutes ago: {name}", series=sample(name, once), at=1860) for name in names),
        ),
        positive_cases=tuple(
            RuleCase(why=f"a single sample: {name}", series=sample(name, once), at=1200) for name in names
        ),
    )


def _alertmanager_unreachable() -> Alert:
    errors = _DELIVERY.increase(prometheus_metrics.NOTIFICATION_ERRORS, by=(*_TARGET, "alertmanager"))
    dropped = _DELIVERY.increase(prometheus_metrics.NOTIFICATIONS_DROPPED, by=_TARGET)
    one = _PROMETHEUS | {"alertmanager": "http://alertmanager:9093/api/v2/alerts"}

    def series(failed: Values, lost: Values) -> dict[str, Values]:
        return {
            _series(prometheus_metrics.NOTIFICATION_ERRORS, one): failed,
            _series(prometheus_metrics.NOTIFICATIONS_DROPPED, _PROMETHEUS): lost,
        }

    return Alert(
        name="PrometheusAlertmanagerUnreachable",
        provoked_by="alertmanager-elsewhere",
        expression=f"{errors} > 0\nunless on (job, instance) ({dropped} > 0)",
        for_="5m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="One of several Alertmanagers does not accept alerts",
        description="{{ $value | humanize }} errors in 5 minutes at {{ $labels.alertmanager }}; another one accepted "
        "them.",
        runbook=Runbook(
            meaning="One Alertmanager of prometheus.yml is down, slow or at another address, and another one "
            "accepted the alerts.",
            impact="None yet. If the other fails as well, no notification is sent.",
            diagnosis=(
                Step(
                    "Is it up?",
                    {
                        "OK": "Prometheus has another address for it: `alerting:` in prometheus.yml.",
                        "connection refused": "start it, or take its address out of prometheus.yml, and reload.",
                    },
                    command="curl -s -m 5 http://ALERTMANAGER/-/ready",
                ),
                Step(
                    "What does Prometheus log?",
                    {
                        "`connection refused` or `no such host`": "the address, or the process.",
                        "`context deadline exceeded`": "it is slow: check its machine.",
                        "`bad response status 4..`": "it is not an Alertmanager, or requires a login.",
                    },
                    command="journalctl -u prometheus --since -5min | grep -i 'sending alert' | tail -1",
                ),
            ),
        ),
        rule_test=RuleTest(
            series=series(counter((0.1, 900), (0, 900)), counter((0, 1800))),
            pending_at=285,
            firing_at=420,
            resolved_at=1260,
            labels=one,
            expected_description="30 errors in 5 minutes at "
            "http://alertmanager:9093/api/v2/alerts; another one accepted them.",
        ),
        negative_cases=(
            RuleCase(why="none", series=series(counter((0, 900)), counter((0, 900))), at=800),
            RuleCase(
                why="none accepted them, which another alert reports",
                series=series(counter((0.1, 900)), counter((0.1, 900))),
                at=800,
            ),
            RuleCase(why="one alert was lost", series=series(counter((0.1, 900)), counter((1 / 240, 900))), at=800),
        ),
        positive_cases=(
            RuleCase(why="one in four minutes", series=series(counter((1 / 240, 1500)), counter((0, 1500))), at=1400),
            RuleCase(
                why="none accepted them a while ago, and now one does",
                series=series(counter((0.1, 1800)), counter((0.1, 600), (0, 1200))),
                at=1500,
            ),
        ),
    )


def _alertmanager_configuration_refused() -> Alert:
    loaded = _series(prometheus_metrics.ALERTMANAGER_LOADED, _ALERTMANAGER)
    return Alert(
        name="AlertmanagerConfigurationRefused",
        provoked_by="receivers-broken",
        expression=f"{_DELIVERY.gauge(prometheus_metrics.ALERTMANAGER_LOADED, how='min', by=_TARGET)} == 0",
        for_="5m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Alertmanager runs with an old configuration",
        description="Its last reload failed; the previous receivers and routes stay in effect.",
        runbook=Runbook(
            meaning="alertmanager.yml has an error, so Alertmanager kept the previous configuration.",
            impact="A receiver that you added gets nothing. At its next start Alertmanager exits, and no "
            "notification is sent.",
            diagnosis=(
                Step(
                    "Where is the error?",
                    {
                        "a line": "fix it, or write the file again with `edgeinfer config alertmanager`.",
                        "SUCCESS": "the file is already fixed: only reload.",
                    },
                    command="amtool check-config /etc/edgeinfer/alertmanager.yml",
                ),
                Step(
                    "Reload.",
                    {
                        "the alert resolves within a minute": "done.",
                        "it keeps firing": "`journalctl -u prometheus-alertmanager -n 20` shows what it rejects.",
                    },
                    command="sudo systemctl reload prometheus-alertmanager",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={loaded: gauge((0, 600), (1, 600))},
            pending_at=285,
            firing_at=330,
            resolved_at=630,
            labels=_ALERTMANAGER,
            expected_description="Its last reload failed; the previous receivers and routes stay in effect.",
        ),
        negative_cases=(RuleCase(why="it loaded", series={loaded: gauge((1, 600))}, at=500),),
    )


def _alertmanager_state_unsaved() -> Alert:
    def unwritten(counted: BuiltIn) -> str:
        # It writes each quarter of an hour. One that was not there an hour ago may not have had its turn.
        before = f"sum by (job, instance) (increase({counted.name}[{_ONCE.window}] offset {_ONCE.window}))"
        return f"({_grown(counted, _ONCE)} == 0 and {before})"

    expression = "\nor ".join(
        [
            unwritten(prometheus_metrics.LOG_WRITTEN),
            unwritten(prometheus_metrics.SILENCES_WRITTEN),
            *(
                f"{_grown(counted, _ONCE)} > 0"
                for counted in (prometheus_metrics.LOG_ERRORS, prometheus_metrics.SILENCES_ERRORS)
            ),
        ]
    )
    names = ("LOG_WRITTEN", "SILENCES_WRITTEN", "LOG_ERRORS", "SILENCES_ERRORS")

    def state(**moves: Values) -> dict[str, Values]:
        well = {name: counter((1 / 900, 14_400)) for name in names[:2]} | {
            name: counter((0, 14_400)) for name in names[2:]
        }
        return {
            _series(getattr(prometheus_metrics, name), _ALERTMANAGER): value for name, value in (well | moves).items()
        }

    stopped = counter((1 / 900, 7200), (0, 5400))
    once = counter((0, 3600), (1 / 300, 300), (0, 10_000))
    restarted = gauge((2, 1800), (None, 7200), (0, 2400))
    return Alert(
        name="AlertmanagerStateUnsaved",
        provoked_by="state-folder-gone",
        expression=expression,
        for_="5m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Alertmanager cannot save its silences and notification log",
        description="It writes both every 15 minutes, and did not, or failed, within the last hour.",
        runbook=Runbook(
            meaning="Its folder is gone or full, or the disk accepts no writes.",
            impact="None while it runs. After a restart silences are gone, and notifications are sent again.",
            diagnosis=(
                Step(
                    "Why does it fail?",
                    {
                        "`no such file or directory`": "its folder was removed; continue.",
                        "`no space left on device`": "see HailoDiskFull.",
                        "`permission denied`": "its folder is owned by another user than that of its unit.",
                    },
                    command="journalctl -u prometheus-alertmanager --since -1h | grep 'maintenance failed' | tail -2",
                ),
                Step(
                    "Does its folder exist, and who owns it?",
                    {
                        "prometheus prometheus": "it is correct; check the disk.",
                        "not there": "create it, owned by that user: both are written within 15 minutes.",
                    },
                    command="ls -ld /var/lib/prometheus/alertmanager",
                ),
                _LOOK_AT_DISK,
            ),
        ),
        rule_test=RuleTest(
            series=state(LOG_WRITTEN=counter((1 / 900, 7200), (0, 7200), (1 / 15, 3600))),
            pending_at=10_800,
            firing_at=11_100,
            resolved_at=14_700,
            labels=_ALERTMANAGER,
            expected_description="It writes both every 15 minutes, and did not, or failed, within the last hour.",
            interval_seconds=300,
        ),
        negative_cases=(
            RuleCase(why="it writes and does not fail", series=state(), at=12_600),
            RuleCase(
                why="it was started half an hour ago and has written nothing yet",
                series=state(LOG_WRITTEN=counter((0, 1800)), SILENCES_WRITTEN=counter((0, 1800))),
                at=1500,
            ),
            RuleCase(
                why="it was off for two hours, and has written nothing since",
                series=state(LOG_WRITTEN=restarted, SILENCES_WRITTEN=restarted),
                at=10_800,
            ),
            *(
                RuleCase(why=f"it failed two hours ago: {name}", series=state(**{name: once}), at=10_800)
                for name in names[2:]
            ),
        ),
        positive_cases=(
            *(RuleCase(why=f"it stopped: {name}", series=state(**{name: stopped}), at=12_000) for name in names[:2]),
            *(
                RuleCase(why=f"it failed once, half an hour ago: {name}", series=state(**{name: once}), at=5400)
                for name in names[2:]
            ),
        ),
    )
