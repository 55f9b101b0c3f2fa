"""Alerts on errors: what fails, and what people get instead."""

from edgeinfer.catalog import gateway, sidecar
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, Severity, Step
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, counter, gauge
from edgeinfer.monitoring.promql import Queries, matching, one_of
from edgeinfer.monitoring.recording import ERRORS
from edgeinfer.monitoring.thresholds import (
    ERROR_SPIKE_FACTOR,
    ERROR_SPIKE_FLOOR_PER_SECOND,
    FALLBACK_SHARE,
    HARDWARE_ERRORS_PER_SECOND,
    SERVER_ERROR_SHARE,
    TRAFFIC_GUARD_PER_SECOND,
    UNANSWERED_SHARE,
)

_GATEWAY = 'job="edge-infer", instance="gateway:8080"'
_SIDECAR = 'job="hailo-inference", instance="sidecar:9000"'
_TARGET = ("job", "instance")
_Q = Queries("5m", {})
_GONE = ("device_not_found", "communication_closed", "hailort_init_failure", "device_in_use")
_BROKEN = ("memory_allocation_error", "execution_failed", "timeout", "thermal_throttling", "unknown")


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _class_spike(),
        _device_unavailable(),
        _hardware_errors(),
        _contract_violation(),
        _falling_back(),
        _unanswered(),
        _server_errors(),
        _circuit_open(),
    ]


