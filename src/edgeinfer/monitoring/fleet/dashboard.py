"""The fleet's dashboard: the worst devices first, never a line for each of a thousand. Needs the Grafana SDK."""

from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.dashboard import Dashboard
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.panels import FieldConfig, Panel, Query, bar_gauge, stat, table, time_series
from edgeinfer.monitoring.dashboards.sources import FIRING
from edgeinfer.monitoring.dashboards.style import (
    COUNT,
    ERROR_COLORS,
    HEAT,
    LATENCY,
    LATENCY_LINE,
    NONE_IS_GOOD,
    REQUESTS_PER_SECOND,
    SOURCE_COLORS,
    SUCCESS,
    SUCCESS_LINE,
)
from edgeinfer.monitoring.fleet import rules

_WORST = 15
_NAME = "{{site}} {{device}}"


def create() -> Dashboard:
    """The dashboard of all devices of a fleet."""
    return Dashboard(
        uid="edgeinfer-fleet",
        file="edgeinfer_fleet_dashboard.json",
        title="EdgeInfer fleet",
        description="All devices: how many live, which are worst, what they answer.",
        variables=[variables.datasource()],
        start="now-6h",
        refresh="30s",
        deploys=_new_versions(),
        firing=f"max_over_time({FIRING}[$__rate_interval])",
        rows=[
            Row("Fleet", [_now()]),
            Row("Worst devices", [_worst(), _silent()]),
            Row("All together", [_quality(), _answers()]),
        ],
    )


def _new_versions() -> str:
    """Versions that run on any device within a step and ran on none in the hour before, once anything was known."""
    seen = rules.VERSION.name
    before = f"last_over_time({seen}[1h] offset $__rate_interval)"
    present = f"count by (version) (last_over_time({seen}[$__rate_interval]))"
    is_known = f"count(last_over_time({seen}[1d] offset $__rate_interval))"
    named = f"({present} unless count by (version) ({before})) and on () {is_known}"
    return f'label_replace({named}, "name", "EdgeInfer", "", "")'


def _now() -> list[Panel]:
    alive = f"count(max by (site, device) (last_over_time({rules.UP.name}[3m])))"
    silent = f"count({rules.dead()}) or vector(0)"
    whole = FieldConfig(unit=COUNT, decimals=0)
    # Queried as of now: the last point of a small curve over six hours is minutes old.
    return [
        stat(
            "Devices alive",
            "Devices that sent within three minutes.",
            [Query(alive, "alive", instant=True)],
            whole,
            size=(4, 4),
            sparkline=False,
        ),
        stat(
            "Devices silent",
            "Devices of the last week that send nothing now.",
            [Query(silent, "silent", instant=True)],
            FieldConfig(unit=COUNT, decimals=0, thresholds=NONE_IS_GOOD),
            size=(4, 4),
            sparkline=False,
        ),
        stat(
            "Requests",
            "Inference requests of all devices per second.",
            [Query(f"sum({rules.REQUESTS.name})", "requests", instant=True)],
            FieldConfig(unit=REQUESTS_PER_SECOND),
            size=(4, 4),
            sparkline=False,
        ),
        stat(
            "Success",
            "Share of all requests that succeeded.",
            [
                Query(
                    f'sum({rules.REQUESTS.name}{{status="success"}}) / (sum({rules.REQUESTS.name}) > 0)',
                    "success",
                    instant=True,
                )
            ],
            FieldConfig(unit="percentunit", decimals=2, thresholds=SUCCESS, no_value="no requests"),
            size=(4, 4),
            sparkline=False,
        ),
        stat(
            "P95",
            "95 % of all requests of all devices were at least so fast.",
            [Query(f"histogram_quantile(0.95, sum by (le) ({rules.BUCKETS.name})) >= 0", "p95", instant=True)],
            FieldConfig(unit="s", thresholds=LATENCY, no_value="no requests"),
            size=(4, 4),
            sparkline=False,
        ),
        stat(
            "Alerts on devices",
            "Alerts that fire on devices, all severities.",
            [Query(f"sum({rules.ALERTS.name}) or vector(0)", "alerts", instant=True)],
            FieldConfig(unit=COUNT, decimals=0, thresholds=NONE_IS_GOOD),
            size=(4, 4),
            sparkline=False,
        ),
    ]


def _worst() -> list[Panel]:
    return [
        bar_gauge(
            "Slowest",
            "95th percentile by device, the slowest first.",
            [Query(f"topk({_WORST}, {rules.p95()} >= 0)", _NAME, instant=True)],
            FieldConfig(unit="s", minimum=0, thresholds=LATENCY, no_value="no requests"),
        ),
        bar_gauge(
            "Least successful",
            "Share of requests that succeeded by device, the lowest first.",
            [Query(f"bottomk({_WORST}, {rules.success()})", _NAME, instant=True)],
            FieldConfig(unit="percentunit", minimum=0, maximum=1, thresholds=SUCCESS, no_value="no requests"),
        ),
        bar_gauge(
            "Hottest",
            "Temperature of each device's hottest chip, the hottest first.",
            [Query(f"topk({_WORST}, max by (site, device) ({rules.TEMPERATURE.name}))", _NAME, instant=True)],
            FieldConfig(unit="celsius", decimals=0, minimum=0, maximum=120, thresholds=HEAT, no_value="no chip"),
        ),
    ]


def _silent() -> list[Panel]:
    return [
        table(
            "Silent devices",
            "Devices of the last week that send nothing now.",
            Query(rules.dead()),
            FieldConfig(unit="none"),
            columns={"site": "Site", "device": "Device"},
        ),
        table(
            "Alerts by device",
            "Alerts that fire on devices.",
            Query(f"topk({_WORST}, sum by (site, device, severity) ({rules.ALERTS.name}))"),
            FieldConfig(unit=COUNT, decimals=0),
            columns={"site": "Site", "device": "Device", "severity": "Severity", "Value": "Alerts"},
        ),
    ]


def _quality() -> list[Panel]:
    return [
        time_series(
            "P95 by site",
            "95th percentile over all devices of a site.",
            [Query(f"{rules.p95(('site',))} >= 0", "{{site}}")],
            FieldConfig(unit="s", thresholds=LATENCY_LINE),
            line=True,
        ),
        time_series(
            "Success by site",
            "Share of requests that succeeded over all devices of a site.",
            [Query(rules.success(("site",)), "{{site}}")],
            FieldConfig(unit="percentunit", maximum=1, thresholds=SUCCESS_LINE),
            line=True,
        ),
    ]


def _answers() -> list[Panel]:
    return [
        time_series(
            "Errors by class",
            "Failures of all devices per second.",
            [Query(f"sum by (error_type) ({rules.ERRORS.name}) > 0", "{{error_type}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=ERROR_COLORS),
            stacked=True,
        ),
        time_series(
            "Where answers come from",
            "Analyses of all devices per second: on the chip's side, or computed by the gateway.",
            [Query(f"sum by (source) ({rules.ANALYSES.name})", "{{source}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=SOURCE_COLORS),
            stacked=True,
        ),
    ]
