"""The open rows: is it fast, right, healthy and real, and what has changed?"""

from edgeinfer.catalog import gateway, labels, sidecar
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import GATEWAY, HARDWARE, SLO
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    stat,
    state_timeline,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import (
    FIRING,
    LIVE,
    NOW,
    PERCENTILES,
    finite,
    health_state,
    quantile,
    quantile_now,
    success_ratio,
)
from edgeinfer.monitoring.dashboards.style import (
    ALL_UP,
    BACKEND_COLORS,
    COUNT,
    ERROR_COLORS,
    GREEN,
    LATENCY,
    LATENCY_LINE,
    NONE_IS_GOOD,
    PER_SECOND,
    PERCENTILE_COLORS,
    RED,
    REQUESTS_PER_SECOND,
    SOURCE_COLORS,
    STAGE_COLORS,
    STATUS_COLORS,
    SUCCESS,
    YELLOW,
    Thresholds,
    of,
)
from edgeinfer.monitoring.prometheus_metrics import UP
from edgeinfer.monitoring.thresholds import FALLBACK_SHARE

_FALLBACK: Thresholds = ((None, RED), (1 - FALLBACK_SHARE, YELLOW), (0.999, GREEN))
_NO_ERRORS = "no errors counted"


def rows() -> list[Row]:
    return [
        Row("Now: fast, right, healthy, real?", [_now()], GATEWAY),
        Row("What has changed?", [_outcome(), _causes()], GATEWAY),
    ]


def _now() -> list[Panel]:
    samples = NOW.rate(gateway.SAMPLES_PROCESSED, where={"metric": "samples_processed"})
    from_sidecar = NOW.rate(gateway.ANALYSES, where={"source": "sidecar"})
    return [
        stat(
            "P95 latency",
            "Nineteen of twenty inference requests were faster than this over the last minute. The promise is 100 ms.",
            [Query(quantile_now(0.95), "p95")],
            FieldConfig(unit="s", thresholds=LATENCY, no_value="no requests"),
            link=SLO,
        ),
        stat(
            "Success",
            "Share of inference requests that a sidecar answered correctly. The promise is 95 %.",
            [Query(success_ratio(NOW), "success")],
            FieldConfig(unit="percentunit", decimals=2, thresholds=SUCCESS, no_value="no requests"),
            link=SLO,
        ),
        stat(
            "Requests per minute",
            "Inference requests that the gateway made to sidecars.",
            [Query(f"60 * {NOW.rate(gateway.INFERENCE_REQUESTS)}", "requests")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no gateway"),
            link=GATEWAY,
        ),
        stat(
            "Samples per minute",
            "IMU samples in the windows that sidecars answered; a window has 100.",
            [Query(f"60 * {samples}", "samples")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no gateway"),
            link=GATEWAY,
        ),
        stat(
            "From the sidecar",
            "Share of analyses that a sidecar computed; the others came from the gateway's CPU or from nobody.",
            [Query(finite(f"{from_sidecar} / {NOW.rate(gateway.ANALYSES)}"), "sidecar")],
            FieldConfig(unit="percentunit", decimals=1, thresholds=_FALLBACK, no_value="no analyses"),
        ),
        stat(
            "Backend",
            "What computes the answers: hailo is the chip, cpu the same model on the processor, "
            "stub means synthetic results that mean nothing.",
            [Query(NOW.info(sidecar.RUNTIME_INFO, by=("backend",)), "{{backend}}", instant=True)],
            FieldConfig(unit="none", colors=BACKEND_COLORS, no_value="no sidecar"),
            shows="name",
            sparkline=False,
            link=HARDWARE,
        ),
        stat(
            "Sidecar",
            "Whether every sidecar that is scraped is up and ready.",
            [
                Query(
                    f"{NOW.gauge(UP, how='min', where={'job': 'hailo-inference'})} * "
                    f"({NOW.gauge(sidecar.READY, how='min')} or vector(0))",
                    "ready",
                )
            ],
            FieldConfig(
                unit="none",
                thresholds=ALL_UP,
                value_mappings=[(0, "not ready", RED), (1, "ready", GREEN)],
                no_value="unknown",
            ),
            sparkline=False,
        ),
        stat(
            "Alerts firing",
            "Alerts of severity critical and warning that fire now.",
            [Query(f"count({FIRING}) or vector(0)", "alerts", instant=True)],
            FieldConfig(unit="none", decimals=0, thresholds=NONE_IS_GOOD, no_value="unknown"),
            sparkline=False,
            link=SLO,
        ),
    ]


def _outcome() -> list[Panel]:
    statuses = [
        # The first query is drawn at the bottom: failures first, or they would draw a red edge along the successes.
        Query(LIVE.rate(gateway.INFERENCE_REQUESTS, where={"status": status}), status)
        for status in reversed(labels.STATUSES)
    ]
    percentiles = [Query(quantile(fraction), name) for name, fraction in PERCENTILES.items()]
    mean = Query(finite(LIVE.mean(gateway.INFERENCE_DURATION)), "mean")
    return [
        time_series(
            "Success and failure",
            "Inference requests per second by outcome, stacked.",
            statuses,
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=STATUS_COLORS),
            size=(8, 7),
            stacked=True,
        ),
        time_series(
            "Latency percentiles",
            "How long inference requests took, from sending the window until the answer was validated. "
            "The red line is the objective for p95.",
            [*percentiles, mean],
            FieldConfig(unit="s", thresholds=LATENCY_LINE, colors=of(PERCENTILE_COLORS, *PERCENTILES, "mean")),
            size=(8, 7),
            line=True,
            link=SLO,
        ),
        _time_by_part(),
    ]


def _time_by_part() -> Panel:
    inside = {stage: finite(LIVE.mean(sidecar.STAGE_DURATION, where={"stage": stage})) for stage in labels.STAGES}
    parts = {"network": finite(LIVE.mean(gateway.NETWORK_DURATION))} | inside
    return time_series(
        "Where the time goes",
        "Mean time of each part of a call, stacked: the network and both HTTP stacks, then the sidecar's stages. "
        "Together they are the whole call.",
        [Query(expression, stage) for stage, expression in parts.items()],
        FieldConfig(unit="s", colors=STAGE_COLORS),
        size=(8, 7),
        stacked=True,
        link=HARDWARE,
    )


def _causes() -> list[Panel]:
    states = [(0, "healthy", GREEN), (1, "degraded", YELLOW), (2, "unhealthy", RED)]
    return [
        time_series(
            "Errors by class",
            "Failed inference requests per second by class, as the gateway saw them.",
            [Query(LIVE.rate(gateway.INFERENCE_ERRORS, by=("error_type",)), "{{error_type}}")],
            FieldConfig(unit=PER_SECOND, colors=ERROR_COLORS, no_value=_NO_ERRORS),
            size=(8, 6),
            stacked=True,
            bars=True,
            link=SLO,
        ),
        time_series(
            "Where answers come from",
            "Analyses per second: computed by a sidecar, by the gateway's own CPU, or by nobody.",
            [Query(LIVE.rate(gateway.ANALYSES, by=("source",)), "{{source}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=SOURCE_COLORS),
            size=(8, 6),
            stacked=True,
        ),
        state_timeline(
            "Health checks",
            "The gateway's own checks, run every 30 seconds.",
            [Query(health_state(), "{{check}} {{instance}}")],
            FieldConfig(unit="none", value_mappings=states),
            size=(8, 6),
            link=GATEWAY,
        ),
    ]
