"""Requests, their latency and errors, the fallback and the health checks."""

from edgeinfer.catalog import gateway, labels, sidecar
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import GATEWAY, HARDWARE, SLO
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    state_timeline,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import (
    LIVE,
    finite,
    quantile,
)
from edgeinfer.monitoring.dashboards.style import (
    COUNT,
    ERROR_COLORS,
    GREEN,
    GREY,
    INVALID_OUTPUT,
    LATENCY_LINE,
    ORANGE,
    PER_SECOND,
    PERCENTILE_COLORS,
    PROBE,
    RED,
    REQUESTS_PER_SECOND,
    STAGE_COLORS,
    SUCCESS_LINE,
    YELLOW,
    of,
)
from edgeinfer.monitoring.prometheus_metrics import UP
from edgeinfer.monitoring.recording import QUANTILE
from edgeinfer.monitoring.thresholds import LATENCY_OBJECTIVE_SECONDS

_NO_ERRORS = "no errors counted"


def rows() -> list[Row]:
    return [
        Row("Requests", [_requests()], GATEWAY, open_when="there are too many or too few"),
        Row("Latency", [_latency()], SLO, open_when="P95 latency is yellow or red"),
        Row("Errors", [_errors(), _inside_errors()], SLO, open_when="Success is not green"),
        Row("Fallback and sidecars", [_fallback()], GATEWAY, open_when="answers come from the fallback"),
        Row("Health", [_health()], GATEWAY, open_when="a health check fails or a process is down"),
    ]


