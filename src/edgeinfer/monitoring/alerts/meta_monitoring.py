"""Alerts on the monitoring itself, and the heartbeat that shows that alerting works."""

from dataclasses import dataclass

from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, counter, gauge
from edgeinfer.monitoring.promql import BuiltIn, Queries
from edgeinfer.monitoring.thresholds import REMOTE_WRITE_BEHIND_SECONDS

_PROMETHEUS = 'job="prometheus", instance="prometheus:9090"'
_SIDECAR = 'job="hailo-inference", instance="sidecar:9000"'
_TARGET = ("job", "instance")
_Q = Queries("5m", {})


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        *(_failing(kind) for kind in _FAILURES),
        _configuration_refused(),
        _remote_write_behind(),
        _watchdog(),
    ]


@dataclass(frozen=True, slots=True)
class _Failure:
    """A counter of Prometheus or Alertmanager that must not increase."""

    name: str
    counter: BuiltIn
    label: str
    value: str
    job: str
    summary: str
    provoked_by: str
    book: Runbook


_FAILURES = (
    _Failure(
        "PrometheusRuleFailures",
        prometheus_metrics.RULE_FAILURES,
        "rule_group",
        "rules.yml;edgeinfer-latency",
        "prometheus",
        "Prometheus cannot evaluate rules of {{ $labels.rule_group }}",
        "rule-failing",
        Runbook(
            meaning="A rule is valid but fails during evaluation, for example because two series match one.",
            impact="Alerts of that group may not fire; recorded series have gaps.",
            diagnosis=(
                RunbookStep(
                    "Which rule fails, and why?",
                    {
                        "`many-to-many matching` or `duplicate series`": (
                            "two processes export one series; look for two jobs or targets of one process."
                        ),
                        "`query timed out`": "the machine is overloaded: see HailoCpuBusy.",
                    },
                    command="journalctl -u prometheus --since -15min | grep -i 'evaluating rule failed'",
                ),
                RunbookStep(
                    "Are the rules those of this version?",
                    {
                        "an error": "copy the files of src/edgeinfer/monitoring/generated/rules again, and reload.",
                        "all succeed": "file a bug with the log line.",
                    },
                    command="promtool check rules /etc/edgeinfer/rules/*.yml",
                ),
            ),
        ),
    ),
    _Failure(
        "PrometheusNotificationsDropped",
        prometheus_metrics.NOTIFICATIONS_DROPPED,
        "",
        "",
        "prometheus",
        "Prometheus drops alerts because Alertmanager does not accept them",
        "alertmanager-killed",
        Runbook(
            meaning="Alertmanager is down, slow, or not at the address in prometheus.yml.",
            impact="No notification is sent.",
            diagnosis=(
                RunbookStep(
                    "Is Alertmanager up?",
                    {
                        "OK": "Prometheus has a wrong address: fix `alerting:` in prometheus.yml, and reload.",
                        "connection refused": "start it; its log shows why it exited.",
                    },
                    command="curl -s -m 5 localhost:9093/-/ready",
                ),
                RunbookStep(
                    "What does Alertmanager log?",
                    {
                        "an error in its configuration": "`edgeinfer config alertmanager` prints a valid one.",
                        "`no space left on device`": "see HailoDiskFull.",
                    },
                    command="journalctl -u prometheus-alertmanager -n 30",
                ),
            ),
        ),
    ),
    _Failure(
        "AlertmanagerNotificationsFailing",
        prometheus_metrics.RECEIVER_FAILURES,
        "integration",
        "webhook",
        "alertmanager",
        "Alertmanager cannot deliver through {{ $labels.integration }}",
        "receiver-refuses",
        Runbook(
            meaning="The receiver rejects notifications or does not answer: the console, the mail server or ntfy.",
            impact="Alerts fire, but no notification arrives through this receiver.",
            diagnosis=(
                RunbookStep(
                    "Which receiver fails, and what does it answer?",
                    {
                        "webhook, connection refused": "the console or your receiver is down: start it.",
                        "email, authentication": (
                            "user or password file of the mail server: EDGEINFER_ALERT_SMTP_USERNAME and its file."
                        ),
                        "webhook of ntfy, 401 or 403": "the topic's token: EDGEINFER_ALERT_NTFY_TOKEN_FILE.",
                        "no such host": "the uplink or the name server.",
                    },
                    command="journalctl -u prometheus-alertmanager --since -15min | grep -i 'notify'",
                ),
                RunbookStep(
                    "Does it work now? Send a test alert.",
                    {
                        "it arrives": "done.",
                        "it does not": "until it is fixed, watch the console's Alerts page.",
                    },
                    command="amtool alert add Trial severity=critical --alertmanager.url=http://localhost:9093",
                ),
            ),
        ),
    ),
)


