"""Alerts on services that are down, missing from the targets, not ready or unhealthy."""

from edgeinfer.catalog import gateway, sidecar
from edgeinfer.catalog.metric import Owner
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, counter, gauge
from edgeinfer.monitoring.alerts.service_series import GATEWAY, QUERIES, SIDECAR, SIDECAR_LABELS, TARGET
from edgeinfer.monitoring.prometheus_metrics import UP
from edgeinfer.monitoring.promql import other_than
from edgeinfer.monitoring.thresholds import (
    HEALTH_CHECK_STALE_SECONDS,
    RECOVERIES_PER_QUARTER_HOUR,
)

_GATEWAY_LABELS = {"job": "edge-infer", "instance": "gateway:8080"}


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        *_down(),
        _target_missing(),
        _not_ready(),
        _health_degraded(),
        _health_stale(),
        _recovering(),
    ]


def _down() -> list[Alert]:
    return [
        _down_alert(
            "HailoSidecarDown",
            Owner.SIDECAR,
            Severity.CRITICAL,
            "No inference on the chip. The gateway answers from its own CPU, slower, if it can.",
            ("edgeinfer-sidecar", 9000),
        ),
        _down_alert(
            "EdgeInferDown",
            Owner.GATEWAY,
            Severity.CRITICAL,
            "Clients get no service: no streaming, no results.",
            ("edgeinfer-gateway", 8080),
        ),
        _down_alert(
            "HailoExporterDown",
            Owner.EXPORTER,
            Severity.WARNING,
            "Inference continues, but temperature, throttling and utilization are not monitored.",
            ("edgeinfer-exporter", 9048),
        ),
    ]


