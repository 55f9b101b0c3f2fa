"""Alerts on errors of the sidecar: error classes, the device, and outputs that break their contract."""

from edgeinfer.catalog import gateway, sidecar
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, counter, gauge
from edgeinfer.monitoring.alerts.service_series import GATEWAY, QUERIES, TARGET
from edgeinfer.monitoring.promql import one_of
from edgeinfer.monitoring.recording import ERRORS
from edgeinfer.monitoring.thresholds import (
    ERROR_SPIKE_FACTOR,
    ERROR_SPIKE_FLOOR_PER_SECOND,
    HARDWARE_ERRORS_PER_SECOND,
)

_SIDECAR = 'job="hailo-inference", instance="sidecar:9000"'
_GONE = ("device_not_found", "communication_closed", "hailort_init_failure", "device_in_use")
_BROKEN = ("memory_allocation_error", "execution_failed", "timeout", "thermal_throttling", "unknown")


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _class_spike(),
        _device_unavailable(),
        _hardware_errors(),
        _contract_violation(),
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
                RunbookStep(
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
                RunbookStep(
                    "What does the gateway log for each failure?",
                    {
                        "the same `request_id` in both logs": "the sidecar's line names the cause.",
                        "lines began with a deploy": "roll back to the previous version.",
                    },
                    command="journalctl -u edgeinfer-gateway --since -15min | grep 'inference failed'",
                ),
                RunbookStep(
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
    gone = QUERIES.increase(sidecar.HARDWARE_ERRORS, by=TARGET, where={"error_class": one_of(*_GONE)}, window="2m")
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
                RunbookStep(
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
                RunbookStep(
                    "Which other process holds the chip?",
                    {
                        "another process is listed": "stop it: one process owns the chip.",
                        "only the sidecar and the exporter": "no other process; continue.",
                    },
                    command="sudo fuser -v $(ls /dev/hailo* /dev/h1x* 2>/dev/null)",
                ),
                RunbookStep(
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
    rate = QUERIES.rate(sidecar.HARDWARE_ERRORS, by=(*TARGET, "error_class"), where={"error_class": one_of(*_BROKEN)})
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
                RunbookStep(
                    "Which class does the alert name?",
                    {
                        "memory_allocation_error": "another program takes the memory: see HailoMemoryLow.",
                        "thermal_throttling": "the chip is too hot: see HailoTemperatureCritical.",
                        "timeout": "the chip is saturated or hangs: see HailoUtilizationSaturated.",
                        "execution_failed or unknown": "continue with the log.",
                    },
                ),
                RunbookStep(
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
    rise = QUERIES.increase(gateway.CONTRACT_VIOLATIONS, by=(*TARGET, "check"))
    scores = f'hailo_output_contract_violations_total{{{GATEWAY}, check="score_range"}}'
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
                RunbookStep(
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
                RunbookStep(
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
                RunbookStep(
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