def _failing(kind: _Failure) -> Alert:
    labels = (*_TARGET, kind.label) if kind.label else _TARGET
    target = f'job="{kind.job}", instance="{kind.job}:1"' + (f', {kind.label}="{kind.value}"' if kind.label else "")
    series = f"{kind.counter.name}{{{target}}}"
    found = {"job": kind.job, "instance": f"{kind.job}:1"} | ({kind.label: kind.value} if kind.label else {})
    return Alert(
        name=kind.name,
        provoked_by=kind.provoked_by,
        expression=f"{_Q.increase(kind.counter, by=labels)} > 0",
        for_="5m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary=kind.summary,
        description="{{ $value | humanize }} failures in 5 minutes.",
        runbook=kind.book,
        rule_test=RuleTest(
            series={series: counter((0.1, 900), (0, 900))},
            pending_at=285,
            firing_at=420,
            resolved_at=1260,
            labels=found,
            expected_description="30 failures in 5 minutes.",
        ),
        negative_cases=(RuleCase(why="none", series={series: counter((0, 900))}, at=800),),
        positive_cases=(RuleCase(why="one in four minutes", series={series: counter((1 / 240, 1500))}, at=1400),),
    )


def _configuration_refused() -> Alert:
    loaded = f"prometheus_config_last_reload_successful{{{_PROMETHEUS}}}"
    return Alert(
        name="PrometheusConfigurationRefused",
        provoked_by="configuration-broken",
        expression=f"{_Q.gauge(prometheus_metrics.CONFIGURATION_LOADED, how='min', by=_TARGET)} == 0",
        for_="5m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Prometheus runs with an old configuration",
        description="Its last reload failed; the previous targets, rules and alerts stay in effect.",
        runbook=Runbook(
            meaning="prometheus.yml or a rule file has an error, so Prometheus kept the previous configuration.",
            impact="Your changes are not in effect.",
            diagnosis=(
                RunbookStep(
                    "Where is the error?",
                    {
                        "a file and a line": (
                            "fix it. A file that came with EdgeInfer: install it again, or in a checkout fix its "
                            "source and run `make generate`."
                        ),
                        "SUCCESS": "the file is already fixed: only reload.",
                    },
                    command="promtool check config /etc/edgeinfer/prometheus.yml",
                ),
                RunbookStep(
                    "Reload.",
                    {
                        "the alert resolves within a minute": "done.",
                        "it keeps firing": "`journalctl -u prometheus -n 20` shows what Prometheus rejects.",
                    },
                    command="sudo systemctl reload prometheus",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={loaded: gauge((0, 600), (1, 600))},
            pending_at=285,
            firing_at=330,
            resolved_at=630,
            labels={"job": "prometheus", "instance": "prometheus:9090"},
            expected_description="Its last reload failed; the previous targets, rules and alerts stay in effect.",
        ),
        negative_cases=(RuleCase(why="it loaded", series={loaded: gauge((1, 600))}, at=500),),
    )


def _remote_write_behind() -> Alert:
    newest = f"max by (job, instance) ({prometheus_metrics.REMOTE_NEWEST.name})"
    sent = f"max by (job, instance, remote_name) ({prometheus_metrics.REMOTE_SENT.name})"
    pending = f"max by (job, instance, remote_name) ({prometheus_metrics.REMOTE_PENDING.name})"
    started = f"max by (job, instance) ({prometheus_metrics.STARTED.name})"
    # Prometheus exports no timestamp for a queue that never sent: it is behind since Prometheus started.
    since = f"{started} + on (job, instance) group_right () ({pending} - {pending})"
    have = f"{prometheus_metrics.REMOTE_NEWEST.name}{{{_PROMETHEUS}}}"
    fleet = f'{{{_PROMETHEUS}, remote_name="fleet", url="http://fleet"}}'
    gone, waiting = f"{prometheus_metrics.REMOTE_SENT.name}{fleet}", f"{prometheus_metrics.REMOTE_PENDING.name}{fleet}"
    began = f"{prometheus_metrics.STARTED.name}{{{_PROMETHEUS}}}"
    return Alert(
        name="PrometheusRemoteWriteBehind",
        provoked_by="fleet-away",
        expression=f"{newest} - on (job, instance) group_right () ({sent} or {since})\n> {REMOTE_WRITE_BEHIND_SECONDS}",
        for_="15m",
        severity=Severity.WARNING,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="The fleet's view of this device lags behind",
        description="{{ $labels.remote_name }} is {{ $value | humanizeDuration }} behind.",
        runbook=Runbook(
            meaning="The uplink or the receiver is slower than this device sends; samples are buffered on its disk.",
            impact="None here: local alerts continue. After two hours without an uplink, samples are lost for the "
            "fleet.",
            diagnosis=(
                RunbookStep(
                    "What does the receiver answer?",
                    {
                        "`connection refused` or `timeout`": (
                            "the uplink or the receiver is down; the queue empties by itself afterwards."
                        ),
                        "`4xx`": "certificate, address or limits of the receiver: fix them, and reload.",
                        "`429` or `503`": "the receiver is overloaded: is its disk full?",
                    },
                    command="journalctl -u prometheus --since -15min | grep -i 'remote'",
                ),
                RunbookStep(
                    "Is it always behind?",
                    {
                        "yes": "send less: `edgeinfer config fleet-device` writes the short list of series.",
                        "only recently": "wait until it has caught up.",
                    },
                    command="curl -s localhost:9090/metrics | grep remote_storage_samples_pending",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={have: gauge((1000, 2400)), gone: gauge((850, 1500), (1000, 900))},
            pending_at=885,
            firing_at=960,
            resolved_at=1530,
            labels={"job": "prometheus", "instance": "prometheus:9090", "remote_name": "fleet"},
            expected_description="fleet is 2m 30s behind.",
        ),
        negative_cases=(
            RuleCase(why="two minutes", series={have: gauge((1000, 1500)), gone: gauge((880, 1500))}, at=1400),
            RuleCase(
                why="started two minutes ago, and nothing sent yet",
                series={have: gauge((1000, 1500)), waiting: gauge((7, 1500)), began: gauge((880, 1500))},
                at=1400,
            ),
            RuleCase(
                why="up for long, and sent in time",
                series={
                    have: gauge((1000, 1500)),
                    gone: gauge((990, 1500)),
                    waiting: gauge((7, 1500)),
                    began: gauge((100, 1500)),
                },
                at=1400,
            ),
        ),
        positive_cases=(
            RuleCase(
                why="the receiver was away since the start",
                series={have: gauge((1000, 1500)), waiting: gauge((7, 1500)), began: gauge((879, 1500))},
                at=1400,
            ),
        ),
    )


def _watchdog() -> Alert:
    return Alert(
        name="Watchdog",
        provoked_by="steady-state",
        expression="vector(1)",
        severity=Severity.NONE,
        service="prometheus",
        signal="monitoring",
        dashboard_uid="edgeinfer-gateway",
        summary="Alerting works",
        description="This alert always fires; when it is missing, alerting is broken.",
        runbook=Runbook(
            meaning="Rules are evaluated and Alertmanager delivers.",
            impact="None. When it is missing, no other alert is delivered.",
            diagnosis=(
                RunbookStep(
                    "Is it missing? Ask Alertmanager.",
                    {
                        "Watchdog is listed": (
                            "alerting works up to here; the fault is at the receiver that misses it."
                        ),
                        "it is not": "continue.",
                    },
                    command="amtool alert query --alertmanager.url=http://localhost:9093",
                ),
                RunbookStep(
                    "Does Prometheus evaluate its rules?",
                    {
                        "connection refused": "start Prometheus.",
                        "Watchdog is firing there": "Alertmanager is not reached: see PrometheusNotificationsDropped.",
                        "it is not there": "no rules are loaded: `rule_files` in prometheus.yml.",
                    },
                    command="curl -s localhost:9090/api/v1/alerts",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={f"up{{{_PROMETHEUS}}}": gauge((1, 60))},
            firing_at=30,
            resolved_at=31,
            expected_description="This alert always fires; when it is missing, alerting is broken.",
        ),
        negative_cases=(),
        always=True,
    )
