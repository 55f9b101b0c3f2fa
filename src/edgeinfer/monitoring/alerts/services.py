"""Alerts on the processes: up, ready, healthy, keeping up with their work, and reporting correct state."""

from edgeinfer.catalog import gateway, labels, sidecar, system
from edgeinfer.catalog.metric import Owner
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, Severity, Step
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, counter, gauge
from edgeinfer.monitoring.prometheus_metrics import UP
from edgeinfer.monitoring.promql import Queries, other_than
from edgeinfer.monitoring.recording import REQUESTS
from edgeinfer.monitoring.thresholds import (
    CPU_BUSY_SHARE,
    DISK_FULL_IN_SECONDS,
    DISK_FULL_SHARE,
    DISK_LOW_SHARE,
    HEALTH_CHECK_STALE_SECONDS,
    MEMORY_AVAILABLE_SHARE,
    QUEUE_BACKLOG_WINDOWS,
    RECOVERIES_PER_QUARTER_HOUR,
    TRAFFIC_GUARD_PER_SECOND,
)

_GATEWAY = 'job="edge-infer", instance="gateway:8080"'
_SIDECAR = 'job="hailo-inference", instance="sidecar:9000"'
_SIDECAR_LABELS = {"job": "hailo-inference", "instance": "sidecar:9000"}
_GATEWAY_LABELS = {"job": "edge-infer", "instance": "gateway:8080"}
_TARGET = ("job", "instance")
_Q = Queries("5m", {})


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        *_down(),
        _target_missing(),
        _not_ready(),
        _health_degraded(),
        _health_stale(),
        _recovering(),
        _backlog(),
        _shedding(),
        _no_traffic(),
        _counter_silent(),
        _stub(),
        _memory_low(),
        _cpu_busy(),
        _disk_will_fill(),
        _disk_full(),
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
        expression=f"{_Q.select(UP, {'job': str(job)})} == 0",
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
                Step(
                    "Is it running?",
                    {
                        "failed with status 78": f"cause {process}-refuses-configuration.",
                        "failed with another status": f"cause {process}-crashes.",
                        "inactive": f"cause {process}-stopped.",
                        "active (running)": "it hangs or cannot be reached; continue.",
                    },
                    command=f"systemctl status {unit}",
                ),
                Step(
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
                Step(
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
    both = {f"up{{{_GATEWAY}}}": gauge((0, 900)), f"up{{{_SIDECAR}}}": gauge((1, 900))}
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
                Step(
                    "Is the configuration valid, and does it name the job?",
                    {
                        "an error with a line": "fix that line, then reload.",
                        "valid, and the job is not in it": "restore the job: deploy/systemd/prometheus.yml has it.",
                    },
                    command="promtool check config /etc/edgeinfer/prometheus.yml",
                ),
                Step(
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
                f"up{{{_GATEWAY}}}": gauge((1, 900)),
                f"up{{{_SIDECAR}}}": gauge((None, 600), (1, 300)),
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
    ready = f"hailo_sidecar_ready{{{_SIDECAR}}}"
    return Alert(
        name="HailoSidecarNotReady",
        provoked_by="chip-missing-at-start",
        expression=f"{_Q.gauge(sidecar.READY, how='min', by=_TARGET)} == 0",
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
                Step(
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
                Step(
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
            labels=_SIDECAR_LABELS,
            expected_description="sidecar:9000 has answered 503 to every window for a minute.",
        ),
        negative_cases=(RuleCase(why="ready", series={ready: gauge((1, 300))}, at=200),),
    )


def _health_degraded() -> Alert:
    bad = _Q.gauge(gateway.HEALTH_STATUS, by=(*_TARGET, "check", "status"), where={"status": other_than("healthy")})
    degraded, healthy = (
        f'edgeinfer_health_status{{{_GATEWAY}, check="hailo_backend", status="{status}"}}'
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
                Step(
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
    last = _Q.gauge(gateway.HEALTH_LAST_RUN, by=(*_TARGET, "check"))
    run = f'edgeinfer_health_check_last_run_timestamp_seconds{{{_GATEWAY}, check="service"}}'
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
                Step(
                    "Did the background task end?",
                    {
                        "`unexpected error in a health check`": (
                            "keep the traceback, restart the gateway, file a bug."
                        ),
                        "nothing": "the event loop hangs or the clock jumped; continue.",
                    },
                    command='journalctl -u edgeinfer-gateway --since -15min | grep -E \'"level": "(warning|error)"\'',
                ),
                Step(
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
    recoveries = f"hailo_sidecar_backend_recoveries_total{{{_SIDECAR}}}"
    times = _Q.increase(sidecar.BACKEND_RECOVERIES, by=_TARGET, window="15m")
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
                Step(
                    "Which error comes before each recovery?",
                    {
                        "thermal_throttling": "cool the chip: see HailoTemperatureCritical.",
                        "communication_closed or device_not_found": "the link is unstable: reseat module and cable.",
                        "any other": "power-cycle the machine, since a reset did not clear it.",
                    },
                    command="journalctl -u edgeinfer-sidecar --since -30min | grep -i device",
                ),
                Step(
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
            labels=_SIDECAR_LABELS,
            expected_description="4 times in 15 minutes.",
        ),
        negative_cases=(
            RuleCase(why="three", series={recoveries: counter((0, 900), (3 / 15, 15), (0, 300))}, at=1200),
        ),
    )


def _backlog() -> Alert:
    depth = f"hailo_sidecar_queue_depth{{{_SIDECAR}}}"
    least = f"min by (job, instance) (min_over_time({sidecar.QUEUE_DEPTH.name}[2m]))"
    return Alert(
        name="HailoQueueBacklog",
        provoked_by="sidecar-backlogged",
        expression=f"{least} > {QUEUE_BACKLOG_WINDOWS}",
        for_="2m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="latency",
        summary="Windows are queueing at {{ $labels.instance }}",
        description="At least {{ $value | humanize }} windows have been waiting at all times for two minutes.",
        runbook=Runbook(
            meaning="More windows arrive than the backend can compute, and the queue no longer drains.",
            impact="Each request waits for all before it; beyond its capacity the sidecar sheds load.",
            diagnosis=(
                Step(
                    "Dashboard 'Hailo Sidecar', panels 'Request rate' and 'Where the time goes': what changed?",
                    {
                        "the traffic grew, 'execute' did not": (
                            "add a sidecar to MODEL_BACKEND_URL, or reduce the load."
                        ),
                        "'execute' became slower": "heat or another process; continue.",
                    },
                ),
                Step(
                    "Which process uses the CPU?",
                    {
                        "a process that is not part of EdgeInfer": "stop it, or move it elsewhere.",
                        "the sidecar alone": "the machine is saturated: add a sidecar on another one.",
                    },
                    command="top -b -n 1 | head -15",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={depth: gauge((18, 600), (0, 300))},
            pending_at=105,
            firing_at=150,
            resolved_at=630,
            labels=_SIDECAR_LABELS,
            expected_description="At least 18 windows have been waiting at all times for two minutes.",
        ),
        negative_cases=(
            RuleCase(why="exactly at the threshold", series={depth: gauge((16, 600))}, at=500),
            RuleCase(
                why="it empties now and then",
                series={depth: gauge((40, 90), (0, 30), (40, 90), (0, 30), (40, 90), (0, 30), (40, 90), (0, 30))},
                at=450,
            ),
        ),
        positive_cases=(RuleCase(why="empty five minutes ago", series={depth: gauge((0, 600), (18, 300))}, at=885),),
    )


def _shedding() -> Alert:
    shed, done = (f'hailo_sidecar_inferences_total{{{_SIDECAR}, status="{status}"}}' for status in ("shed", "success"))
    return Alert(
        name="HailoSheddingLoad",
        provoked_by="sidecar-flooded",
        expression=f"{_Q.rate(sidecar.INFERENCES, by=_TARGET, where={'status': 'shed'}, window='2m')} > 0",
        for_="2m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="availability",
        summary="{{ $labels.instance }} is shedding load because its queue is full",
        description="{{ $value | humanize }} windows a second are answered with 503 and Retry-After.",
        runbook=Runbook(
            meaning="The bounded queue is full: the sidecar answers the queued windows and rejects new ones.",
            impact="Rejected windows are computed by the gateway's CPU.",
            diagnosis=(
                Step(
                    "How full is it?",
                    {
                        "the request rate is higher than usual": (
                            "add a sidecar to MODEL_BACKEND_URL, or reduce the load."
                        ),
                        "it is as usual": "the sidecar has become slower: see HailoQueueBacklog.",
                    },
                    command="edgeinfer top --once",
                ),
                Step(
                    "Dashboard 'EdgeInfer', panel 'Request rate by route': does one client send far more than the "
                    "others?",
                    {
                        "yes": "give it an API key with a rate limit, or stop it.",
                        "no": "do not enlarge the queue: that only trades rejections for latency.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={shed: counter((0.5, 400), (0, 400)), done: counter((5, 800))},
            pending_at=105,
            firing_at=180,
            resolved_at=570,
            labels=_SIDECAR_LABELS,
            expected_description="500m windows a second are answered with 503 and Retry-After.",
        ),
        negative_cases=(
            RuleCase(why="nothing shed", series={shed: counter((0, 600)), done: counter((5, 600))}, at=500),
        ),
    )


def _no_traffic() -> Alert:
    requests = f'{REQUESTS.name}{{job="edge-infer"}}'
    return Alert(
        name="HailoNoTraffic",
        provoked_by="nobody-asks",
        expression=f"{REQUESTS.name} == 0\nand max_over_time({REQUESTS.name}[1d]) > 0",
        for_="15m",
        severity=Severity.INFO,
        service="edge-infer",
        signal="traffic",
        summary="No inference requests for 15 minutes",
        description="No inference requests, though there were some within the last day.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="The service is up but idle: there are no users at this time, or their requests do not arrive.",
            impact="None, if there are no users at this time.",
            diagnosis=(
                Step(
                    "Are users expected at this time?",
                    {
                        "no": "nothing to do.",
                        "yes": "continue.",
                    },
                ),
                Step(
                    "Does the gateway answer from the phones' network?",
                    {
                        "it answers": "the phones send no requests: check the app, and the address it uses.",
                        "it does not": (
                            "the network or the firewall; `EDGEINFER_GATEWAY_HOST` says where the gateway listens."
                        ),
                    },
                    command="curl -si -m 5 http://GATEWAY:8080/healthz",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={requests: gauge((0.5, 600), (0, 1800), (0.5, 600))},
            pending_at=600 + 840,
            firing_at=600 + 1020,
            resolved_at=600 + 1860,
            labels={"job": "edge-infer"},
            expected_description="No inference requests, though there were some within the last day.",
            interval_seconds=300,
        ),
        negative_cases=(
            RuleCase(why="new: no request so far", series={requests: gauge((0, 2400))}, at=2000),
            RuleCase(why="traffic", series={requests: gauge((2, 2400))}, at=2000),
            RuleCase(
                why="no request for more than a day",
                series={requests: gauge((0.5, 600), (0, 25 * 3600))},
                at=25 * 3600,
            ),
        ),
    )


def _counter_silent() -> Alert:
    asked = _Q.rate(gateway.INFERENCE_REQUESTS, where={"status": "success"})
    done = _Q.rate(sidecar.INFERENCES)
    success, failure = (
        f'hailo_inference_requests_total{{{_GATEWAY}, operation="process", status="{status}"}}'
        for status in ("success", "failure")
    )
    inside = f'hailo_sidecar_inferences_total{{{_SIDECAR}, status="success"}}'
    return Alert(
        name="HailoCounterSilent",
        provoked_by="answered-elsewhere",
        expression=f"{asked} > {TRAFFIC_GUARD_PER_SECOND}\nand {done} == 0",
        for_="5m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="monitoring",
        summary="The gateway gets answers from sidecars whose counters do not increase",
        description="{{ $value | humanize }} successful requests a second, none of them counted by a scraped sidecar.",
        runbook=Runbook(
            meaning="Prometheus scrapes other sidecars than the gateway calls.",
            impact="The sidecar's panels and alerts are about the wrong process.",
            diagnosis=(
                Step(
                    "Which sidecars does the gateway call, and which does Prometheus scrape?",
                    {
                        "they differ": "scrape those that it calls: fix the job hailo-inference, then reload.",
                        "they are the same": "two sidecars share one address; `ss -ltnp` shows which process listens.",
                    },
                    command="systemctl show edgeinfer-gateway -p Environment; curl -s localhost:9090/api/v1/targets",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={success: counter((0.12, 1500)), inside: counter((0, 900), (0.12, 600))},
            pending_at=480,
            firing_at=630,
            resolved_at=960,
            expected_description="120m successful requests a second, none of them counted by a scraped sidecar.",
        ),
        negative_cases=(
            RuleCase(why="counted", series={success: counter((2, 900)), inside: counter((2, 900))}, at=800),
            RuleCase(why="little traffic", series={success: counter((0.085, 900)), inside: counter((0, 900))}, at=800),
            RuleCase(why="none succeeded", series={failure: counter((2, 900)), inside: counter((0, 900))}, at=800),
        ),
        positive_cases=(
            RuleCase(
                why="they counted a quarter of an hour ago",
                series={success: counter((0.12, 2000)), inside: counter((0.12, 900), (0, 1100))},
                at=1620,
            ),
        ),
    )


def _stub() -> Alert:
    stub, chip = (
        f'hailo_runtime_info{{{_SIDECAR}, backend="{backend}", device="d", runtime="r"}}'
        for backend in ("stub", "hailo")
    )
    return Alert(
        name="HailoStubAnswers",
        provoked_by="stub-answers",
        expression=f"{_Q.info(sidecar.RUNTIME_INFO, by=(*_TARGET, 'backend'), where={'backend': 'stub'})} == 1",
        for_="1m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="output",
        summary="{{ $labels.instance }} answers with synthetic results",
        description="The stub backend is meant for dashboard development; its results are synthetic.",
        runbook=Runbook(
            meaning="USE_REAL_MODEL is false or EDGEINFER_SIDECAR_BACKEND is stub.",
            impact="Users see synthetic results.",
            diagnosis=(
                Step(
                    "What computes the answers?",
                    {
                        "`backend` is stub": (
                            "set USE_REAL_MODEL=true and EDGEINFER_SIDECAR_BACKEND to onnx or hailort; restart it."
                        ),
                        "it is hailo or cpu": "it is another sidecar: the alert names its address.",
                    },
                    command="curl -s localhost:9000/healthz",
                ),
            ),
        ),
        rule_test=RuleTest(
            # A series that just ends is seen for five more minutes; a scrape without it ends it at once.
            series={stub: gauge((1, 300), (None, 600)), chip: gauge((None, 300), (1, 600))},
            pending_at=45,
            firing_at=90,
            resolved_at=630,
            labels=_SIDECAR_LABELS | {"backend": "stub"},
            expected_description="The stub backend is meant for dashboard development; its results are synthetic.",
        ),
        negative_cases=(RuleCase(why="a chip", series={chip: gauge((1, 300))}, at=200),),
    )


def _memory_low() -> Alert:
    available, total = (
        _Q.gauge(system.MEMORY_USAGE, by=_TARGET, where={"memory_type": kind})
        for kind in ("system_available", "system_total")
    )
    free, whole = (
        f'hailo_memory_usage_bytes{{{_SIDECAR}, memory_type="{kind}"}}' for kind in ("system_available", "system_total")
    )
    return Alert(
        name="HailoMemoryLow",
        provoked_by="machine-memory-low",
        expression=f"{available} / {total} < {MEMORY_AVAILABLE_SHARE}",
        for_="10m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="health",
        summary="The machine of {{ $labels.instance }} is running out of memory",
        description="{{ $value | humanizePercentage }} of the memory is available.",
        runbook=Runbook(
            meaning="Little memory is left for new work; the kernel will end a process when none is left.",
            impact="Swapping makes everything slow, then the largest process dies.",
            diagnosis=(
                Step(
                    "Which process uses the memory?",
                    {
                        "a process that is not part of EdgeInfer": "stop it.",
                        "a process of EdgeInfer": "restart it, and continue.",
                    },
                    command="ps aux --sort -rss | head",
                ),
                Step(
                    "Dashboard 'Hailo Sidecar', panel 'Memory': how does it grow?",
                    {
                        "steadily, without end": "a leak: file a bug with the graph; restarting helps until then.",
                        "in one step": "a larger model, or more workers: revert it.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={free: gauge((0.9e9, 1200), (4e9, 600)), whole: gauge((10e9, 1800))},
            pending_at=585,
            firing_at=630,
            resolved_at=1230,
            labels=_SIDECAR_LABELS,
            expected_description="9% of the memory is available.",
        ),
        negative_cases=(
            RuleCase(
                why="exactly at the threshold", series={free: gauge((1e9, 1200)), whole: gauge((10e9, 1200))}, at=1000
            ),
        ),
    )


def _cpu_busy() -> Alert:
    busy = f"hailo_cpu_usage_ratio{{{_SIDECAR}}}"
    return Alert(
        name="HailoCpuBusy",
        provoked_by="machine-busy",
        expression=f"avg by (job, instance) (avg_over_time({system.CPU_USAGE_RATIO.name}[10m])) > {CPU_BUSY_SHARE}",
        for_="15m",
        severity=Severity.TICKET,
        service="hailo-inference",
        signal="latency",
        summary="The CPU of {{ $labels.instance }} is saturated",
        description="{{ $value | humanizePercentage }} of the CPU time is used.",
        runbook=Runbook(
            meaning="Almost no CPU time was free for 15 minutes.",
            impact="Decoding and answering wait for the CPU even when the chip is idle.",
            diagnosis=(
                Step(
                    "Which process uses the CPU?",
                    {
                        "a process that is not part of EdgeInfer": "move it to another machine.",
                        "only EdgeInfer's processes": (
                            "reduce the load, add a sidecar elsewhere, or let the chip compute."
                        ),
                    },
                    command="top -b -n 1 | head -15",
                ),
                Step(
                    "Dashboard 'Hailo Sidecar', panel 'Where the time goes': do all stages grow equally?",
                    {
                        "yes": "the processor is the bottleneck.",
                        "only 'execute'": "the backend is: see HailoQueueBacklog.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={busy: gauge((0.98, 2400), (0.2, 1200))},
            pending_at=885,
            firing_at=960,
            resolved_at=2700,
            labels=_SIDECAR_LABELS,
            expected_description="98% of the CPU time is used.",
        ),
        negative_cases=(RuleCase(why="busy, with some idle time", series={busy: gauge((0.93, 2400))}, at=2000),),
        positive_cases=(
            RuleCase(why="idle half an hour ago", series={busy: gauge((0.5, 2400), (0.99, 1800))}, at=4100),
        ),
    )


def _disk(space: str) -> str:
    return f'hailo_disk_space_bytes{{{_SIDECAR}, space="{space}"}}'


def _disk_share() -> str:
    available, total = (_Q.gauge(system.DISK_SPACE, by=_TARGET, where={"space": space}) for space in labels.DISK_SPACES)
    return f"{available} / {total}"


def _disk_will_fill() -> Alert:
    available = _Q.gauge(system.DISK_SPACE, by=_TARGET, where={"space": "available"})
    growth = f"max by (job, instance) (deriv({_Q.select(system.DISK_SPACE, {'space': 'available'})}[6h]))"
    hours, card = 3600, 100e9

    def lives(days_left: float, share_left: float = 0.2) -> dict[str, Values]:
        """Ten hours in which the disk fills so that at their end this much is left, for so many days."""
        left = share_left * card
        per_step = left / (days_left * 288)
        falling = tuple((left + per_step * (120 - step), 300) for step in range(120))
        return {_disk("available"): gauge(*falling), _disk("total"): gauge((card, 10 * hours))}

    firing = lives(3.8)
    emptied = Values((*firing[_disk("available")].segments, (0.9 * card, 2 * hours)), counts=False)
    return Alert(
        name="HailoDiskWillFill",
        provoked_by="machine-disk-filling",
        # The slope over six hours is one only if there was something six hours ago: after half a minute of data, two
        # samples that differ by a log file announced a full disk.
        expression=f"{available} < -{DISK_FULL_IN_SECONDS} * {growth}\nand {_disk_share()} < {DISK_LOW_SHARE}\n"
        f"and max by (job, instance) ({system.DISK_SPACE.name} offset 6h)",
        for_="1h",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="health",
        summary="The disk of {{ $labels.instance }} will be full within four days",
        description="{{ $value | humanize1024 }}B are left; at the rate of the last six hours they last less than "
        "four days.",
        runbook=Runbook(
            meaning="The disk of the machine is filling, and less than a third of it is free.",
            impact="None yet. When it is full, sessions cannot be stored and Prometheus stops recording.",
            diagnosis=(
                Step(
                    "Which folder grows?",
                    {
                        "Prometheus' data": (
                            "lower EDGEINFER_RETENTION_SIZE or EDGEINFER_RETENTION_TIME, and restart it."
                        ),
                        "the gateway's sessions": "lower EDGEINFER_GATEWAY_RETENTION_HOURS, and restart the gateway.",
                        "/var/log": "`sudo journalctl --vacuum-size=200M`.",
                        "something else": "remove it, or move it to another disk.",
                    },
                    command="sudo du -xh --max-depth=3 / 2>/dev/null | sort -h | tail -15",
                ),
                Step(
                    "How much is free?",
                    {
                        "less than a tenth": "free space now; do not wait until morning.",
                        "more": "plan it for today.",
                    },
                    command="df -h /",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={_disk("available"): emptied, _disk("total"): gauge((card, 12 * hours))},
            pending_at=405 * 60,
            firing_at=435 * 60,
            resolved_at=11 * hours,
            labels=_SIDECAR_LABELS,
            expected_description="19.19GiB are left; at the rate of the last six hours they last less than four days.",
            interval_seconds=300,
        ),
        negative_cases=(
            RuleCase(
                why="it fills fast, as far as is known after five hours",
                series={
                    _disk("available"): gauge(*firing[_disk("available")].segments[:60]),
                    _disk("total"): gauge((card, 5 * hours)),
                },
                at=5 * hours - 300,
            ),
            RuleCase(why="it fills, and lasts more than four days", series=lives(4.4), at=10 * hours - 300),
            RuleCase(why="it fills fast, and much is left", series=lives(3, share_left=0.32), at=10 * hours - 300),
            RuleCase(
                why="little is left, and it stays so",
                series={_disk("available"): gauge((0.1 * card, 10 * hours)), _disk("total"): gauge((card, 10 * hours))},
                at=10 * hours - 300,
            ),
        ),
        positive_cases=(
            RuleCase(why="just under a third is left", series=lives(3, share_left=0.28), at=10 * hours - 300),
            RuleCase(
                why="it began to fill this morning",
                series={
                    _disk("available"): Values(
                        ((firing[_disk("available")].segments[0][0], 20 * hours), *firing[_disk("available")].segments),
                        counts=False,
                    ),
                    _disk("total"): gauge((card, 30 * hours)),
                },
                at=30 * hours - 300,
            ),
        ),
    )


def _disk_full() -> Alert:
    def lives(share: float) -> dict[str, Values]:
        return {_disk("available"): gauge((share * 1e10, 900)), _disk("total"): gauge((1e10, 1200))}

    return Alert(
        name="HailoDiskFull",
        provoked_by="machine-disk-full",
        expression=f"{_disk_share()} < {DISK_FULL_SHARE}",
        for_="5m",
        severity=Severity.CRITICAL,
        service="hailo-inference",
        signal="health",
        summary="The disk of {{ $labels.instance }} is full",
        description="{{ $value | humanizePercentage }} of the disk is free.",
        runbook=Runbook(
            meaning="Less than a twentieth of the disk that holds the root folder is free.",
            impact="The gateway cannot store samples and answers 507; Prometheus stops recording, so alerts end too.",
            diagnosis=(
                Step(
                    "Free space at once: old logs are the quickest.",
                    {
                        "some hundred megabytes are free": (
                            "the gateway stores again by itself; continue and find what filled it."
                        ),
                        "hardly any": "continue.",
                    },
                    command="sudo journalctl --vacuum-size=100M; df -h /",
                ),
                Step(
                    "Which folder filled it?",
                    {
                        "Prometheus' data": (
                            "lower EDGEINFER_RETENTION_SIZE, and restart it: the oldest measurements are deleted."
                        ),
                        "the gateway's sessions": "lower EDGEINFER_GATEWAY_RETENTION_HOURS, and restart the gateway.",
                        "something else": "remove it, or move it to another disk.",
                    },
                    command="sudo du -xh --max-depth=3 / 2>/dev/null | sort -h | tail -15",
                ),
                Step(
                    "Is it read-only rather than full?",
                    {
                        "`errors=remount-ro` is logged": "the card is failing: back up its data, and replace it.",
                        "nothing": "it was only full.",
                    },
                    command="sudo dmesg | grep -i 'remount' | tail -3",
                ),
            ),
        ),
        rule_test=RuleTest(
            series=lives(0.045) | {_disk("available"): gauge((0.045 * 1e10, 900), (5e9, 300))},
            pending_at=285,
            firing_at=330,
            resolved_at=930,
            labels=_SIDECAR_LABELS,
            expected_description="4.5% of the disk is free.",
        ),
        negative_cases=(RuleCase(why="exactly at the threshold", series=lives(0.05), at=800),),
    )
