"""Dashboard variables: what can be chosen, what is chosen, and nothing else."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeinfer.console.dashboard_files import Dashboard
from edgeinfer.console.interpolation import ALL, Interpolation, VariableValue
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.ranges import TimeRange
from edgeinfer.errors import InvalidBody, MonitoringError

_LABEL_VALUES = re.compile(r"label_values\(\s*(?:(?P<selector>.+?)\s*,\s*)?(?P<label>[a-zA-Z_]\w*)\s*\)", re.DOTALL)
_QUERY_RESULT = re.compile(r"query_result\((?P<query>.+)\)", re.DOTALL)
_SLASHED = re.compile(r"/(.*)/[a-z]*", re.DOTALL)
_MAX_OPTIONS = 500


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with its options and the viewer's choice.

    Args:
        refused: values that were asked for and are none of the options now.
        fault: why there are no options, if that is so.
    """

    name: str
    label: str
    kind: str
    hide: int
    options: tuple[str, ...]
    choice: VariableValue
    includes_all: bool
    refused: tuple[str, ...] = ()
    fault: str = ""

    def as_document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": self.label,
            "kind": self.kind,
            "hide": self.hide,
            "options": self.options,
            "values": [ALL] if self.choice.is_all else self.choice.values,
            "multiple": self.choice.is_multiple,
            "all": self.includes_all,
            "refused": self.refused,
            "fault": self.fault,
        }


async def resolve_variables(
    dashboard: Dashboard, asked: Mapping[str, Sequence[str]], time: TimeRange, prometheus: Prometheus
) -> list[Variable]:
    """Every variable of a dashboard, each with the choices before it in force.

    Raises:
        InvalidBody: a variable that the dashboard does not have.
    """
    known = {str(one["name"]) for one in dashboard.variables}
    for name in asked:
        if name not in known:
            raise InvalidBody(f"variable {name[:40]!r}", "this dashboard has none of this name", "Leave it out.")
    found: list[Variable] = []
    for document in dashboard.variables:
        chosen = {one.name: one.choice for one in found}
        found.append(await _resolve(document, asked.get(str(document["name"])), chosen, time, prometheus))
    return found


async def _resolve(
    document: Mapping[str, Any],
    asked: Sequence[str] | None,
    chosen: Mapping[str, VariableValue],
    time: TimeRange,
    prometheus: Prometheus,
) -> Variable:
    fault = ""
    options: tuple[str, ...] = ()
    try:
        options = await _options(document, chosen, time, prometheus)
    except MonitoringError as failure:
        fault = f"{failure.thing}: {failure.fault}"
    except ValueError as failure:
        fault = str(failure)
    choice, refused = _choice(document, asked, options, is_known=not fault)
    return Variable(
        name=str(document["name"]),
        label=str(document.get("label") or document["name"]),
        kind=str(document.get("type", "")),
        hide=int(document.get("hide") or 0),
        options=options,
        choice=choice,
        includes_all=bool(document.get("includeAll")),
        refused=refused,
        fault=fault,
    )


async def _options(
    document: Mapping[str, Any], chosen: Mapping[str, VariableValue], time: TimeRange, prometheus: Prometheus
) -> tuple[str, ...]:
    kind = str(document.get("type", ""))
    if kind == "datasource":
        return ("Prometheus",)
    if kind in ("custom", "interval"):
        return tuple(part.strip() for part in str(document.get("query", "")).split(",") if part.strip())
    # A text that a viewer could type is the file's own here, because no value may reach a query that nobody listed.
    if kind in ("constant", "textbox"):
        return (str(document.get("query", "")),)
    if kind != "query":
        raise ValueError(f"the console does not know variables of type {kind!r}")
    return await _queried(document, Interpolation(time, 60, 300, chosen), prometheus)


async def _queried(document: Mapping[str, Any], expansion: Interpolation, prometheus: Prometheus) -> tuple[str, ...]:
    query = document.get("query", "")
    text = str(query.get("query", "") if isinstance(query, dict) else query).strip()
    pattern = str(document.get("regex") or "")
    if result := _QUERY_RESULT.fullmatch(text):
        series = await prometheus.query(expansion.expand(result["query"]), expansion.time.end)
        return tuple(dict.fromkeys(_filtered([_as_text(one) for one in series], pattern)))[:_MAX_OPTIONS]
    parsed = _LABEL_VALUES.fullmatch(text)
    if parsed is None:
        raise ValueError(f"the console knows label_values(...) and query_result(...) only, not {text[:60]!r}")
    selector = expansion.expand(parsed["selector"] or "")
    values = await prometheus.label_values(parsed["label"], selector, expansion.time.start, expansion.time.end)
    return tuple(sorted(_filtered(values, pattern)))[:_MAX_OPTIONS]


def _as_text(series: Mapping[str, Any]) -> str:
    """A series of an instant query as Grafana writes it for a variable's pattern: name, labels, value, milliseconds."""
    labels = dict(series["metric"])
    name = labels.pop("__name__", "")
    moment, value = series["value"]
    pairs = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"{name}{{{pairs}}} {value} {float(moment) * 1000:.0f}"


def _filtered(values: Sequence[str], pattern: str) -> list[str]:
    if not pattern:
        return list(values)
    slashed = _SLASHED.fullmatch(pattern)
    compiled = re.compile(slashed[1] if slashed else pattern)
    matches = (compiled.search(value) for value in values)
    return [found[1] if compiled.groups else found.string for found in matches if found]


def _choice(
    document: Mapping[str, Any], asked: Sequence[str] | None, options: tuple[str, ...], *, is_known: bool
) -> tuple[VariableValue, tuple[str, ...]]:
    """What is in force: what was asked for as far as it is an option, else the file's own, else all or the first."""
    multiple, includes_all = bool(document.get("multi")), bool(document.get("includeAll"))
    all_value = str(document.get("allValue") or "")
    wanted = list(asked) if asked is not None else _current(document)
    taken = [value for value in wanted if value in options]
    refused = tuple(value for value in wanted if value not in options and value != ALL) if asked is not None else ()
    everything = VariableValue(options, is_all=True, all_value=all_value, is_multiple=True)
    if includes_all and (ALL in wanted or not taken):
        return everything, refused if is_known else ()
    chosen = tuple(dict.fromkeys(taken or options[:1]))
    return VariableValue(chosen if multiple else chosen[:1], is_multiple=multiple or includes_all), refused


def _current(document: Mapping[str, Any]) -> list[str]:
    current = document.get("current")
    value = current.get("value") if isinstance(current, dict) else None
    return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []
