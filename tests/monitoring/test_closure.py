"""Every metric on a dashboard is exported, and every exported metric is on a dashboard or has an explanation."""

from pathlib import Path
from typing import Any

from edgeinfer.catalog.all import all_metrics
from edgeinfer.monitoring import recording
from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.monitoring.prometheus_metrics import all_built_in
from tools.completeness.monitoring import drawn, of_causes, ruled
from tools.promql_lint import known_series
from tools.promql_tree import names_in


def _ruled() -> set[str]:
    return (ruled() | of_causes()).union(*(names_in(alert.expression) for alert in all_alerts()))


def test_every_series_that_is_read_exists(documents: dict[str, dict[str, Any]]) -> None:
    assert (drawn(documents.values()) | _ruled()) - known_series().keys() == set()


def test_every_recorded_series_is_read(documents: dict[str, dict[str, Any]]) -> None:
    used = drawn(documents.values()) | _ruled()
    assert [
        rule.record.name
        for group in recording.groups()
        # Of every counter, so that a panel that is new can be drawn over days at once.
        if group.name != "edgeinfer-long-range"
        for rule in group.rules
        if rule.record.name not in used
    ] == []


def test_every_series_of_monitoring_servers_that_we_name_is_read(documents: dict[str, dict[str, Any]]) -> None:
    used = drawn(documents.values()) | _ruled()
    assert [series.name for series in all_built_in() if series.name not in used] == []


def test_every_metric_is_explained() -> None:
    page = Path("docs/reference/metrics.md").read_text(encoding="utf-8")
    assert [metric.name for metric in all_metrics() if f"`{metric.name}`" not in page] == []