def _down_alert(name: str, job: Owner, severity: Severity, costs: str, where: tuple[str, int]) -> Alert:
    unit, port = where
    process = unit.removeprefix("edgeinfer-")
    instance = "host:1234"
    target = f'job="{job}", instance="{instance}"'
    return Alert(
        name=name,
        provoked_by=f"{unit.removeprefix('edgeinfer-')}-killed",
        expression=f"{QUERIES.select(UP, {'job': str(job)})} == 0",
        for_="1m",
        severity=severity,
        service=str(job),
        signal="health",
        summary=f"{job} on {{{{ $labels.instance }}}} does not answer",
        description=f"Prometheus has not been able to scrape {{{{ $labels.instance }}}} of {job} for a minute.",
        runbook=Runbook(
            meaning=f"The process of job {job} is down, hangs, or cannot be reached from Prometheus.",
            impact=costs,
            diagnosis=(
                RunbookStep(
                    "Is it running?",
                    {
                        "failed with status 78": f"cause {process}-refuses-configuration.",
                        "failed with another status": f"cause {process}-crashes.",
                        "inactive": f"cause {process}-stopped.",
                        "active (running)": "it hangs or cannot be reached; continue.",
                    },
                    command=f"systemctl status {unit}",
                ),
                RunbookStep(
                    "Does it answer on its own machine?",
                    {
                        "it answers": (
                            "only the path from Prometheus is broken: the address in prometheus.yml, or the firewall."
                        ),
                        "connection refused": "it listens on another port: compare its port with prometheus.yml.",
                        "nothing for five seconds": f"cause {process}-hangs.",
                        "something that is not ours": "cause port-taken.",
                    },
                    command=f"curl -si -m 5 localhost:{port}/healthz",
                ),
                RunbookStep(
                    "Was it killed?",
                    {
                        "`Out of memory: Killed process`": f"cause {process}-out-of-memory.",
                        "nothing": "keep the log of its last minute and file a bug.",
                    },
                    command="sudo dmesg | grep -i 'out of memory' | tail -5",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={f"up{{{target}}}": gauge((1, 60), (0, 180), (1, 120))},
            pending_at=105,
            firing_at=150,
            resolved_at=255,
            labels={"job": str(job), "instance": instance},
            expected_description=f"Prometheus has not been able to scrape {instance} of {job} for a minute.",
        ),
        negative_cases=(
            RuleCase(why="up", series={f"up{{{target}}}": gauge((1, 300))}, at=200),
            RuleCase(why="another job", series={'up{job="else", instance="x:1"}': gauge((0, 300))}, at=200),
        ),
    )


def _target_missing() -> Alert:
    missing = " or ".join(f'absent(up{{job="{job}"}})' for job in (Owner.GATEWAY, Owner.SIDECAR))
    both = {f"up{{{GATEWAY}}}": gauge((0, 900)), f"up{{{SIDECAR}}}": gauge((1, 900))}
    return Alert(
        name="HailoTargetMissing",
        provoked_by="target-forgotten",
        expression=missing,
        for_="5m",
        severity=Severity.CRITICAL,
        service="prometheus",
        signal="monitoring",
        summary="Prometheus has no target for job {{ $labels.job }}",
        description="No target of job {{ $labels.job }} is scraped, so none of its alerts can fire.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="The job is missing from the configuration of Prometheus: not down, but unknown.",
            impact="No other alert about this job can fire.",
            diagnosis=(
                RunbookStep(
                    "Is the configuration valid, and does it name the job?",
                    {
                        "an error with a line": "fix that line, then reload.",
                        "valid, and the job is not in it": "restore the job: deploy/systemd/prometheus.yml has it.",
                    },
                    command="promtool check config /etc/edgeinfer/prometheus.yml",
                ),
                RunbookStep(
                    "Reload, and check that the target is listed.",
                    {
                        "the job is listed": "done; the alert resolves within a minute.",
                        "it is not": "Prometheus runs with another file: `systemctl cat prometheus` names it.",
                    },
                    command="sudo systemctl reload prometheus; curl -s localhost:9090/api/v1/targets",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={
                f"up{{{GATEWAY}}}": gauge((1, 900)),
                f"up{{{SIDECAR}}}": gauge((None, 600), (1, 300)),
            },
            pending_at=285,
            firing_at=330,
            resolved_at=630,
            labels={"job": "hailo-inference"},
            expected_description="No target of job hailo-inference is scraped, so none of its alerts can fire.",
        ),
        negative_cases=(RuleCase(why="down is not missing", series=both, at=800),),
    )


def _not_ready() -> Alert:
    ready = f"hailo_sidecar_ready{{{SIDECAR}}}"
    return Alert(
        name="HailoSidecarNotReady",
        provoked_by="chip-missing-at-start",
        expression=f"{QUERIES.gauge(sidecar.READY, how='min', by=TARGET)} == 0",
        for_="1m",
        severity=Severity.CRITICAL,
        service="hailo-inference",
        signal="health",
        summary="The sidecar {{ $labels.instance }} runs without a working model",
        description="{{ $labels.instance }} has answered 503 to every window for a minute.",
        runbook=Runbook(
            meaning="The process is up; its model could not be loaded, or the device failed and recovery is in "
            "progress.",
            impact="No inference on the chip; the gateway answers from its own CPU.",
            diagnosis=(
                RunbookStep(
                    "What is the `reason`?",
                    {
                        "a model file": (
                            "check HEF_PATH or EDGEINFER_MODEL_FOLDER; a HEF must fit the chip's architecture. Restart."
                        ),
                        "a device": "see HailoDeviceUnavailable; the sidecar tries again by itself.",
                        "`state` is loading": "a large model on a slow disk: wait a minute.",
                    },
                    command="curl -s localhost:9000/healthz",
                ),
                RunbookStep(
                    "What is missing on the machine?",
                    {
                        "a line that does not begin with `ok`": "follow its message, then restart the sidecar.",
                        "no problem is found": (
                            "restart the sidecar; if that does not help, restore the previous model."
                        ),
                    },
                    command="edgeinfer doctor",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={ready: gauge((1, 60), (0, 180), (1, 120))},
            pending_at=105,
            firing_at=150,
            resolved_at=255,
            labels=SIDECAR_LABELS,
            expected_description="sidecar:9000 has answered 503 to every window for a minute.",
        ),
        negative_cases=(RuleCase(why="ready", series={ready: gauge((1, 300))}, at=200),),
    )


def _health_degraded() -> Alert:
    bad = QUERIES.gauge(gateway.HEALTH_STATUS, by=(*TARGET, "check", "status"), where={"status": other_than("healthy")})
    degraded, healthy = (
        f'edgeinfer_health_status{{{GATEWAY}, check="hailo_backend", status="{status}"}}'
        for status in ("degraded", "healthy")
    )
    return Alert(
        name="EdgeInferHealthDegraded",
        provoked_by="unhealthy",
        expression=f"{bad} == 1",
        for_="2m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="health",
        summary="The gateway's health check {{ $labels.check }} is {{ $labels.status }}",
        description="{{ $labels.check }} has been {{ $labels.status }} for two minutes.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="One of the gateway's health checks, which run every 30 seconds, does not pass.",
            impact="Service continues in a degraded state: with the fallback instead of the chip, or with little "
            "memory.",
            diagnosis=(
                RunbookStep(
                    "What do the checks report?",
                    {
                        "`hailo_backend`": "fix the sidecar: see HailoSidecarDown and HailoSidecarNotReady.",
                        "`inference_capability`": (
                            "neither sidecar nor fallback answers a probe: see EdgeInferAnswersMissing."
                        ),
                        "`system_resources`": (
                            "memory, CPU or disk space is low: see HailoMemoryLow and HailoDiskWillFill."
                        ),
                        "`service`": "the gateway itself: read its log, then restart it.",
                    },
                    command="curl -s localhost:8080/health/detailed",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={degraded: gauge((1, 300), (0, 300)), healthy: gauge((0, 300), (1, 300))},
            pending_at=105,
            firing_at=150,
            resolved_at=330,
            labels=_GATEWAY_LABELS | {"check": "hailo_backend", "status": "degraded"},
            expected_description="hailo_backend has been degraded for two minutes.",
        ),
        negative_cases=(RuleCase(why="healthy", series={degraded: gauge((0, 300)), healthy: gauge((1, 300))}, at=200),),
    )


def _health_stale() -> Alert:
    last = QUERIES.gauge(gateway.HEALTH_LAST_RUN, by=(*TARGET, "check"))
    run = f'edgeinfer_health_check_last_run_timestamp_seconds{{{GATEWAY}, check="service"}}'
    return Alert(
        name="EdgeInferHealthCheckStale",
        provoked_by="clock-jumps-back",
        expression=f"time() - {last} > {HEALTH_CHECK_STALE_SECONDS}",
        for_="1m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="health",
        summary="The gateway's health check {{ $labels.check }} no longer runs",
        description="{{ $labels.check }} last ran {{ $value | humanizeDuration }} ago; it should run every 30 seconds.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="The gateway reports an outdated result as if it were current.",
            impact="`/healthz` may say OK while something is broken.",
            diagnosis=(
                RunbookStep(
                    "Did the background task end?",
                    {
                        "`unexpected error in a health check`": (
                            "keep the traceback, restart the gateway, file a bug."
                        ),
                        "nothing": "the event loop hangs or the clock jumped; continue.",
                    },
                    command='journalctl -u edgeinfer-gateway --since -15min | grep -E \'"level": "(warning|error)"\'',
                ),
                RunbookStep(
                    "Is the machine's clock right?",
                    {
                        "`System clock synchronized: no`": (
                            "fix the time service; the alert resolves with the next check."
                        ),
                        "yes": "restart the gateway.",
                    },
                    command="timedatectl",
                ),
            ),
        ),
        rule_test=RuleTest(
            # The test's clock starts at 0, as does the timestamp.
            series={run: gauge((0, 300), (290, 300))},
            pending_at=165,
            firing_at=210,
            resolved_at=330,
            labels=_GATEWAY_LABELS | {"check": "service"},
            expected_description="service last ran 3m 30s ago; it should run every 30 seconds.",
        ),
        negative_cases=(
            RuleCase(why="late, not stale", series={run: gauge((0, 100), (100, 100), (200, 205))}, at=300),
            RuleCase(
                why="always exactly two minutes old",
                series={run: gauge(*((float(at - 120), 15) for at in range(0, 600, 15)))},
                at=550,
            ),
        ),
    )


def _recovering() -> Alert:
    recoveries = f"hailo_sidecar_backend_recoveries_total{{{SIDECAR}}}"
    times = QUERIES.increase(sidecar.BACKEND_RECOVERIES, by=TARGET, window="15m")
    return Alert(
        name="HailoBackendRecovering",
        provoked_by="chip-flapping",
        expression=f"{times} > {RECOVERIES_PER_QUARTER_HOUR}",
        for_="1m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="hardware",
        summary="The sidecar {{ $labels.instance }} opens its device repeatedly",
        description="{{ $value | humanize }} times in 15 minutes.",
        dashboard_uid="edgeinfer-hardware",
        runbook=Runbook(
            meaning="The backend fails, is closed and opened again, works for a while, and fails again.",
            impact="Some seconds without inference each time.",
            diagnosis=(
                RunbookStep(
                    "Which error comes before each recovery?",
                    {
                        "thermal_throttling": "cool the chip: see HailoTemperatureCritical.",
                        "communication_closed or device_not_found": "the link is unstable: reseat module and cable.",
                        "any other": "power-cycle the machine, since a reset did not clear it.",
                    },
                    command="journalctl -u edgeinfer-sidecar --since -30min | grep -i device",
                ),
                RunbookStep(
                    "Dashboard 'Hailo hardware', panel 'Notifications': what does the device report at these times?",
                    {
                        "temperature_alarm or dataflow_shutdown": "heat.",
                        "overcurrent_alarm": "a weak supply: see HailoOvercurrent.",
                        "nothing": "the driver: `sudo dmesg | grep -i hailo`.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={recoveries: counter((0, 900), (4 / 15, 15), (0, 1800))},
            pending_at=960,
            firing_at=1000,
            resolved_at=2100,
            labels=SIDECAR_LABELS,
            expected_description="4 times in 15 minutes.",
        ),
        negative_cases=(
            RuleCase(why="three", series={recoveries: counter((0, 900), (3 / 15, 15), (0, 300))}, at=1200),
        ),
    )
