"""Gauges that exist only while they have been read: absent, never zero."""

from collections.abc import Iterable
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from edgeinfer.catalog.metric import Metric, MetricKind


class Readings(Collector):
    """The newest reading of each series of some catalog entries; a scrape reads memory only.

    Args:
        metrics: the catalog entries whose readings may be published here.
    """

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._series: dict[Metric, dict[tuple[str, ...], float]] = {}
        for metric in metrics:
            if metric.kind is not MetricKind.GAUGE:
                raise ValueError(f"{metric.name} is a {metric.kind}, not a gauge")
            self._series[metric] = {}
        self._lock = Lock()

    def publish(self, metric: Metric, value: float, *label_values: str) -> None:
        """Show a value from the next scrape on."""
        if len(label_values) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {metric.label_names}, got {label_values}")
        with self._lock:
            self._series[metric][label_values] = float(value)

    def withdraw(self, metric: Metric, *label_values: str) -> None:
        """Let series end: all that begin with these label values, or all of the metric."""
        with self._lock:
            series = self._series[metric]
            for key in [key for key in series if key[: len(label_values)] == label_values]:
                del series[key]

    def collect(self) -> list[GaugeMetricFamily]:
        """One sample per reading that is present; an absent one has none."""
        with self._lock:
            return [_family(metric, series) for metric, series in self._series.items() if series]

    def describe(self) -> list[GaugeMetricFamily]:
        """The families without values, for the registry."""
        return [_family(metric, {}) for metric in self._series]


def readings(metrics: Iterable[Metric], registry: CollectorRegistry) -> Readings:
    """Register readings, none of which is present yet."""
    live = Readings(metrics)
    registry.register(live)
    return live


def _family(metric: Metric, series: dict[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.label_names)
    for label_values, value in series.items():
        family.add_metric(label_values, value)
    return family
