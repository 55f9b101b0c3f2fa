"""PromQL's syntax tree, and how to walk it."""

from functools import cache
from typing import Any

import promql_parser


@cache
def parse(expression: str) -> Any:
    """The tree, which nobody changes; one expression is looked at by many rules.

    Raises:
        ValueError: it is not PromQL.
    """
    return promql_parser.parse(expression)


def children(node: Any) -> list[Any]:
    """The expressions directly inside a node."""
    inside = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "param", "vector_selector")]
    return [part for part in [*inside, *(getattr(node, "args", None) or [])] if part is not None]


def nodes(expression: str) -> list[Any]:
    """Every node of an expression, the outer ones first."""
    found: list[Any] = []
    waiting = [parse(expression)]
    while waiting:
        node = waiting.pop(0)
        found.append(node)
        waiting += children(node)
    return found


def names_in(expression: str) -> set[str]:
    """Names of all series that an expression reads."""
    return {node.name for node in nodes(expression) if isinstance(node, promql_parser.VectorSelector) and node.name}
