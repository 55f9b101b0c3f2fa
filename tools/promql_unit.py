"""The unit of an expression's result, as far as it follows from the catalog."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import promql_parser

from edgeinfer.monitoring import recording
from tools.promql_lint import Known, substituted
from tools.promql_tree import children, parse

# These give values of the same kind as they read.
_KEEPING = (
    "max_over_time",
    "min_over_time",
    "avg_over_time",
    "last_over_time",
    "clamp_min",
    "sort",
    "sort_desc",
    "scalar",
)
_AGGREGATIONS = ("sum", "max", "min", "avg", "topk")
# Raw, or the recorded rate of one.
_COUNT = re.compile(r"_count(:\w+)?$")
PER_SECOND = "/s"
_FILTERS = (">=", ">", "<=", "<", "==", "!=", "and", "unless")


def unit_of(expression: str, known: Mapping[str, Known]) -> str:
    """The catalog's unit, with "/s" for a rate; empty where it does not follow, as after most arithmetic."""
    return _unit(parse(substituted(expression)), known)


def _unit(node: Any, known: Mapping[str, Known]) -> str:
    match node:
        case promql_parser.VectorSelector():
            return _of_series(node.name or "", known)
        case promql_parser.MatrixSelector() | promql_parser.ParenExpr() | promql_parser.SubqueryExpr():
            return _unit(children(node)[0], known)
        case promql_parser.AggregateExpr():
            return _unit(node.expr, known) if str(node.op) in _AGGREGATIONS else ""
        case promql_parser.Call():
            return _of_call(node, known)
        case promql_parser.BinaryExpr():
            return _of_pair(node, known)
    return ""


def _of_series(name: str, known: Mapping[str, Known]) -> str:
    if name in _recorded():
        return unit_of(_recorded()[name], known)
    series = known.get(name)
    return series.unit if series else ""


def _of_call(node: Any, known: Mapping[str, Known]) -> str:
    name = node.func.name
    if name == "histogram_quantile":
        return _of_buckets(node, known)
    if name in _KEEPING:
        return _unit(node.args[0], known)
    if name == "increase":
        return _unit(node.args[0], known)
    if name in {"rate", "irate"}:
        unit = _unit(node.args[0], known)
        return f"{unit}{PER_SECOND}" if unit else ""
    return ""


def _of_buckets(node: Any, known: Mapping[str, Known]) -> str:
    """The unit of the histogram whose buckets a quantile reads, through recorded rates too."""
    for name in _names(node):
        if name in _recorded():
            return _of_buckets(parse(_recorded()[name]), known)
        total = known.get(f"{name.removesuffix('_bucket')}_sum")
        if total:
            return total.unit
    return ""


def _of_pair(node: Any, known: Mapping[str, Known]) -> str:
    left, right = _unit(node.lhs, known), _unit(node.rhs, known)
    operator = str(node.op)
    if operator in _FILTERS:
        return left
    if operator == "or":
        return left or right
    if operator == "-" and isinstance(node.lhs, promql_parser.Call) and right == "timestamp":
        return "seconds"
    if operator in {"+", "-"}:
        return left if left == right else ""
    # The rate of a histogram's sum over that of its count is a mean.
    return left.removesuffix(PER_SECOND) if operator == "/" and _counts_only(node.rhs) else ""


def _counts_only(node: Any) -> bool:
    names = _names(node)
    return bool(names) and all(_COUNT.search(name) for name in names)


def _names(node: Any) -> list[str]:
    found, waiting = [], [node]
    while waiting:
        part = waiting.pop()
        waiting += children(part)
        if isinstance(part, promql_parser.VectorSelector):
            found.append(part.name or "")
    return found


@cache
def _recorded() -> dict[str, str]:
    return {rule.record.name: rule.expression for group in recording.groups() for rule in group.rules}
