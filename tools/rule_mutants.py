"""Rules with one defect each: moved thresholds, turned comparisons and matchers, other windows, changed holds.

Every one must fail its tests.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edgeinfer.monitoring.alerts.alert import Alert
from edgeinfer.monitoring.recording import Rule
from tools.promql_lint import known_series

# A number on its own: not part of a name, a label value, a range or a duration.
_STRINGS_AND_RANGES = re.compile(
    r'\{[^}]*\}|"[^"]*"|\[[^\]]*\]|offset \w+|by \([^)]*\)|on \([^)]*\)|group_\w+ \([^)]*\)'
)
_NUMBER = re.compile(r"(?<![\w.:])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.:])")
_COMPARISON = re.compile(r"(?<![<>=!])(==|!=|>=|<=|>|<)(?![=~])")
_TURNED = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}
_EDGE = {">": ">=", "<": "<=", ">=": ">", "<=": "<"}
_LOGIC = re.compile(r"\b(and|or|unless)\b")
_OTHER_LOGIC = {"and": "or", "or": "and", "unless": "and"}
_ARITHMETIC = re.compile(r"(?<= )[-*/](?= )")
_OTHER_ARITHMETIC = {"-": "+", "*": "/", "/": "*"}


_WINDOW = re.compile(r"\[(\d+)([smhd])\]")
_WINDOW_FACTOR = 4
_MATCHER = re.compile(r'(?<=\w)(=~|!~|!=|=)(?=")')
_OTHER_MATCHER = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
_SUM = re.compile(r"sum(?: by \((?P<by>[^)]*)\) )?\((?:rate|increase)\((?P<name>\w+)(?:\{(?P<where>[^}]*)\})?\[")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One defect.

    Args:
        what: in words, for the report.
        expression: the whole changed expression.
        for_: the changed hold, or None if it is as it was.
    """

    what: str
    expression: str
    for_: str | None = None


def mutants_of_alert(alert: Alert) -> list[Mutant]:
    """Each defect of an alert's expression, and of its hold; the heartbeat has nothing that could be defective."""
    if alert.always:
        return []
    return [
        *mutants_of(alert.expression),
        *_matchers(alert.expression),
        *_windows(alert.expression),
        *_sums(alert.expression),
        *_holds(alert),
    ]


def mutants_of_rule(rule: Rule) -> list[Mutant]:
    """Each defect of a recording rule's expression."""
    return mutants_of(rule.expression)


def mutants_of(expression: str) -> list[Mutant]:
    """Every mutant of an expression, each with one defect."""
    return [
        *_numbers(expression),
        *_swapped(expression, _COMPARISON, _TURNED, "turned"),
        *_edges(expression),
        *_swapped(expression, _LOGIC, _OTHER_LOGIC, "exchanged"),
        *_swapped(expression, _ARITHMETIC, _OTHER_ARITHMETIC, "exchanged"),
    ]


def _edges(expression: str) -> list[Mutant]:
    """More than against at least: only where values are read as they are, for a rate never is exactly its limit."""
    is_computed = any(name in expression for name in ("rate(", "increase(", "avg_over_time(", "deriv("))
    return [] if is_computed else list(_swapped(expression, _COMPARISON, _EDGE, "moved to its edge"))


def _holds(alert: Alert) -> Iterator[Mutant]:
    if not alert.for_:
        return
    yield Mutant("hold taken away", alert.expression, "")
    amount, unit = int(alert.for_[:-1]), alert.for_[-1]
    yield Mutant("hold doubled", alert.expression, f"{amount * 2}{unit}")


def _numbers(expression: str) -> Iterator[Mutant]:
    for match in _found(_NUMBER, expression):
        value = float(match[0])
        # A factor would leave zero as it is. One event reads as a little more than 1 where it is extrapolated.
        above = 2 if "increase(" in expression else 1
        others = (-1, above) if value == 0 else (value * 0.8, value * 1.25)
        for other in others:
            yield Mutant(f"{match[0]} -> {other:g}", _put(expression, match, f"{other:g}"))


def _swapped(expression: str, pattern: re.Pattern[str], others: dict[str, str], what: str) -> Iterator[Mutant]:
    for match in _found(pattern, expression):
        if match[0] in others:
            changed = _put(expression, match, others[match[0]])
            yield Mutant(f"{match[0]!r} at {match.start()} {what} to {others[match[0]]!r}", changed)


def _windows(expression: str) -> Iterator[Mutant]:
    for match in _WINDOW.finditer(expression):
        longer = f"[{int(match[1]) * _WINDOW_FACTOR}{match[2]}]"
        yield Mutant(f"{match[0]} at {match.start()} -> {longer}", _put(expression, match, longer))


def _matchers(expression: str) -> Iterator[Mutant]:
    for match in _MATCHER.finditer(expression):
        other = _OTHER_MATCHER[match[0]]
        yield Mutant(f"matcher {match[0]!r} at {match.start()} turned to {other!r}", _put(expression, match, other))


def _sums(expression: str) -> Iterator[Mutant]:
    """The largest in place of the sum: only where it adds something up, and more than nothing is not the question."""
    known = known_series()
    for match in _SUM.finditer(expression):
        kept = {label.strip() for label in (match["by"] or "").split(",")}
        fixed = {part.split("=")[0].strip() for part in (match["where"] or "").split(",")}
        dropped = known[match["name"]].labels - kept - fixed
        if dropped and not expression.endswith((" > 0", " == 0")):
            changed = expression[: match.start()] + "max" + expression[match.start() + 3 :]
            yield Mutant(f"sum at {match.start()} turned to max", changed)


def _found(pattern: re.Pattern[str], expression: str) -> Iterator[re.Match[str]]:
    hidden = _STRINGS_AND_RANGES.sub(lambda match: "_" * len(match[0]), expression)
    return pattern.finditer(hidden)


def _put(expression: str, match: re.Match[str], text: str) -> str:
    return expression[: match.start()] + text + expression[match.end() :]
