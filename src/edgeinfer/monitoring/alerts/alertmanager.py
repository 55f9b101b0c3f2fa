"""Alerts on Alertmanager: unreachable, with a refused configuration, or unable to save its state."""

from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, counter, gauge
from edgeinfer.monitoring.alerts.store_series import LOOK_AT_DISK, ONCE, PROMETHEUS, TARGET, grown, series_of
from edgeinfer.monitoring.promql import BuiltIn, Queries

_ALERTMANAGER = {"job": "alertmanager", "instance": "alertmanager:9093"}
_DELIVERY = Queries("5m", {})


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _alertmanager_unreachable(),
        _alertmanager_configuration_refused(),
        _alertmanager_state_unsaved(),
    ]


def _alertmanager_unreachable() -> Alert:
    errors = _DELIVERY.increase(prometheus_metrics.NOTIFICATION_ERRORS, by=(*TARGET, "alertmanager"))
    dropped = _DELIVERY.increase(prometheus_metrics.NOTIFICATIONS_DROPPED, by=TARGET)
    one = PROMETHEUS | {"alertmanager": "http://alertmanager:9093/api/v2/alerts"}

    def delivery(failed: Values, lost: Values) -> dict[str, Values]:
        return {
            series_of(prometheus_metrics.NOTIFICATION_ERRORS, one): failed,
            series_of(prometheus_metrics.NOTIFICATIONS_DROPPED, PROMETHEUS): lost,
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
                RunbookStep(
                    "Is it up?",
                    {
                        "OK": "Prometheus has another address for it: `alerting:` in prometheus.yml.",
                        "connection refused": "start it, or take its address out of prometheus.yml, and reload.",
                    },
                    command="curl -s -m 5 http://ALERTMANAGER/-/ready",
                ),
                RunbookStep(
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
            series=delivery(counter((0.1, 900), (0, 900)), counter((0, 1800))),
            pending_at=285,
            firing_at=420,
            resolved_at=1260,
            labels=one,
            expected_description="30 errors in 5 minutes at "
            "http://alertmanager:9093/api/v2/alerts; another one accepted them.",
        ),
        negative_cases=(
            RuleCase(why="none", series=delivery(counter((0, 900)), counter((0, 900))), at=800),
            RuleCase(
                why="none accepted them, which another alert reports",
                series=delivery(counter((0.1, 900)), counter((0.1, 900))),
                at=800,
            ),
            RuleCase(why="one alert was lost", series=delivery(counter((0.1, 900)), counter((1 / 240, 900))), at=800),
        ),
        positive_cases=(
            RuleCase(why="one in four minutes", series=delivery(counter((1 / 240, 1500)), counter((0, 1500))), at=1400),
            RuleCase(
                why="none accepted them a while ago, and now one does",
                series=delivery(counter((0.1, 1800)), counter((0.1, 600), (0, 1200))),
                at=1500,
            ),
        ),
    )


def _alertmanager_configuration_refused() -> Alert:
    loaded = series_of(prometheus_metrics.ALERTMANAGER_LOADED, _ALERTMANAGER)
    return Alert(
        name="AlertmanagerConfigurationRefused",
        provoked_by="receivers-broken",
        expression=f"{_DELIVERY.gauge(prometheus_metrics.ALERTMANAGER_LOADED, how='min', by=TARGET)} == 0",
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
                RunbookStep(
                    "Where is the error?",
                    {
                        "a line": "fix it, or write the file again with `edgeinfer config alertmanager`.",
                        "SUCCESS": "the file is already fixed: only reload.",
                    },
                    command="amtool check-config /etc/edgeinfer/alertmanager.yml",
                ),
                RunbookStep(
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
        before = f"sum by (job, instance) (increase({counted.name}[{ONCE.window}] offset {ONCE.window}))"
        return f"({grown(counted, ONCE)} == 0 and {before})"

    expression = "\nor ".join(
        [
            unwritten(prometheus_metrics.LOG_WRITTEN),
            unwritten(prometheus_metrics.SILENCES_WRITTEN),
            *(
                f"{grown(counted, ONCE)} > 0"
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
            series_of(getattr(prometheus_metrics, name), _ALERTMANAGER): value for name, value in (well | moves).items()
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
                RunbookStep(
                    "Why does it fail?",
                    {
                        "`no such file or directory`": "its folder was removed; continue.",
                        "`no space left on device`": "see HailoDiskFull.",
                        "`permission denied`": "its folder is owned by another user than that of its unit.",
                    },
                    command="journalctl -u prometheus-alertmanager --since -1h | grep 'maintenance failed' | tail -2",
                ),
                RunbookStep(
                    "Does its folder exist, and who owns it?",
                    {
                        "prometheus prometheus": "it is correct; check the disk.",
                        "not there": "create it, owned by that user: both are written within 15 minutes.",
                    },
                    command="ls -ld /var/lib/prometheus/alertmanager",
                ),
                LOOK_AT_DISK,
            ),
        ),
        rule_test=RuleTest(
            series=state(LOG_WRITTEN=counter((1 / 900, 7200), (0, 7200), (1 / 15, 3600))),
            pending_at=10_920,
            firing_at=11_130,
            resolved_at=14_700,
            labels=_ALERTMANAGER,
            expected_description="It writes both every 15 minutes, and did not, or failed, within the last hour.",
            # No divisor of an hour: Prometheus 2 counts a sample at the far end of its range, and 3 does not.
            interval_seconds=210,
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
