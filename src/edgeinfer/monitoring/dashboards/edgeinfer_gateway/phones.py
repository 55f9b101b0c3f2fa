"""The open rows: what phones ask, and what they get."""

from edgeinfer.catalog import gateway
from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import SIDECAR, SLO
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    stat,
    state_timeline,
    table,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import FIRING, LIVE, NOW, finite, health_state, or_zero
from edgeinfer.monitoring.dashboards.style import (
    ALL_UP,
    COUNT,
    GREEN,
    LATENCY_LINE,
    NONE_IS_GOOD,
    RED,
    REQUESTS_PER_SECOND,
    SOURCE_COLORS,
    YELLOW,
    Thresholds,
)
from edgeinfer.monitoring.promql import matching, other_than
from edgeinfer.monitoring.thresholds import SERVER_ERROR_SHARE, UNANSWERED_SHARE

_ANSWERED: Thresholds = ((None, RED), (1 - UNANSWERED_SHARE, YELLOW), (0.999, GREEN))
_SERVER_ERRORS: Thresholds = ((None, GREEN), (SERVER_ERROR_SHARE / 5, YELLOW), (SERVER_ERROR_SHARE, RED))
# Probes and scrapes come at their own pace and would drown what phones do.
_PHONES = {"endpoint": matching("/api/.*")}


def rows() -> list[Row]:
    return [
        Row("Now", [_now()], SIDECAR),
        Row("What phones get", [_requests(), _answers()], SIDECAR),
    ]


def _now() -> list[Panel]:
    unanswered = NOW.rate(gateway.ANALYSES, where={"source": other_than("none")})
    errors = NOW.rate(gateway.HTTP_REQUESTS, where={"status_code": matching("5..")})
    every = NOW.rate(gateway.HTTP_REQUESTS)
    return [
        stat(
            "P95 of phone requests",
            "Nineteen of twenty API requests were answered faster than this.",
            [Query(finite(NOW.quantile(0.95, gateway.HTTP_DURATION, where=_PHONES)), "p95")],
            FieldConfig(unit="s", thresholds=LATENCY_LINE, no_value="no requests"),
            link=SIDECAR,
        ),
        stat(
            "Analyses answered",
            "Share of analyses that got a result, from a sidecar or from the gateway's CPU.",
            [Query(finite(f"{unanswered} / {NOW.rate(gateway.ANALYSES)}"), "answered")],
            FieldConfig(unit="percentunit", decimals=2, thresholds=_ANSWERED, no_value="no analyses"),
            link=SLO,
        ),
        stat(
            "Server errors",
            "Share of the gateway's answers that are 5xx.",
            [Query(finite(f"({or_zero(errors)}) / {every}"), "5xx")],
            FieldConfig(unit="percentunit", decimals=2, thresholds=_SERVER_ERRORS, no_value="no requests"),
        ),
        stat(
            "Requests per minute",
            "API requests of phones.",
            [Query(f"60 * {NOW.rate(gateway.HTTP_REQUESTS, where=_PHONES)}", "requests")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no gateway"),
        ),
        stat(
            "Sessions",
            "Sessions that are open now.",
            [Query(NOW.gauge(gateway.SESSIONS_ACTIVE, how="sum"), "sessions")],
            FieldConfig(unit=COUNT, decimals=0, no_value="no gateway"),
        ),
        stat(
            "Gateway",
            "Whether every gateway that is scraped is up.",
            [Query(NOW.gauge(prometheus_metrics.UP, how="min", where={"job": "edge-infer"}), "up")],
            FieldConfig(
                unit="none", thresholds=ALL_UP, value_mappings=[(0, "down", RED), (1, "up", GREEN)], no_value="unknown"
            ),
            sparkline=False,
        ),
        stat(
            "Version",
            "Version of the gateway that runs.",
            [Query(NOW.info(gateway.BUILD_INFO, by=("version",)), "{{version}}", instant=True)],
            FieldConfig(unit="none", no_value="no gateway"),
            shows="name",
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


def _requests() -> list[Panel]:
    by = ("method", "endpoint")
    # The worst at the bottom of the stack, lest it draws a red edge along what went well.
    status_classes = {"5xx": ("5..", RED), "4xx": ("4..", YELLOW), "2xx": ("2..", GREEN)}
    return [
        time_series(
            "Request rate by route",
            "Requests per second that the gateway answered, by route.",
            [Query(LIVE.rate(gateway.HTTP_REQUESTS, by=by), "{{method}} {{endpoint}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            size=(8, 7),
        ),
        time_series(
            "Answers by status",
            "Answers per second by class of status: 4xx are the caller's, 5xx are ours.",
            [
                Query(or_zero(LIVE.rate(gateway.HTTP_REQUESTS, where={"status_code": matching(pattern)})), name)
                for name, (pattern, _) in status_classes.items()
            ],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors={name: color for name, (_, color) in status_classes.items()}),
            size=(8, 7),
            stacked=True,
        ),
        time_series(
            "P95 by route",
            "From the request's first byte at the gateway to the last byte of its answer.",
            [
                Query(
                    finite(LIVE.quantile(0.95, gateway.HTTP_DURATION, by=by)),
                    "{{method}} {{endpoint}}",
                    exemplars=True,
                )
            ],
            FieldConfig(unit="s", thresholds=LATENCY_LINE),
            size=(8, 7),
            line=True,
            link=SIDECAR,
        ),
    ]


def _answers() -> list[Panel]:
    states = [(0, "healthy", GREEN), (1, "degraded", YELLOW), (2, "unhealthy", RED)]
    return [
        time_series(
            "Analyses by source",
            "Per second: computed by a sidecar, by the gateway's CPU, or by nobody.",
            [Query(LIVE.rate(gateway.ANALYSES, by=("source",)), "{{source}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=SOURCE_COLORS),
            size=(8, 6),
            stacked=True,
            link=SIDECAR,
        ),
        state_timeline(
            "Health checks",
            "The gateway's own checks, run every 30 seconds.",
            [Query(health_state(), "{{check}} {{instance}}")],
            FieldConfig(unit="none", value_mappings=states),
            size=(8, 6),
        ),
        table(
            "Alerts now",
            "What fires or is about to fire.",
            Query('max by (alertname, alertstate, severity, service) (ALERTS{severity!="none"})'),
            FieldConfig(unit="none", no_value="no alerts"),
            columns={"alertname": "Alert", "alertstate": "State", "severity": "Severity", "service": "Service"},
            size=(8, 6),
        ),
    ]
