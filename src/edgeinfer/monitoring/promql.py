"""Queries made from catalog entries: a wrong kind, label or value fails when the query is built."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from edgeinfer.catalog.metric import Metric, MetricKind

# What Prometheus adds to each series of a target.
TARGET_LABELS = ("job", "instance")


class QueryError(ValueError):
    """A query that could not match anything, detected while it is built."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A series that a recording rule writes.

    Args:
        name: `level:metric:operation`, or a plain metric name where the source document asks for one.
        labels: the labels it keeps.
    """

    name: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A series that Prometheus, Alertmanager or a client library brings by itself.

    Args:
        kind: counter, gauge or info.
        labels: in addition to job and instance.
    """

    name: str
    kind: MetricKind = MetricKind.GAUGE
    labels: tuple[str, ...] = ()


Source = Metric | Recorded | BuiltIn


@dataclass(frozen=True, slots=True)
class Match:
    """A matcher of one label: `=`, `!=`, `=~` or `!~` and its value."""

    operator: str
    value: str
    values: tuple[str, ...] = ()


def matching(expression: str) -> Match:
    """The label matches this regular expression; for Grafana variables too."""
    return Match("=~", expression)


def one_of(*values: str) -> Match:
    """The label has one of these values."""
    return Match("=~", "|".join(values), values)


def other_than(*values: str) -> Match:
    """The label has none of these values."""
    return Match("!=" if len(values) == 1 else "!~", "|".join(values), values)


Where = Mapping[str, str | Match]


def selector(source: Source, where: Where | None = None, *, suffix: str = "") -> str:
    """The series of an entry, with its matchers checked against the catalog.

    Raises:
        QueryError: a label that the entry does not have, or a value outside its closed set.
    """
    matchers = [_matcher(source, label, wanted) for label, wanted in (where or {}).items()]
    return f"{source.name}{suffix}" + (f"{{{', '.join(matchers)}}}" if matchers else "")


def label_names(source: Source) -> tuple[str, ...]:
    """The labels that a series of this entry can have."""
    if isinstance(source, Recorded):
        return source.labels
    own = source.label_names if isinstance(source, Metric) else source.labels
    return (*own, *TARGET_LABELS)