def _class_spike() -> Alert:
    rate, usual = ERRORS.name, f"avg_over_time({ERRORS.name}[1d] offset 1h)"
    timeouts = f'{rate}{{job="edge-infer", error_type="timeout"}}'
    # The day before counts an hour late, so that a spike does not excuse itself.
    before = (0.1, 7200)
    return Alert(
        name="HailoErrorClassSpike",
        provoked_by="error-spike",
        expression=f"{rate} > {ERROR_SPIKE_FACTOR} * {usual}\nand {rate} > {ERROR_SPIKE_FLOOR_PER_SECOND}",
        for_="5m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="availability",
        summary="Errors of class {{ $labels.error_type }} are several times their usual rate",
        description="{{ $labels.error_type }} errors at {{ $value | humanize }} a second, more than "
        f"{ERROR_SPIKE_FACTOR} times the average of the last day as recorded.",
        runbook=Runbook(
            meaning="One class of error grew far beyond its own average of the last day.",
            impact="Those requests were answered by the gateway's CPU or not at all.",
            diagnosis=(
                Step(
                    "Dashboard 'Hailo Sidecar', panel 'Errors by class': which class, and since when?",
                    {
                        "timeout": (
                            "panel 'Where the time goes' shows the stage; continue with HailoLatencyBudgetBurnFast."
                        ),
                        "connection_error or circuit_open": "the sidecar is down; continue with HailoSidecarDown.",
                        "http_5xx": "the sidecar fails internally; the next step shows why.",
                        "http_4xx, malformed_response or decode_error": (
                            "gateway and sidecar do not match; compare their versions below."
                        ),
                    },
                ),
                Step(
                    "What does the gateway log for each failure?",
                    {
                        "the same `request_id` in both logs": "the sidecar's line names the cause.",
                        "lines began with a deploy": "roll back to the previous version.",
                    },
                    command="journalctl -u edgeinfer-gateway --since -15min | grep 'inference failed'",
                ),
                Step(
                    "Have both the same version?",
                    {
                        "versions differ": "update both to the same version.",
                        "they are the same": "keep the log lines and file a bug.",
                    },
                    command="curl -s localhost:9000/healthz; curl -s localhost:8080/health/detailed",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={timeouts: gauge(before, (0.35, 900), (0.1, 600))},
            pending_at=7200 + 240,
            firing_at=7200 + 420,
            resolved_at=7200 + 1020,
            labels={"job": "edge-infer", "error_type": "timeout"},
            expected_description="timeout errors at 350m a second, more than 3 times the average of the last day as "
            "recorded.",
            interval_seconds=300,
        ),
        negative_cases=(
            RuleCase(why="three times is not more", series={timeouts: gauge((0.125, 7200), (0.375, 900))}, at=7980),
            RuleCase(
                why="rare: from next to nothing to little", series={timeouts: gauge((0.01, 7200), (0.05, 900))}, at=7980
            ),
            RuleCase(why="no day before to compare with", series={timeouts: gauge((0.35, 1800))}, at=1500),
        ),
        positive_cases=(
            RuleCase(why="rare, and now often", series={timeouts: gauge((0.01, 7200), (0.06, 900))}, at=7980),
            RuleCase(
                why="what was more than a day ago does not count",
                series={timeouts: gauge((10, 6 * 3600), (0.1, 25 * 3600), (0.35, 900))},
                at=31 * 3600 + 780,
            ),
        ),
    )


def _device_unavailable() -> Alert:
    gone = _Q.increase(sidecar.HARDWARE_ERRORS, by=_TARGET, where={"error_class": one_of(*_GONE)}, window="2m")
    lost = f'hailo_hardware_errors_total{{{_SIDECAR}, error_class="device_not_found"}}'
    other = f'hailo_hardware_errors_total{{{_SIDECAR}, error_class="execution_failed"}}'
    return Alert(
        name="HailoDeviceUnavailable",
        provoked_by="chip-unavailable",
        expression=f"{gone} > 0",
        for_="1m",
        severity=Severity.CRITICAL,
        service="hailo-inference",
        signal="hardware",
        summary="The Hailo device does not answer the sidecar on {{ $labels.instance }}",
        description="{{ $value | humanize }} failures in 2 minutes because the device is missing, busy or closed.",
        dashboard_uid="edgeinfer-hardware",
        runbook=Runbook(
            meaning="HailoRT says that the device is not found, in use by another process, or closed.",
            impact="No inference on the chip; the gateway answers from its CPU, slower.",
            diagnosis=(
                Step(
                    "What is missing?",
                    {
                        "driver and library differ": (
                            "update both to the same version: `sudo apt full-upgrade`, then reboot."
                        ),
                        "no chip on the bus": (
                            "power-cycle the machine; if there is still none: reseat the module and its flat cable."
                        ),
                        "no problem is found": "the device came back; check that the alert resolves.",
                    },
                    command="edgeinfer doctor --only hailo",
                ),
                Step(
                    "Which other process holds the chip?",
                    {
                        "another process is listed": "stop it: one process owns the chip.",
                        "only the sidecar and the exporter": "no other process; continue.",
                    },
                    command="sudo fuser -v $(ls /dev/hailo* /dev/h1x* 2>/dev/null)",
                ),
                Step(
                    "What does the driver log?",
                    {
                        "`firmware` or `timeout` lines": "power-cycle: a reset does not clear a hanging firmware.",
                        "`link down` or PCIe errors": "reseat the module, then exchange the flat cable.",
                    },
                    command="sudo dmesg | grep -i hailo | tail -20",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={lost: counter((0.1, 300), (0, 600))},
            pending_at=60,
            firing_at=120,
            resolved_at=480,
            labels={"job": "hailo-inference", "instance": "sidecar:9000"},
            expected_description="12 failures in 2 minutes because the device is missing, busy or closed.",
        ),
        negative_cases=(
            RuleCase(
                why="another class of error", series={lost: counter((0, 600)), other: counter((0.1, 600))}, at=500
            ),
        ),
        positive_cases=(
            RuleCase(why="a single failure", series={lost: counter((0, 60), (1 / 15, 15), (0, 300))}, at=150),
        ),
    )


def _hardware_errors() -> Alert:
    rate = _Q.rate(sidecar.HARDWARE_ERRORS, by=(*_TARGET, "error_class"), where={"error_class": one_of(*_BROKEN)})
    failed = f'hailo_hardware_errors_total{{{_SIDECAR}, error_class="execution_failed"}}'
    refused = f'hailo_hardware_errors_total{{{_SIDECAR}, error_class="misuse"}}'
    return Alert(
        name="HailoHardwareErrors",
        provoked_by="chip-stuck",
        expression=f"{rate} > {HARDWARE_ERRORS_PER_SECOND}",
        for_="5m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="hardware",
        summary="The backend on {{ $labels.instance }} keeps failing: {{ $labels.error_class }}",
        description="{{ $value | humanize }} failures a second of class {{ $labels.error_class }}.",
        dashboard_uid="edgeinfer-hardware",
        runbook=Runbook(
            meaning="The backend is open and running, but some of its calls fail.",
            impact="Each failure is one window that the gateway had to answer itself.",
            diagnosis=(
                Step(
                    "Which class does the alert name?",
                    {
                        "memory_allocation_error": "another program takes the memory: see HailoMemoryLow.",
                        "thermal_throttling": "the chip is too hot: see HailoTemperatureCritical.",
                        "timeout": "the chip is saturated or hangs: see HailoUtilizationSaturated.",
                        "execution_failed or unknown": "continue with the log.",
                    },
                ),
                Step(
                    "Which status does HailoRT give?",
                    {
                        "one status repeatedly": ("find it in docs/reference/hailo-errors.md, which has the remedy."),
                        "it began with another model": "restore the previous model, and restart the sidecar.",
                        "nothing helps": "restart the sidecar once; if it comes back, power-cycle the machine.",
                    },
                    command="journalctl -u edgeinfer-sidecar --since -15min | grep -i 'not answered'",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={failed: counter((0.022, 1200), (0, 600))},
            pending_at=540,
            firing_at=660,
            resolved_at=1530,
            labels={"job": "hailo-inference", "instance": "sidecar:9000", "error_class": "execution_failed"},
            expected_description="22m failures a second of class execution_failed.",
        ),
        negative_cases=(
            RuleCase(why="one a minute", series={failed: counter((0.018, 1200))}, at=1100),
            RuleCase(why="a caller's mistake, not the chip's", series={refused: counter((0.1, 1200))}, at=1100),
        ),
    )


def _contract_violation() -> Alert:
    rise = _Q.increase(gateway.CONTRACT_VIOLATIONS, by=(*_TARGET, "check"))
    scores = f'hailo_output_contract_violations_total{{{_GATEWAY}, check="score_range"}}'
    return Alert(
        name="HailoOutputContractViolation",
        provoked_by="wrong-dimensions",
        expression=f"{rise} > 0",
        severity=Severity.CRITICAL,
        service="edge-infer",
        signal="output",
        summary="The sidecar gives answers that break the model's contract: {{ $labels.check }}",
        description="{{ $value | humanize }} answers in 5 minutes failed the check {{ $labels.check }}.",
        runbook=Runbook(
            meaning="An answer had the wrong length, a value that is not finite, or scores outside 0 to 1.",
            impact="The gateway discarded these answers; if the model is wrong, the other answers are suspect too.",
            diagnosis=(
                Step(
                    "Which model answers, and did it change?",
                    {
                        "`hef_sha256` is not the one you deployed": "restore the right model and restart the sidecar.",
                        "`config_version` changed today": (
                            "roll back to the previous model; then find out what changed."
                        ),
                        "`backend` is stub": "see HailoStubAnswers.",
                    },
                    command="curl -s localhost:9000/status",
                ),
                Step(
                    "Dashboard 'Hailo Sidecar', panel 'Contract violations': which check fails?",
                    {
                        "latent_shape or motif_shape": (
                            "the model has other outputs than its card says: the wrong model or card."
                        ),
                        "not_finite": "overflow in the model, or damaged memory: see HailoMemoryDamaged.",
                        "score_range or score_sum": (
                            "the output is not what the card describes: the wrong layer, or no softmax."
                        ),
                    },
                ),
                Step(
                    "Without a model change: how far is the chip from the CPU?",
                    {
                        "it ends with 1": (
                            "remove this sidecar from MODEL_BACKEND_URL, keep its log, and power-cycle the chip."
                        ),
                        "it ends with 0": "the fault is intermittent; keep watching, and file a bug with the log.",
                    },
                    command="edgeinfer parity --reference onnx --candidate hailort",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={scores: counter((0, 60), (0.1, 120), (0, 900))},
            firing_at=150,
            resolved_at=600,
            labels={"job": "edge-infer", "instance": "gateway:8080", "check": "score_range"},
            expected_description="9 answers in 5 minutes failed the check score_range.",
        ),
        negative_cases=(
            RuleCase(why="none, and some long ago", series={scores: counter((0.1, 120), (0, 900))}, at=900),
        ),
        positive_cases=(
            RuleCase(why="a single one", series={scores: counter((0, 60), (1 / 15, 15), (0, 300))}, at=300),
        ),
    )


def _falling_back() -> Alert:
    fallbacks = _Q.rate(gateway.ANALYSES, by=("job",), where={"source": "fallback"})
    everything = _Q.rate(gateway.ANALYSES, by=("job",))
    sidecar_answers, own = (
        f'edgeinfer_analyses_total{{{_GATEWAY}, operation="process", source="{source}"}}'
        for source in ("sidecar", "fallback")
    )
    for_motifs = own.replace("process", "motifs")
    return Alert(
        name="EdgeInferFallingBack",
        provoked_by="http-5xx",
        expression=f"{fallbacks} / {everything} > {FALLBACK_SHARE}\nand {everything} > {TRAFFIC_GUARD_PER_SECOND}",
        for_="5m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="availability",
        summary="The gateway answers with its own CPU",
        description="{{ $value | humanizePercentage }} of the analyses were computed on the gateway's CPU.",
        runbook=Runbook(
            meaning="No sidecar answered, so the gateway ran the same model itself; results are real and marked.",
            impact="Slower answers, CPU time on the gateway, and no use of the chip.",
            diagnosis=(
                Step(
                    "Dashboard 'Hailo Sidecar', panel 'Fallbacks by reason': which one?",
                    {
                        "no_sidecar_configured": "set MODEL_BACKEND_URL, and restart the gateway.",
                        "connection_error or circuit_open": "the sidecar is down; continue with the next step.",
                        "timeout": "the sidecar is slow: see HailoLatencyBudgetBurnFast.",
                        "http_5xx": "the sidecar fails internally: see HailoHardwareErrors.",
                    },
                ),
                Step(
                    "Does the sidecar answer?",
                    {
                        "connection refused": "see HailoSidecarDown.",
                        "503 with a `reason`": "see HailoSidecarNotReady.",
                        "200": "the circuit closes by itself within seconds; check that the alert resolves.",
                    },
                    command="curl -si localhost:9000/healthz",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={
                sidecar_answers: counter((0.88, 1500)),
                own: counter((0.06, 900), (0, 600)),
                for_motifs: counter((0.06, 900), (0, 600)),
            },
            pending_at=285,
            firing_at=420,
            resolved_at=1230,
            labels={"job": "edge-infer"},
            expected_description="12% of the analyses were computed on the gateway's CPU.",
        ),
        negative_cases=(
            RuleCase(
                why="one in twelve",
                series={sidecar_answers: counter((0.92, 1200)), own: counter((0.08, 1200))},
                at=1100,
            ),
            RuleCase(
                why="a handful of requests",
                series={sidecar_answers: counter((0, 1200)), own: counter((0.09, 1200))},
                at=1100,
            ),
        ),
        positive_cases=(
            RuleCase(
                why="slightly more requests than the traffic guard",
                series={sidecar_answers: counter((0.1, 1200)), own: counter((0.016, 1200))},
                at=1100,
            ),
        ),
    )


def _unanswered() -> Alert:
    nobody = _Q.rate(gateway.ANALYSES, by=("job",), where={"source": "none"})
    everything = _Q.rate(gateway.ANALYSES, by=("job",))
    answered, lost = (
        f'edgeinfer_analyses_total{{{_GATEWAY}, operation="process", source="{source}"}}'
        for source in ("sidecar", "none")
    )
    lost_too = lost.replace("process", "motifs")
    return Alert(
        name="EdgeInferAnswersMissing",
        provoked_by="nobody-answers",
        expression=f"{nobody} / {everything} > {UNANSWERED_SHARE}\nand {everything} > {TRAFFIC_GUARD_PER_SECOND}",
        for_="2m",
        severity=Severity.CRITICAL,
        service="edge-infer",
        signal="availability",
        summary="Users get no result: neither sidecar nor fallback answers",
        description="{{ $value | humanizePercentage }} of the analyses had no answer at all.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="Sidecars failed and the fallback on the gateway's CPU failed or is missing too.",
            impact="Phones show errors.",
            diagnosis=(
                Step(
                    "What does the gateway report about itself?",
                    {
                        "`hailo_backend` is not healthy": (
                            "fix the sidecar first: see HailoSidecarDown. That alone resolves the alert."
                        ),
                        "`inference_capability` is unhealthy": (
                            "the fallback is broken too; continue with the next step."
                        ),
                    },
                    command="curl -s localhost:8080/health/detailed",
                ),
                Step(
                    "Why does the fallback not answer?",
                    {
                        "`the fallback model cannot be loaded`": (
                            "the line names the file: check EDGEINFER_MODEL_FOLDER, restart."
                        ),
                        "`the fallback failed`": "keep the traceback; restart the gateway; file a bug.",
                        "neither": "EDGEINFER_GATEWAY_FALLBACK is off: set it, and restart the gateway.",
                    },
                    command="journalctl -u edgeinfer-gateway --since -30min | grep -i fallback",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={
                answered: counter((0.94, 900)),
                lost: counter((0.03, 400), (0, 500)),
                lost_too: counter((0.03, 400), (0, 500)),
            },
            pending_at=105,
            firing_at=210,
            resolved_at=735,
            labels={"job": "edge-infer"},
            expected_description="6% of the analyses had no answer at all.",
        ),
        negative_cases=(
            RuleCase(
                why="one in twenty-five",
                series={answered: counter((0.959, 900)), lost: counter((0.041, 900))},
                at=800,
            ),
            RuleCase(
                why="a handful of requests", series={answered: counter((0, 900)), lost: counter((0.09, 900))}, at=800
            ),
        ),
        positive_cases=(
            RuleCase(
                why="slightly more requests than the traffic guard",
                series={answered: counter((0.1, 900)), lost: counter((0.016, 900))},
                at=800,
            ),
        ),
    )


def _server_errors() -> Alert:
    failed = _Q.rate(gateway.HTTP_REQUESTS, by=("job",), where={"status_code": matching("5..")})
    everything = _Q.rate(gateway.HTTP_REQUESTS, by=("job",))
    route = f'{_GATEWAY}, method="PUT", endpoint="/api/v1/analysis/stream"'
    good, bad, worse, wrong = (
        f'edgeinfer_http_requests_total{{{route}, status_code="{code}"}}' for code in ("202", "500", "507", "404")
    )
    return Alert(
        name="EdgeInferServerErrors",
        provoked_by="disk-full",
        expression=f"{failed} / {everything} > {SERVER_ERROR_SHARE}\nand {everything} > {TRAFFIC_GUARD_PER_SECOND}",
        for_="5m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="availability",
        summary="The gateway answers with server errors",
        description="{{ $value | humanizePercentage }} of the gateway's answers are 5xx.",
        dashboard_uid="edgeinfer-gateway",
        runbook=Runbook(
            meaning="More than one in twenty requests to the gateway ended in a 5xx.",
            impact="Phones retry or lose windows.",
            diagnosis=(
                Step(
                    "Dashboard 'EdgeInfer', panel 'Problems': which kind?",
                    {
                        "overloaded": "more requests than it can take: reduce the load, or add a gateway.",
                        "storage_error": "the disk is full or read-only: see HailoDiskFull.",
                        "not_ready or backend_error": "no sidecar and no fallback: see EdgeInferAnswersMissing.",
                        "internal_error": "a bug in EdgeInfer; continue with the next step.",
                    },
                ),
                Step(
                    "What failed internally?",
                    {
                        "a traceback": "keep it with its request id and file a bug; restart the gateway.",
                        "it began with a deploy": "roll back to the previous version.",
                    },
                    command='journalctl -u edgeinfer-gateway --since -15min | grep \'"level": "error"\'',
                ),
            ),
        ),
        rule_test=RuleTest(
            series={
                good: counter((9.4, 1500)),
                bad: counter((0.3, 900), (0, 600)),
                worse: counter((0.3, 900), (0, 600)),
            },
            pending_at=285,
            firing_at=420,
            resolved_at=1230,
            labels={"job": "edge-infer"},
            expected_description="6% of the gateway's answers are 5xx.",
        ),
        negative_cases=(
            RuleCase(why="few", series={good: counter((9.59, 1200)), bad: counter((0.41, 1200))}, at=1100),
            RuleCase(
                why="the caller's mistakes", series={good: counter((5, 1200)), wrong: counter((5, 1200))}, at=1100
            ),
            RuleCase(why="a handful of requests", series={bad: counter((0.09, 1200))}, at=1100),
        ),
        positive_cases=(
            RuleCase(
                why="slightly more requests than the traffic guard",
                series={good: counter((0.1, 1200)), bad: counter((0.016, 1200))},
                at=1100,
            ),
        ),
    )


def _circuit_open() -> Alert:
    # Each trial call makes an open circuit half-open for a moment: only closed means that it has recovered.
    is_closed = _Q.gauge(gateway.CIRCUIT_STATE, by=(*_TARGET, "sidecar"), where={"state": "closed"})
    address = 'sidecar="127.0.0.1:9000"'
    opened, closed = (
        f'edgeinfer_circuit_state{{{_GATEWAY}, {address}, state="{state}"}}' for state in ("open", "closed")
    )
    return Alert(
        name="HailoCircuitOpen",
        provoked_by="half-open",
        expression=f"{is_closed} == 0",
        for_="1m",
        severity=Severity.WARNING,
        service="edge-infer",
        signal="availability",
        summary="The gateway has stopped calling {{ $labels.sidecar }}",
        description="The circuit breaker of {{ $labels.sidecar }} is open: its calls failed too often.",
        runbook=Runbook(
            meaning="So many calls to this sidecar failed that the gateway stopped calling it, except for a trial "
            "call now and then.",
            impact="Its share of the work goes to other sidecars or to the gateway's CPU.",
            diagnosis=(
                Step(
                    "Does that sidecar answer? The alert names its address.",
                    {
                        "connection refused": "see HailoSidecarDown.",
                        "503 with a `reason`": "see HailoSidecarNotReady.",
                        "200": "the next trial call closes the circuit; check that the alert resolves.",
                    },
                    command="curl -si localhost:9000/healthz",
                ),
                Step(
                    "Dashboard 'Hailo Sidecar', panel 'Errors by class': what failed before it opened?",
                    {
                        "timeout": "it is slow, not down: see HailoLatencyBudgetBurnFast.",
                        "http_5xx": "it fails internally: see HailoHardwareErrors.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={opened: gauge((1, 50), (0, 10), (1, 240), (0, 300)), closed: gauge((0, 300), (1, 300))},
            pending_at=45,
            firing_at=90,
            resolved_at=330,
            labels={"job": "edge-infer", "instance": "gateway:8080", "sidecar": "127.0.0.1:9000"},
            expected_description="The circuit breaker of 127.0.0.1:9000 is open: its calls failed too often.",
        ),
        negative_cases=(RuleCase(why="closed", series={opened: gauge((0, 300)), closed: gauge((1, 300))}, at=200),),
    )