def _requests() -> list[Panel]:
    return [
        time_series(
            "Request rate",
            "Inference requests per second by what they were for.",
            [Query(LIVE.rate(gateway.INFERENCE_REQUESTS, by=("operation", "instance")), "{{operation}} {{instance}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            link=GATEWAY,
        ),
        time_series(
            "Sample throughput",
            "IMU samples, latent vectors and motif predictions per second.",
            [Query(LIVE.rate(gateway.SAMPLES_PROCESSED, by=("metric",)), "{{metric}}")],
            FieldConfig(unit=PER_SECOND),
        ),
    ]


def _latency() -> list[Panel]:
    fast = LIVE.at_most(LATENCY_OBJECTIVE_SECONDS, gateway.INFERENCE_DURATION)
    by_stage = LIVE.quantile(0.95, sidecar.STAGE_DURATION, by=("stage",))
    by_operation = LIVE.recorded(QUANTILE, how="max", by=("operation", "instance"), where={"quantile": "0.95"})
    inside_whole = LIVE.quantile(0.95, sidecar.HTTP_DURATION, by=("instance",), where={"endpoint": "/infer"})
    return [
        time_series(
            "Within 100 ms",
            "Share of requests that kept the objective, counted exactly from the histogram's edge at 0.1 s. "
            "The line is the promise of 95 %.",
            [Query(finite(f"{fast} / {LIVE.count(gateway.INFERENCE_DURATION)}"), "within 100 ms")],
            FieldConfig(unit="percentunit", maximum=1, thresholds=SUCCESS_LINE, colors={"within 100 ms": GREEN}),
            size=(8, 8),
            line=True,
            link=SLO,
        ),
        time_series(
            "Slowest part, p95",
            "The 95th percentile of each stage inside the sidecar.",
            [Query(finite(by_stage), "{{stage}}", exemplars=True)],
            FieldConfig(unit="s", colors=of(STAGE_COLORS, *labels.STAGES)),
            size=(8, 8),
        ),
        time_series(
            "P95 by operation",
            "The 95th percentile by what the inference was for, and what the sidecar itself took for all of it.",
            [
                Query(by_operation, "{{operation}} {{instance}}"),
                Query(finite(inside_whole), "inside the sidecar {{instance}}"),
            ],
            FieldConfig(unit="s", thresholds=LATENCY_LINE),
            size=(8, 8),
            line=True,
        ),
    ]


def _errors() -> list[Panel]:
    status_colors = {"success": GREEN, "shed": ORANGE, "invalid_input": YELLOW, "backend_error": RED}
    return [
        time_series(
            "Contract violations",
            "Answers that break the model's contract, by the check that found them. "
            "Any is too many: such a model is wrong.",
            [Query(LIVE.rate(gateway.CONTRACT_VIOLATIONS, by=("check",)), "{{check}}")],
            FieldConfig(unit=PER_SECOND, no_value=_NO_ERRORS),
            size=(8, 8),
            bars=True,
        ),
        time_series(
            "What became of windows",
            "Windows that reached the sidecar, by what became of them there.",
            [Query(LIVE.rate(sidecar.INFERENCES, by=("status",)), "{{status}}")],
            FieldConfig(unit=PER_SECOND, colors=status_colors | {"invalid_output": INVALID_OUTPUT, "not_ready": GREY}),
            size=(8, 8),
            stacked=True,
        ),
        time_series(
            "Backend failures",
            "Failures of the backend by class; with a chip these come from HailoRT's status codes.",
            [Query(LIVE.rate(sidecar.HARDWARE_ERRORS, by=("error_class",)), "{{error_class}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 8),
            bars=True,
            link=HARDWARE,
        ),
    ]


def _inside_errors() -> list[Panel]:
    return [
        time_series(
            "Recoveries",
            "Times that the backend was closed and opened again after a failure.",
            [Query(LIVE.increase(sidecar.BACKEND_RECOVERIES, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 8),
            bars=True,
        ),
        time_series(
            "Problems of the sidecar",
            "Requests that the sidecar answered with an error, by kind of problem.",
            [Query(LIVE.rate(sidecar.PROBLEMS, by=("error_type",)), "{{error_type}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 8),
            bars=True,
        ),
        time_series(
            "Sidecar's answers by status",
            "HTTP requests that the sidecar answered, by status code.",
            [
                Query(
                    LIVE.rate(sidecar.HTTP_REQUESTS, by=("endpoint", "status_code")),
                    "{{endpoint}} {{status_code}}",
                )
            ],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            size=(8, 8),
        ),
    ]


def _fallback() -> list[Panel]:
    circuit = LIVE.gauge(gateway.CIRCUIT_STATE, by=("sidecar",), where={"state": "open"})
    half = LIVE.gauge(gateway.CIRCUIT_STATE, by=("sidecar",), where={"state": "half_open"})
    return [
        time_series(
            "Fallbacks by reason",
            "Why the gateway's CPU had to answer.",
            [Query(LIVE.rate(gateway.FALLBACKS, by=("reason",)), "{{reason}}")],
            FieldConfig(unit=PER_SECOND, colors=ERROR_COLORS),
            size=(6, 8),
            bars=True,
            stacked=True,
        ),
        time_series(
            "Calls by sidecar",
            "How the gateway spreads its calls over the sidecars, and how they end.",
            [Query(LIVE.rate(gateway.SIDECAR_REQUESTS, by=("sidecar", "status")), "{{sidecar}} {{status}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            size=(6, 8),
        ),
        time_series(
            "Calls under way",
            "Calls that each sidecar has not answered yet.",
            [Query(LIVE.gauge(gateway.SIDECAR_IN_FLIGHT, by=("sidecar",)), "{{sidecar}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(6, 8),
        ),
        state_timeline(
            "Circuit breaker",
            "Whether the gateway asks each sidecar: open means that it leaves it alone after too many failures.",
            [Query(f"2 * {circuit} + {half}", "{{sidecar}}")],
            FieldConfig(unit="none", value_mappings=[(0, "closed", GREEN), (1, "half open", YELLOW), (2, "open", RED)]),
            size=(6, 8),
        ),
    ]


def _health() -> list[Panel]:
    return [
        state_timeline(
            "Up",
            "Whether Prometheus reaches each process.",
            [Query(LIVE.gauge(UP, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit="none", value_mappings=[(0, "down", RED), (1, "up", GREEN)]),
            size=(8, 8),
        ),
        time_series(
            "Health response times",
            "How long each health check took. A check that becomes slow often precedes a failure.",
            [Query(LIVE.gauge(gateway.HEALTH_DURATION, by=("check", "instance")), "{{check}} {{instance}}")],
            FieldConfig(unit="s"),
            size=(8, 8),
        ),
        time_series(
            "Health and latency",
            "The probe of the sidecar and the p95 of real requests in one picture: do they move together?",
            [
                Query(LIVE.gauge(gateway.HEALTH_DURATION, where={"check": "hailo_backend"}), "probe of the sidecar"),
                Query(quantile(0.95), "p95 of requests"),
            ],
            FieldConfig(
                unit="s",
                thresholds=LATENCY_LINE,
                colors={"probe of the sidecar": PROBE, "p95 of requests": PERCENTILE_COLORS["p95"]},
            ),
            size=(8, 8),
            line=True,
        ),
    ]