@dataclass(frozen=True, slots=True)
class Queries:
    """Builds expressions that share a window and some matchers.

    Args:
        window: the range under `rate`, such as "5m" or "$__rate_interval".
        scope: matchers that every selector gets if its entry has the label.
    """

    window: str
    scope: Where

    def select(self, source: Source, where: Where | None = None, *, suffix: str = "") -> str:
        """The series of an entry within the scope."""
        known = label_names(source)
        inherited = {label: wanted for label, wanted in self.scope.items() if label in known}
        return selector(source, inherited | dict(where or {}), suffix=suffix)

    def rate(self, counter: Source, *, by: Iterable[str] = (), where: Where | None = None, window: str = "") -> str:
        """Increase per second, summed by labels."""
        _expect(counter, MetricKind.COUNTER)
        return _sum(counter, by, self.over("rate", counter, "", where, window or self.window))

    def increase(self, counter: Source, *, by: Iterable[str] = (), where: Where | None = None, window: str = "") -> str:
        """Increase over the window, summed by labels."""
        _expect(counter, MetricKind.COUNTER)
        return _sum(counter, by, self.over("increase", counter, "", where, window or self.window))

    def buckets(self, histogram: Metric, *, by: Iterable[str] = (), where: Where | None = None) -> str:
        """Rate of each bucket, summed by `le` and these labels."""
        return self._part(histogram, "_bucket", ("le", *by), where)

    def quantile(
        self, fraction: float, histogram: Metric, *, by: Iterable[str] = (), where: Where | None = None
    ) -> str:
        """A quantile of a histogram over the window."""
        if not 0 < fraction < 1:
            _fail(histogram, f"a quantile lies between 0 and 1, got {fraction}")
        return f"histogram_quantile({fraction}, {self.buckets(histogram, by=by, where=where)})"

    def mean(self, histogram: Metric, *, by: Iterable[str] = (), where: Where | None = None) -> str:
        """The mean of what a histogram observed over the window."""
        by = tuple(by)
        return f"{self._part(histogram, '_sum', by, where)} / {self._part(histogram, '_count', by, where)}"

    def count(self, histogram: Metric, *, by: Iterable[str] = (), where: Where | None = None) -> str:
        """Observations of a histogram per second."""
        return self._part(histogram, "_count", tuple(by), where)

    def total(self, histogram: Metric, *, by: Iterable[str] = (), where: Where | None = None) -> str:
        """What a histogram observed per second, added up."""
        return self._part(histogram, "_sum", tuple(by), where)

    def at_most(self, bound: float, histogram: Metric, *, by: Iterable[str] = (), where: Where | None = None) -> str:
        """Observations per second that are at most this bound, which must be an edge of the histogram."""
        if bound not in histogram.buckets:
            _fail(histogram, f"{bound} is not one of its edges {histogram.buckets}, so the share under it is a guess")
        return self._part(histogram, "_bucket", tuple(by), dict(where or {}) | {"le": f"{bound}"})

    def gauge(self, source: Source, *, how: str = "max", by: Iterable[str] = (), where: Where | None = None) -> str:
        _expect(source, MetricKind.GAUGE)
        return _aggregate(how, source, by, self.select(source, where))

    def info(self, source: Source, *, by: Iterable[str], where: Where | None = None) -> str:
        """An info metric by some of its labels."""
        _expect(source, MetricKind.INFO)
        return _aggregate("max", source, by, self.select(source, where))

    def recorded(
        self, source: Recorded, *, how: str = "sum", by: Iterable[str] = (), where: Where | None = None
    ) -> str:
        """A recorded series, aggregated by labels."""
        return _aggregate(how, source, by, self.select(source, where))

    def _part(self, histogram: Metric, suffix: str, by: tuple[str, ...], where: Where | None) -> str:
        _expect(histogram, MetricKind.HISTOGRAM)
        return _sum(histogram, by, self.over("rate", histogram, suffix, where, self.window))

    def over(self, function: str, source: Source, suffix: str, where: Where | None, window: str) -> str:
        """A function of counters over a window, before series are added up."""
        return f"{function}({self.select(source, where, suffix=suffix)}[{window}])"


def ratio(part: str, whole: str) -> str:
    """One expression over another; parentheses keep sums apart."""
    return f"({part}) / ({whole})"


def _sum(source: Source, by: Iterable[str], inner: str) -> str:
    return _aggregate("sum", source, by, inner)


def _aggregate(how: str, source: Source, by: Iterable[str], inner: str) -> str:
    labels = tuple(by)
    for label in labels:
        _require_label(source, label)
    return f"{how} by ({', '.join(labels)}) ({inner})" if labels else f"{how}({inner})"


def _matcher(source: Source, label: str, wanted: str | Match) -> str:
    _require_label(source, label)
    match = wanted if isinstance(wanted, Match) else Match("=", wanted, (wanted,))
    _require_values(source, label, match)
    return f'{label}{match.operator}"{match.value}"'


def _require_label(source: Source, label: str) -> None:
    is_histogram = isinstance(source, Metric) and source.kind is MetricKind.HISTOGRAM
    known = (*label_names(source), "le") if is_histogram else label_names(source)
    if label not in known:
        _fail(source, f"it has no label {label}, only {', '.join(known) or 'none'}")


def _require_values(source: Source, label: str, match: Match) -> None:
    if not isinstance(source, Metric):
        return
    closed = next((entry.values for entry in source.labels if entry.name == label), ())
    strange = [value for value in match.values if closed and value not in closed]
    if strange:
        _fail(source, f"label {label} never is {strange[0]}; the catalog knows {', '.join(closed)}")


def _expect(source: Source, kind: MetricKind) -> None:
    if isinstance(source, Recorded):
        _fail(source, "it is recorded already: use recorded()")
    if source.kind is not kind:
        _fail(source, f"it is a {source.kind}, not a {kind}")


def _fail(source: Source, fault: str) -> NoReturn:
    raise QueryError(f"{source.name}: {fault}.")
