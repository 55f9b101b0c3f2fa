"""Thirty days at a glance, drawn from series recorded every five minutes, so that it opens at once."""

from functools import partial

from edgeinfer.catalog import labels
from edgeinfer.monitoring import recording
from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.dashboard import Dashboard
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.long_range import resolution
from edgeinfer.monitoring.dashboards.panels import DashboardLink, FieldConfig, Panel, Query
from edgeinfer.monitoring.dashboards.panels import time_series as any_time_series
from edgeinfer.monitoring.dashboards.sources import PERCENTILES, SCOPE
from edgeinfer.monitoring.dashboards.style import (
    BLUE,
    COUNT,
    ERROR_COLORS,
    GREEN,
    LATENCY_LINE,
    ORANGE,
    PER_SECOND,
    PERCENTILE_COLORS,
    RED,
    REQUESTS_PER_SECOND,
    SOURCE_COLORS,
    STAGE_COLORS,
    STATUS_COLORS,
    SUCCESS_LINE,
    of,
)
from edgeinfer.monitoring.promql import Queries, Recorded, Where

# Series are recorded every five minutes, so a shorter step would find nothing at some of its points.
time_series = partial(any_time_series, min_step="5m")
_Q = Queries("$__interval", SCOPE)
_LIVE = DashboardLink("The last hour, live", "hailo-sidecar-monitoring")


def create() -> Dashboard:
    return Dashboard(
        uid="edgeinfer-history",
        file="edgeinfer_history_dashboard.json",
        title="EdgeInfer history",
        description="The last 30 days from series that are recorded every five minutes. For the last hours use the "
        "other dashboards: they are live.",
        variables=[variables.datasource(), variables.job(), variables.instance(), resolution()],
        start="now-30d",
        refresh="1m",
        rows=[
            Row("Fast, right and up?", [_promises(), _reasons()], _LIVE),
            Row("Requests", [_requests()], _LIVE, open_when="there were too many or too few"),
            Row("Model and chip", [_model()], _LIVE, open_when="the input, the model or the chip may have changed"),
            Row("Machine", [_machine()], _LIVE, open_when="CPU or memory may have been short"),
        ],
    )


def _mean(series: Recorded, *, by: tuple[str, ...] = (), how: str = "avg", where: Where | None = None) -> str:
    """The series averaged over each step (or its highest point), so that nothing between two points is lost."""
    over = "max_over_time" if how == "max" else "avg_over_time"
    inner = f"{over}({_Q.select(series, where)}[{_Q.window}])"
    return f"{how} by ({', '.join(by)}) ({inner})" if by else f"{how}({inner})"


def _promises() -> list[Panel]:
    good = _mean(recording.HISTORY_REQUESTS, how="sum", where={"status": "success"})
    every = _mean(recording.HISTORY_REQUESTS, how="sum")
    buckets = _mean(recording.HISTORY_BUCKETS, how="sum", by=("le",))
    return [
        time_series(
            "Latency percentiles",
            "Of the requests of five minutes at each point. The red line is the objective for p95.",
            [Query(f"histogram_quantile({value}, {buckets}) >= 0", name) for name, value in PERCENTILES.items()],
            FieldConfig(unit="s", thresholds=LATENCY_LINE, colors=of(PERCENTILE_COLORS, *PERCENTILES)),
            size=(8, 9),
            line=True,
            link=_LIVE,
        ),
        time_series(
            "Success",
            "Share of inference requests that succeeded; the line is the promise.",
            [Query(f"({good} / {every}) >= 0", "success")],
            FieldConfig(unit="percentunit", maximum=1, thresholds=SUCCESS_LINE, colors={"success": GREEN}),
            size=(8, 9),
            line=True,
            link=_LIVE,
        ),
        time_series(
            "Alerts",
            "Alerts that fired, by severity.",
            [Query(_mean(recording.HISTORY_ALERTS, how="max", by=("severity",)), "{{severity}}")],
            FieldConfig(unit=COUNT, decimals=0, colors={"critical": RED, "warning": ORANGE, "ticket": BLUE}),
            size=(8, 9),
            bars=True,
            stacked=True,
        ),
    ]


