"""The objectives' dashboard: how much budget is left, how fast it burns, and what spent it."""

from dataclasses import replace

from edgeinfer.catalog import gateway
from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.dashboard import Dashboard
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import SIDECAR
from edgeinfer.monitoring.dashboards.long_range import LongRangeQueries, resolution
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    bar_gauge,
    stat,
    table,
    text,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import JOBS, finite
from edgeinfer.monitoring.dashboards.style import (
    BLUE,
    COUNT,
    ERROR_COLORS,
    GREEN,
    ORANGE,
    RED,
    REQUESTS_PER_SECOND,
    STATUS_COLORS,
    SUCCESS,
    SUCCESS_LINE,
    WINDOW_COLORS,
    YELLOW,
    Thresholds,
    of,
)
from edgeinfer.monitoring.promql import Recorded
from edgeinfer.monitoring.recording import FAILURES, REQUESTS, SLOW, TIMED, failure_ratio, slow_ratio
from edgeinfer.monitoring.thresholds import BURN_FAST, BURN_SLOW, ERROR_BUDGET, LATENCY_OBJECTIVE_SECONDS, OBJECTIVE

_LEFT: Thresholds = ((None, RED), (0.25, YELLOW), (0.5, GREEN))
_FAST, _SLOW_PACE = round(BURN_FAST / ERROR_BUDGET, 4), round(BURN_SLOW / ERROR_BUDGET, 4)
_BURN: Thresholds = ((None, GREEN), (1, YELLOW), (_FAST, RED))

# The objectives are those of all instances together; nobody promised anything of one.
_WHOLE = LongRangeQueries("$__range", JOBS.scope)


def create() -> Dashboard:
    return Dashboard(
        uid="edgeinfer-slo",
        file="edgeinfer_slo_dashboard.json",
        title="EdgeInfer objectives",
        description="What is promised (95 % of requests succeed, 95 % within 100 ms, over 30 days), what is left of "
        "the budget, how fast it burns, and what spent it.",
        variables=[variables.datasource(), variables.job(), resolution()],
        rows=[
            Row("Budget", [_now()], SIDECAR),
            Row("How fast it burns, and what fires", [_burning()], SIDECAR),
            Row("What spent it", [_spent()], SIDECAR),
            Row("Indicators", [_indicators()], SIDECAR, open_when="a burn rate rises and you ask since when"),
            Row("Alerts over time", [_alerts()], SIDECAR, open_when="you look for what fired before"),
            Row("How to read this", [_promise()], SIDECAR, open_when="burn rates are new to you"),
        ],
    )


def _promise() -> list[Panel]:
    content = (
        f"**Promise**, over 30 days: {OBJECTIVE:.0%} of inference requests succeed, and {OBJECTIVE:.0%} take at most "
        f"{LATENCY_OBJECTIVE_SECONDS * 1000:.0f} ms. The budget is the other {ERROR_BUDGET:.0%}. "
        f"A burn rate of 1 spends it in exactly 30 days; {_SLOW_PACE:.0f} in 10 days (a warning), "
        f"{_FAST:.0f} in 5 days (a page)."
    )
    return [text("How to read this", "What the objectives are and what a burn rate means.", content)]


def _left(ratio: Recorded) -> str:
    return f"1 - {JOBS.recorded(ratio, how='max')} / {ERROR_BUDGET}"


def _burn(ratio: Recorded) -> str:
    return f"{JOBS.recorded(ratio, how='max')} / {ERROR_BUDGET}"


def _now() -> list[Panel]:
    field_config = FieldConfig(unit="percentunit", decimals=1, thresholds=_LEFT, maximum=1, no_value="no requests yet")
    pace = FieldConfig(unit="none", decimals=2, thresholds=_BURN, no_value="no requests")
    share = FieldConfig(unit="percentunit", decimals=2, thresholds=SUCCESS, no_value="no requests")
    month = "30d"
    return [
        stat(
            "Error budget left",
            "Share of the 30 days' budget of failures that is left; below zero the promise is broken.",
            [Query(_left(failure_ratio(month)), "left")],
            field_config,
            size=(4, 4),
        ),
        stat(
            "Latency budget left",
            "Share of the 30 days' budget of slow requests that is left; below zero the promise is broken.",
            [Query(_left(slow_ratio(month)), "left")],
            field_config,
            size=(4, 4),
        ),
        stat(
            "Error burn, 1 h",
            "How many times faster than allowed failures spent the budget over the last hour.",
            [Query(_burn(failure_ratio("1h")), "burn")],
            pace,
            size=(4, 4),
        ),
        stat(
            "Latency burn, 1 h",
            "How many times faster than allowed slow requests spent the budget over the last hour.",
            [Query(_burn(slow_ratio("1h")), "burn")],
            pace,
            size=(4, 4),
        ),
        stat(
            "Success, 30 days",
            "Share of inference requests of 30 days that succeeded.",
            [Query(f"1 - {JOBS.recorded(failure_ratio(month), how='max')}", "success")],
            share,
            size=(4, 4),
        ),
        stat(
            "Within 100 ms, 30 days",
            "Share of inference requests of 30 days that kept the latency objective.",
            [Query(f"1 - {JOBS.recorded(slow_ratio(month), how='max')}", "within 100 ms")],
            share,
            size=(4, 4),
        ),
    ]


