"""The shape of a catalog entry."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from edgeinfer.catalog.units import UNITS

__all__ = [
    "Label",
    "Metric",
    "MetricKind",
    "Owner",
]


class MetricKind(StrEnum):
    """The Prometheus type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Owner(StrEnum):
    """The process that exports a metric; equal to its Prometheus job."""

    GATEWAY = "edge-infer"
    SIDECAR = "hailo-inference"
    EXPORTER = "hailo-exporter"


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a metric.

    Args:
        name: as in Prometheus.
        values: the closed set of its values, or empty for an open label.
        bounded_by: for an open label, what keeps its number of values small.
    """

    name: str
    values: tuple[str, ...] = ()
    bounded_by: str = ""

    def __post_init__(self) -> None:
        if bool(self.values) == bool(self.bounded_by):
            raise ValueError(f"label {self.name}: give either its values or what bounds it")

    @property
    def is_closed(self) -> bool:
        """Whether all values are known beforehand."""
        return bool(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The one definition of a metric; all else is generated from it or checked against it.

    Args:
        name: full name in Prometheus, with `_total` for counters and the unit as suffix.
        unit: a key of `edgeinfer.catalog.units.UNITS`.
        help: one sentence that explains the metric to a new reader.
        owners: the processes that export it.
        buckets: upper bounds of a histogram, in its unit, without +Inf.
        sensor: a reading that is absent, never zero, while it cannot be read.
        deprecated_by: the name of the metric that takes its place, if any.
    """

    name: str
    kind: MetricKind
    unit: str
    help: str
    owners: tuple[Owner, ...]
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    sensor: bool = False
    deprecated_by: str = ""

    def __post_init__(self) -> None:
        if bool(self.buckets) != (self.kind is MetricKind.HISTOGRAM):
            raise ValueError(f"{self.name}: buckets belong to histograms, and every histogram has some")
        if self.name.endswith("_total") != (self.kind is MetricKind.COUNTER):
            raise ValueError(f"{self.name}: counters, and only counters, end in _total")
        if self.name.endswith("_info") != (self.kind is MetricKind.INFO):
            raise ValueError(f"{self.name}: infos, and only infos, end in _info")
        if not self.help.endswith("."):
            raise ValueError(f"{self.name}: the help is a sentence")
        if self.unit not in UNITS:
            fault = f"{self.unit!r} is none" if self.unit else "a metric without a unit cannot be read"
            raise ValueError(
                f"{self.name}: {fault}; give one of edgeinfer/catalog/units.py: {', '.join(sorted(UNITS))}"
            )

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels, in order."""
        return tuple(label.name for label in self.labels)

    def closed_combinations(self) -> Iterator[tuple[str, ...]]:
        """Every combination of label values, or none where a label is open."""
        if all(label.is_closed for label in self.labels):
            yield from product(*(label.values for label in self.labels))

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names under which samples are stored."""
        if self.kind is MetricKind.HISTOGRAM:
            return tuple(self.name + suffix for suffix in ("_bucket", "_sum", "_count"))
        return (self.name,)
