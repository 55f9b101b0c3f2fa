"""Every metric on a dashboard is exported, and every exported metric is on a dashboard or has an explanation."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeinfer.catalog.all import all_metrics
from edgeinfer.catalog.metric import Metric
from edgeinfer.catalog.units import UNITS
from edgeinfer.monitoring import recording
from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.monitoring.causes import all_causes
from edgeinfer.monitoring.files import all_panels
from edgeinfer.monitoring.prometheus_metrics import all_built_in
from tools.dashboard_lint import UNITS as GRAFANA_UNITS
from tools.promql_lint import known_series, substituted
from tools.promql_tree import names_in


def _drawn(documents: Iterable[dict[str, Any]]) -> set[str]:
    queries = [
        query["expr"]
        for document in documents
        for query in (
            *(target for panel in all_panels(document) for target in panel.get("targets", [])),
            *document["annotations"]["list"],
        )
    ]
    return set().union(*(names_in(substituted(query)) for query in queries))


def _ruled() -> set[str]:
    alerts = [alert.expression for alert in all_alerts()]
    alerts += [one.expression for cause in all_causes() for one in (*cause.evidence, *cause.unless) if one.expression]
    rules = [rule.expression for group in recording.groups() for rule in group.rules]
    return set().union(*(names_in(expression) for expression in (*alerts, *rules)))


def test_every_series_that_is_read_exists(documents: dict[str, dict[str, Any]]) -> None:
    assert (_drawn(documents.values()) | _ruled()) - known_series().keys() == set()


def test_every_metric_is_drawn_or_alerted_on_or_on_its_way_out(documents: dict[str, dict[str, Any]]) -> None:
    used = _drawn(documents.values()) | _ruled()
    assert [metric.name for metric in unused(all_metrics(), used)] == []


def test_every_recorded_series_is_read(documents: dict[str, dict[str, Any]]) -> None:
    used = _drawn(documents.values()) | _ruled()
    assert [
        rule.record.name for group in recording.groups() for rule in group.rules if rule.record.name not in used
    ] == []


def test_every_engine_series_that_we_name_is_read(documents: dict[str, dict[str, Any]]) -> None:
    used = _drawn(documents.values()) | _ruled()
    assert [series.name for series in all_built_in() if series.name not in used] == []


def test_every_metric_is_explained() -> None:
    page = Path("docs/reference/metrics.md").read_text(encoding="utf-8")
    assert [metric.name for metric in all_metrics() if f"`{metric.name}`" not in page] == []


def test_every_unit_of_the_catalog_is_one_that_grafana_shows() -> None:
    assert set(UNITS.values()) - set(GRAFANA_UNITS) == set()
    assert [metric.name for metric in all_metrics() if metric.unit not in UNITS] == []


def test_a_metric_that_nobody_reads_is_found() -> None:
    assert unused(all_metrics()[:1], set()) == list(all_metrics()[:1])


def unused(metrics: Iterable[Metric], used: set[str]) -> list[Metric]:
    """Metrics that nothing reads, but for those that another has replaced."""
    return [metric for metric in metrics if not metric.deprecated_by and not set(metric.series_names) & used]
