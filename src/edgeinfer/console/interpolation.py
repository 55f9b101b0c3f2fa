"""What a dashboard writes between its words and its PromQL: variables, time macros and legends."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeinfer.console.ranges import TimeRange, format_duration

ALL = "$__all"
_REFERENCE = re.compile(r"\$\{(\w+)(?:\.\w+)?(?::(\w+))?\}|\$(\w+)|\[\[(\w+)\]\]")
_LEGEND = re.compile(r"\{\{\s*([^}]+?)\s*\}\}")
_REGEX_SPECIAL = re.compile(r"[\\^$.*+?()\[\]{}|/]")


@dataclass(frozen=True, slots=True)
class VariableValue:
    """What a viewer chose for a variable.

    Args:
        values: the chosen ones.
        is_all: everything is chosen.
        all_value: what stands for everything, such as ".+"; else every value is listed.
        is_multiple: whether several can be chosen, so that values go into a regular expression.
    """

    values: tuple[str, ...]
    is_all: bool = False
    all_value: str = ""
    is_multiple: bool = False


@dataclass(frozen=True, slots=True)
class Interpolation:
    """Replaces references the way Grafana does for Prometheus; an unknown one stays as it is, and is seen."""

    time: TimeRange
    step_seconds: float
    rate_window_seconds: float
    choices: Mapping[str, VariableValue]

    def expand(self, expression: str) -> str:
        """PromQL with nothing left to replace."""
        macros = self._macros()

        def replace(found: re.Match[str]) -> str:
            name = found.group(1) or found.group(3) or found.group(4)
            if name in macros:
                return macros[name]
            choice = self.choices.get(name)
            return found.group(0) if choice is None else formatted(choice, found.group(2) or "")

        return _REFERENCE.sub(replace, expression)

    def _macros(self) -> dict[str, str]:
        seconds = max(1, round(self.time.seconds))
        return {
            "__interval": format_duration(self.step_seconds),
            "__interval_ms": str(round(self.step_seconds * 1000)),
            "__rate_interval": format_duration(self.rate_window_seconds),
            "__rate_interval_ms": str(round(self.rate_window_seconds * 1000)),
            "__range": f"{seconds}s",
            "__range_s": str(seconds),
            "__range_ms": str(round(self.time.seconds * 1000)),
            "__from": str(round(self.time.start * 1000)),
            "__to": str(round(self.time.end * 1000)),
        }


def formatted(choice: VariableValue, how: str = "") -> str:
    """The chosen values as PromQL text."""
    if choice.is_all and choice.all_value:
        return choice.all_value
    if how == "pipe":
        return "|".join(in_string(value) for value in choice.values)
    if how == "csv":
        return ",".join(in_string(value) for value in choice.values)
    if how == "raw" or not (choice.is_multiple or how == "regex"):
        return ",".join(in_string(value) for value in choice.values)
    escaped = [in_string(in_regex(value)) for value in choice.values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def in_regex(value: str) -> str:
    """The value as a regular expression that matches nothing else."""
    return _REGEX_SPECIAL.sub(lambda found: "\\" + found.group(0), value).replace("\\/", "/")


def in_string(value: str) -> str:
    """The value inside quotes of either kind, which it cannot leave."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', "\\x22").replace("'", "\\x27")
    return escaped.replace("`", "\\x60")


def references(text: str) -> set[str]:
    """Names of the variables in a text."""
    return {found.group(1) or found.group(3) or found.group(4) for found in _REFERENCE.finditer(text)}


def legend(template: str, labels: Mapping[str, str], expression: str) -> str:
    """The name of a series.

    Args:
        template: Grafana's legend format; empty or "__auto" lets the labels speak.
        labels: of the series.
        expression: the name where there are no labels.
    """
    if template and template != "__auto":
        return _LEGEND.sub(lambda found: labels.get(found.group(1), ""), template)
    name = labels.get("__name__", "")
    others = [f'{label}="{value}"' for label, value in sorted(labels.items()) if label != "__name__"]
    if not others:
        return name or expression
    return f"{name}{{{', '.join(others)}}}"


def auto_legends(names: Sequence[Mapping[str, str]], expression: str) -> list[str]:
    """Names for Grafana's automatic legend: only the labels in which the series differ, or the single value."""
    if not names:
        return []
    shared = {item for item in names[0].items() if all(item in labels.items() for labels in names)}
    differing = [{key: value for key, value in labels.items() if (key, value) not in shared} for labels in names]
    if all(len(labels) == 1 for labels in differing):
        return [next(iter(labels.values())) for labels in differing]
    if len(names) == 1 and names[0]:
        return [legend("", names[0], expression)]
    return [legend("", labels, expression) for labels in differing]
