"""Expressions by syntax tree: unknown metrics and labels, wrong kinds, counters without a rate, buckets without le."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import promql_parser

from edgeinfer.catalog.all import all_metrics
from edgeinfer.catalog.metric import Metric, MetricKind
from edgeinfer.monitoring import recording
from edgeinfer.monitoring.prometheus_metrics import all_built_in
from edgeinfer.monitoring.promql import TARGET_LABELS
from tools.promql_tree import children, parse

# Grafana's variables as values that parse; durations must be durations.
_VARIABLES = {
    "$__rate_interval": "1m",
    "$__interval": "5m",
    "$__range": "1h",
    "$job": ".+",
    "$instance": ".+",
    "$chip": ".+",
    "$resolution": ".*",
}
_COUNTER_FUNCTIONS = ("rate", "irate", "increase")


@dataclass(frozen=True, slots=True)
class Known:
    """A series that exists.

    Args:
        counts: whether it only grows, so that only its rate means something.
        labels: every label that it can have.
        values: closed sets of values, by label.
        is_bucket: whether it is a bucket of a histogram.
        unit: as the catalog calls it; empty where no catalog entry is behind it.
    """

    counts: bool
    labels: frozenset[str]
    values: Mapping[str, tuple[str, ...]]
    is_bucket: bool = False
    unit: str = ""


def known_series() -> dict[str, Known]:
    """Every series that the catalog, the recording rules and the monitoring servers provide, by name."""
    found: dict[str, Known] = {}
    for metric in all_metrics():
        found |= _of_metric(metric)
    for built_in in all_built_in():
        labels = frozenset((*built_in.labels, *TARGET_LABELS))
        found[built_in.name] = Known(built_in.kind is MetricKind.COUNTER, labels, {})
    for group in recording.groups():
        for rule in group.rules:
            found[rule.record.name] = Known(counts=False, labels=frozenset(rule.record.labels), values={})
    return found


def _of_metric(metric: Metric) -> dict[str, Known]:
    labels = frozenset((*metric.label_names, *TARGET_LABELS))
    values = {label.name: label.values for label in metric.labels if label.is_closed}
    if metric.kind is not MetricKind.HISTOGRAM:
        return {metric.name: Known(metric.kind is MetricKind.COUNTER, labels, values, unit=metric.unit)}
    edges = (*(f"{edge}" for edge in metric.buckets), "+Inf")
    bucket = Known(counts=True, labels=labels | {"le"}, values=values | {"le": edges}, is_bucket=True)
    return {
        f"{metric.name}_bucket": bucket,
        f"{metric.name}_sum": Known(counts=True, labels=labels, values=values, unit=metric.unit),
        f"{metric.name}_count": Known(counts=True, labels=labels, values=values, unit="count"),
    }


def substituted(expression: str, variables: Mapping[str, str] = _VARIABLES) -> str:
    """The expression with Grafana's variables replaced, the longest names first."""
    for name in sorted(variables, key=len, reverse=True):
        expression = expression.replace(f"${{{name[1:]}}}", variables[name]).replace(name, variables[name])
    return expression


def faults(expression: str, known: Mapping[str, Known]) -> list[str]:
    """What is wrong with an expression, each with what to do about it."""
    try:
        tree = parse(substituted(expression))
    except ValueError as failure:
        return [f"it does not parse: {failure}"]
    return list(_walk(tree, known, ()))


def selectors(expression: str) -> list[Any]:
    """Every vector selector of an expression."""
    waiting, found = [parse(substituted(expression))], []
    while waiting:
        node = waiting.pop()
        waiting += children(node)
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
    return found


def _walk(node: Any, known: Mapping[str, Known], above: tuple[Any, ...]) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        yield from _selector(node, known, above)
    if isinstance(node, promql_parser.AggregateExpr):
        yield from _labels_of(node, by_labels(node), "by", known)
    if isinstance(node, promql_parser.BinaryExpr):
        for side in (node.lhs, node.rhs):
            yield from _labels_of(side, on_labels(node), "on", known)
    for child in children(node):
        yield from _walk(child, known, (*above, node))


def _selector(node: Any, known: Mapping[str, Known], above: tuple[Any, ...]) -> Iterator[str]:
    series = known.get(node.name or "")
    if series is None:
        near = difflib.get_close_matches(node.name or "", known, 1)
        hint = f"Did you mean {near[0]}?" if near else "Add it to edgeinfer/catalog, and set it in a process."
        yield f"{node.name}: no process exports this and no rule records it. {hint}"
        return
    for matcher in node.matchers.matchers:
        yield from _matcher(node.name, series, matcher)
    function = next((part.func.name for part in reversed(above) if isinstance(part, promql_parser.Call)), "")
    if series.counts and function not in _COUNTER_FUNCTIONS:
        yield f"{node.name}: a counter means something only under rate() or increase()"
    if not series.counts and function in _COUNTER_FUNCTIONS:
        yield f"{node.name}: {function}() is for counters, and this is none"
    if series.is_bucket and not _keeps_le(node, above):
        yield f"{node.name}: buckets are added up without `le`; name it under by, or match one edge"


def _keeps_le(node: Any, above: tuple[Any, ...]) -> bool:
    if any(matcher.name == "le" for matcher in node.matchers.matchers):
        return True
    over = [part for part in above if isinstance(part, promql_parser.AggregateExpr)]
    return bool(over) and "le" in by_labels(over[-1])


def _matcher(name: str, series: Known, matcher: Any) -> Iterator[str]:
    if matcher.name == recording.RESOLUTION:
        return
    if matcher.name not in series.labels:
        yield f"{name}: it has no label {matcher.name}, only {', '.join(sorted(series.labels))}"
        return
    closed = series.values.get(matcher.name, ())
    if closed and not any(re.fullmatch(matcher.value, value) for value in closed):
        yield f"{name}: label {matcher.name} never is {matcher.value!r}; the catalog knows {', '.join(closed)}"


def _labels_of(node: Any, named: Sequence[str], word: str, known: Mapping[str, Known]) -> Iterator[str]:
    below: set[str] = set()
    waiting = [node]
    while waiting:
        part = waiting.pop()
        waiting += children(part)
        if isinstance(part, promql_parser.VectorSelector) and part.name and part.name in known:
            below |= known[part.name].labels
    for label in named:
        if below and label not in below:
            yield f"{word} ({label}): no series inside has this label, so it would be empty"


def by_labels(node: Any) -> list[str]:
    """The labels that an aggregation keeps."""
    return list(node.modifier.labels) if node.modifier is not None else []


def on_labels(node: Any) -> list[str]:
    """The labels by which a binary operation pairs its sides."""
    matching = node.modifier.matching if node.modifier is not None else None
    return list(matching.labels) if matching is not None else []