def _burning() -> list[Panel]:
    field_config = FieldConfig(unit="none", decimals=2, thresholds=((None, GREEN), (_FAST, RED)), colors=WINDOW_COLORS)
    columns = {"alertname": "Alert", "alertstate": "State", "severity": "Severity", "signal": "Signal"}
    return [
        time_series(
            "Error burn by window",
            "1 spends the budget in exactly 30 days. The red line is where an alert pages.",
            [Query(_burn(failure_ratio(window)), window) for window in WINDOW_COLORS],
            field_config,
            size=(8, 7),
            line=True,
            link=SIDECAR,
        ),
        time_series(
            "Latency burn by window",
            "1 spends the budget in exactly 30 days. The red line is where an alert pages.",
            [Query(_burn(slow_ratio(window)), window) for window in WINDOW_COLORS],
            field_config,
            size=(8, 7),
            line=True,
            link=SIDECAR,
        ),
        table(
            "Alerts now",
            "What fires or is about to fire.",
            Query('max by (alertname, alertstate, severity, signal) (ALERTS{severity!="none"})'),
            FieldConfig(unit="none", no_value="no alerts"),
            size=(8, 7),
            columns=columns,
        ),
    ]


def _indicators() -> list[Panel]:
    field_config = FieldConfig(unit="percentunit", maximum=1, thresholds=SUCCESS_LINE)
    failures, requests, slow, timed = (JOBS.recorded(series) for series in (FAILURES, REQUESTS, SLOW, TIMED))
    return [
        time_series(
            "Success",
            "Share of inference requests that succeeded; the line is the promise.",
            [Query(finite(f"1 - {failures} / {requests}"), "success")],
            replace(field_config, colors={"success": GREEN}),
            size=(8, 8),
            line=True,
        ),
        time_series(
            "Within 100 ms",
            "Share of inference requests that took at most 100 ms; the line is the promise.",
            [Query(finite(f"1 - {slow} / {timed}"), "within 100 ms")],
            replace(field_config, colors={"within 100 ms": GREEN}),
            size=(8, 8),
            line=True,
        ),
        time_series(
            "Traffic",
            "Inference requests per second. Alerts on shares wait until there are some.",
            [Query(requests, "requests"), Query(failures, "failure")],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=of(STATUS_COLORS, "failure")),
            size=(8, 8),
        ),
    ]


def _spent() -> list[Panel]:
    errors = _WHOLE.increase(gateway.INFERENCE_ERRORS, by=("error_type",))
    sidecars = _WHOLE.increase(gateway.SIDECAR_REQUESTS, by=("sidecar",), where={"status": "failure"})
    whole = _WHOLE.increase(gateway.INFERENCE_REQUESTS)
    return [
        bar_gauge(
            "Errors by class",
            "Failures of the shown time range by class: what spent the error budget.",
            [Query(f"sort_desc({errors} > 0)", "{{error_type}}", instant=True)],
            FieldConfig(unit=COUNT, decimals=0, minimum=0, colors=ERROR_COLORS, no_value="none"),
            size=(8, 5),
            link=SIDECAR,
        ),
        bar_gauge(
            "Failures by sidecar",
            "Failed calls of the shown time range: which sidecar spent it.",
            [Query(f"sort_desc({sidecars} > 0)", "{{sidecar}}", instant=True)],
            FieldConfig(unit=COUNT, decimals=0, minimum=0, no_value="none"),
            size=(8, 5),
        ),
        bar_gauge(
            "Share of each class",
            "The same as a share of all requests of the shown range; together they are what success lacks.",
            [Query(f"sort_desc({errors} / scalar({whole}) > 0)", "{{error_type}}", instant=True)],
            FieldConfig(unit="percentunit", decimals=2, minimum=0, colors=ERROR_COLORS, no_value="none"),
            size=(8, 5),
        ),
    ]


def _alerts() -> list[Panel]:
    return [
        time_series(
            "Alerts over time",
            "Alerts that fired, by severity.",
            [Query('count by (severity) (ALERTS{alertstate="firing", severity!="none"})', "{{severity}}")],
            FieldConfig(unit=COUNT, decimals=0, colors={"critical": RED, "warning": ORANGE, "ticket": BLUE}),
            size=(24, 8),
            bars=True,
            stacked=True,
        ),
    ]