def _reasons() -> list[Panel]:
    return [
        time_series(
            "Errors by class",
            "Failed inference requests per second by class.",
            [Query(_mean(recording.HISTORY_ERRORS, how="sum", by=("error_type",)), "{{error_type}}")],
            FieldConfig(unit=PER_SECOND, colors=ERROR_COLORS),
            size=(8, 9),
            bars=True,
            stacked=True,
        ),
        time_series(
            "Where answers come from",
            "Analyses per second by source.",
            [Query(_mean(recording.HISTORY_ANALYSES, how="sum", by=("source",)), "{{source}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=SOURCE_COLORS),
            size=(8, 9),
            stacked=True,
        ),
        time_series(
            "Up",
            "Share of each five minutes in which a process was reached.",
            [Query(_mean(recording.HISTORY_UP, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit="percentunit", maximum=1),
            size=(8, 9),
        ),
    ]


def _requests() -> list[Panel]:
    order = ("network", *labels.STAGES)
    stages = [Query(_mean(recording.HISTORY_STAGES, where={"stage": stage}), stage) for stage in order]
    return [
        time_series(
            "Requests by outcome",
            "Inference requests per second.",
            [Query(_mean(recording.HISTORY_REQUESTS, how="sum", by=("status",)), "{{status}}")],
            FieldConfig(unit=REQUESTS_PER_SECOND, colors=STATUS_COLORS),
            size=(8, 8),
            stacked=True,
        ),
        time_series(
            "Samples",
            "IMU samples, latent vectors and motif predictions per second.",
            [Query(_mean(recording.HISTORY_SAMPLES, how="sum", by=("metric",)), "{{metric}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 8),
        ),
        time_series(
            "Where the time goes",
            "Mean time of each part of a call, stacked.",
            stages,
            FieldConfig(unit="s", colors=STAGE_COLORS),
            size=(8, 8),
            stacked=True,
        ),
    ]


def _model() -> list[Panel]:
    by = ("chip_id", "instance")
    legend = "{{chip_id}} {{instance}}"
    return [
        time_series(
            "Drift",
            "Population stability index against the model's baseline; above 0.25 counts as a large shift.",
            [
                Query(_mean(recording.HISTORY_LATENT_DRIFT, how="max", by=("instance",)), "latent {{instance}}"),
                Query(_mean(recording.HISTORY_MOTIF_DRIFT, how="max", by=("instance",)), "motifs {{instance}}"),
            ],
            FieldConfig(unit="none", decimals=3),
            size=(8, 8),
        ),
        time_series(
            "Temperature",
            "The hottest reading of each five minutes.",
            [Query(_mean(recording.HISTORY_TEMPERATURE, how="max", by=by), legend)],
            FieldConfig(unit="celsius", decimals=0),
            size=(8, 8),
        ),
        time_series(
            "Use",
            "Mean use of each chip.",
            [Query(_mean(recording.HISTORY_UTILIZATION, by=by), legend)],
            FieldConfig(unit="percentunit", maximum=1),
            size=(8, 8),
        ),
    ]


def _machine() -> list[Panel]:
    return [
        time_series(
            "CPU",
            "Share of the CPU time that is used.",
            [Query(_mean(recording.HISTORY_CPU, by=("instance",)), "{{instance}}")],
            FieldConfig(unit="percentunit", maximum=1),
            size=(12, 7),
        ),
        time_series(
            "Memory",
            "The most memory within each five minutes.",
            [
                Query(
                    _mean(recording.HISTORY_MEMORY, how="max", by=("memory_type", "instance")),
                    "{{memory_type}} {{instance}}",
                )
            ],
            FieldConfig(unit="bytes"),
            size=(12, 7),
        ),
    ]
