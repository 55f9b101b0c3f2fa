"""Catalog entry to live object on a given registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from edgeinfer.catalog.metric import Metric, MetricKind
from edgeinfer.metrics.buffered import BufferedCounter, BufferedHistogram


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """A counter, with every closed label combination at 0 from the start."""
    _expect(metric, MetricKind.COUNTER)
    live = BufferedCounter(metric.name, metric.help, metric.label_names, registry=registry)
    _touch(metric, live)
    return live


def gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    """A gauge of the process's own state, with every closed label combination at 0 from the start.

    Readings that may be absent belong to `edgeinfer.metrics.readings`.
    """
    _expect(metric, MetricKind.GAUGE)
    if metric.sensor:
        raise ValueError(f"{metric.name} is a reading that may be absent: publish it through Readings")
    live = Gauge(metric.name, metric.help, metric.label_names, registry=registry)
    _touch(metric, live)
    return live


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    """A histogram with the catalog's buckets, every closed label combination at 0 from the start."""
    _expect(metric, MetricKind.HISTOGRAM)
    live = BufferedHistogram(metric.name, metric.help, metric.label_names, registry=registry, buckets=metric.buckets)
    _touch(metric, live)
    return live


class InfoMetric(Collector):
    """An info metric: rows of label values, each a series of value 1.

    Args:
        metric: the catalog entry.
        rows: label values in the order of the entry.
    """

    def __init__(self, metric: Metric, rows: list[tuple[str, ...]]) -> None:
        _expect(metric, MetricKind.INFO)
        self._metric = metric
        self._rows = rows

    def replace(self, rows: list[tuple[str, ...]]) -> None:
        """Show these rows from the next scrape on."""
        self._rows = rows

    def collect(self) -> list[GaugeMetricFamily]:
        """One sample per row, at the time of the scrape."""
        family = GaugeMetricFamily(self._metric.name, self._metric.help, labels=self._metric.label_names)
        for row in self._rows:
            family.add_metric(row, 1.0)
        return [family]

    def describe(self) -> list[GaugeMetricFamily]:
        """The family without rows, for the registry."""
        return [GaugeMetricFamily(self._metric.name, self._metric.help, labels=self._metric.label_names)]


def info(metric: Metric, rows: list[tuple[str, ...]], registry: CollectorRegistry) -> InfoMetric:
    """An info metric on the registry."""
    live = InfoMetric(metric, rows)
    registry.register(live)
    return live


def _expect(metric: Metric, kind: MetricKind) -> None:
    if metric.kind is not kind:
        raise ValueError(f"{metric.name} is a {metric.kind}, not a {kind}")


def _touch(metric: Metric, live: Counter | Gauge | Histogram) -> None:
    if not metric.labels:
        return
    for combination in metric.closed_combinations():
        live.labels(*combination)
