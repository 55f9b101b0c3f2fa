"""Lint rules for one panel of a dashboard: its unit, its numbers, its queries, its legend and its colors."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import promql_parser

from edgeinfer.catalog.units import UNITS as CATALOG_UNITS
from edgeinfer.monitoring.recording import RESOLUTION
from edgeinfer.monitoring.thresholds import LATENCY_OBJECTIVE_SECONDS, OBJECTIVE
from tools.promql_lint import Known, by_labels, faults, selectors, substituted
from tools.promql_tree import children, parse
from tools.promql_unit import PER_SECOND, unit_of

PANEL_TYPES = ("row", "stat", "timeseries", "bargauge", "gauge", "table", "state-timeline", "text")
# Ids of Grafana 13.2.3's units that we use (valueFormats/categories in @grafana/data).
UNITS = (
    "none", "locale", "s", "dthms", "percent", "percentunit", "bytes", "celsius", "watt", "mamp", "hertz", "reqps",
    "suffix:fps", "suffix:/s", "binBps", "dateTimeFromNow",
)  # fmt: skip
# They choose a larger or smaller unit for a value; a fixed number of decimals would then hide digits that matter:
# with none, 1,629 requests read "2K" and every age from 60 to 89 s "1 min".
_SCALING_UNITS = ("s", "bytes", "binBps", "watt", "mamp", "hertz", "reqps")
# Units for the same quantity: of a plain number, of seconds, and of things per second.
_ALIKE = ({"none", "locale"}, {"s", "dthms"}, {"reqps", "suffix:/s"}, {"suffix:fps", "suffix:/s"})
_COUNTS = ("none", "locale")
_RATES = {"bytes": "binBps"}
_MAX_DIGITS = 6
# Panels that show one number for each series, which is taken for the number of now.
_NUMBERS = ("stat", "gauge", "bargauge")
_NOW_WINDOW = "1m"
_ORDERED = ("sort", "sort_desc", "topk", "bottomk")
_MIN_DESCRIPTION = 20
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# The color of what failed, style.RED, which needs Grafana's SDK.
_FAILED = "#E02F44"
_RANGES = ("$__rate_interval", "$__range")
_RANGE_OF_RATE = re.compile(r"(?:rate|irate|increase)\([^\[\]]*\[([^\]:]+)\]")
_RATE_OF_A_RANGE = re.compile(r"(?:rate|increase)\([^\[]*\[\$__(?:rate_interval|range)\]")
_LINE_AT = {"s": LATENCY_OBJECTIVE_SECONDS, "percentunit": OBJECTIVE}
# What a variable stands for when a query is checked.
_ANY = ".+"
_LEGEND_LABEL = re.compile(r"\{\{(\w+)\}\}")
# Series of Prometheus and Alertmanager that none of our jobs has.
_WITHOUT_TARGET = ("ALERTS",)


def idle_pickers(panel: Mapping[str, Any], pickers: Mapping[str, str]) -> Iterator[str]:
    asked = " ".join(target["expr"] for target in panel.get("targets", []))
    reported = re.search(r"((?:\w+ and )*\w+) do(?:es)? not act here\.$", panel.get("description", ""))
    named = set(reported[1].split(" and ")) if reported else set()
    for name, label in pickers.items():
        if asked and (f"${name}" in asked) == (label in named):
            yield f"it ignores the picker {label} and does not say so, or follows it and says that it does not"


def faults_of_panel(panel: Mapping[str, Any], known: Mapping[str, Known], pickers: Mapping[str, str]) -> Iterator[str]:
    if panel["type"] not in PANEL_TYPES:
        yield f"type {panel['type']}: the console does not draw it"
    if not panel.get("title"):
        yield "title missing"
    if panel["type"] == "row":
        return
    description = panel.get("description", "")
    if len(description) < _MIN_DESCRIPTION or description[-1] not in ".?":
        yield "description: a sentence that a new reader understands"
    if panel["type"] != "text":
        yield from _drawn(panel, known, pickers)


def _drawn(panel: Mapping[str, Any], known: Mapping[str, Known], pickers: Mapping[str, str]) -> Iterator[str]:
    unit = panel["fieldConfig"]["defaults"].get("unit")
    if unit not in UNITS:
        yield f"unit {unit!r}: not one of Grafana's that we use"
    yield from _digits(panel)
    yield from _now(panel)
    yield from _stack(panel)
    yield from _long_range(panel)
    if panel.get("datasource") != DATASOURCE:
        yield "datasource: must be the variable"
    if not panel.get("targets"):
        yield "targets: a panel without a query shows nothing"
    if not panel.get("links"):
        yield "links: lead on to another dashboard, by the panel's link or its row's"
    refs = [target["refId"] for target in panel.get("targets", [])]
    if len(refs) != len(set(refs)):
        yield f"queries {refs}: two of one refId, of which Grafana draws one"
    for link in panel.get("links", []):
        if "${__url_time_range}" not in link["url"] or "${__all_variables}" not in link["url"]:
            yield f"link {link['title']}: keep time and variables"
    yield from _threshold_line(panel)
    for target in panel.get("targets", []):
        yield from _target(panel, target, known)
        yield from _scope(target, known, pickers)
    if panel["type"] != "table" and not any(faults(target["expr"], known) for target in panel.get("targets", [])):
        yield from _overrides(panel, known)


def _digits(panel: Mapping[str, Any]) -> Iterator[str]:
    config = panel["fieldConfig"]
    parts = [
        config["defaults"],
        *({one["id"]: one["value"]} for each in config["overrides"] for one in each["properties"]),
    ]
    unit = config["defaults"].get("unit")
    for part in parts:
        if "decimals" in part and part.get("unit", unit) in _SCALING_UNITS:
            yield f"decimals: {part.get('unit', unit)!r} scales, so that fixed decimals would round digits away"
        if part.get("unit") == "locale" and config["defaults"].get("decimals") != 0:
            yield "decimals: a count is whole; an average of counts is 'none' with decimals"
        for step in part.get("thresholds", {}).get("steps", []):
            if step["value"] is not None and step["value"] != float(f"{step['value']:.{_MAX_DIGITS}g}"):
                yield f"thresholds: {step['value']!r} has more digits than a value on its way to the page; round it"


def _now(panel: Mapping[str, Any]) -> Iterator[str]:
    """The last number that there was is not one of now: no panel may keep showing it when its source has stopped."""
    if "lastNotNull" in panel["options"].get("legend", {}).get("calcs", ()):
        yield "legend: 'last', because 'lastNotNull' shows the last number that there was as that of now"
    if panel["type"] not in _NUMBERS:
        return
    defaults = panel["fieldConfig"]["defaults"]
    if panel["options"]["reduceOptions"]["calcs"] != ["last"]:
        yield "calcs: 'last', because 'lastNotNull' shows the last number that there was as that of now"
    words = [one["options"]["result"].get("text") for one in defaults.get("mappings", []) if one["type"] == "special"]
    if not defaults.get("noValue") or words != [defaults["noValue"]]:
        yield "no_value: say what it means that there is nothing, for no series and for no value"
    for target in panel.get("targets", []):
        if target.get("instant"):
            continue
        if not target["expr"].endswith(" or vector(NaN)"):
            yield f"query {target['refId']}: no point where there is nothing, so that its last number would stay"
        if not panel.get("timeFrom"):
            yield f"query {target['refId']}: over the picked range its newest point may be hours old; set timeFrom"


def _stack(panel: Mapping[str, Any]) -> Iterator[str]:
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    is_stacked = custom.get("stacking", {}).get("mode", "none") != "none"
    properties = [one for override in panel["fieldConfig"]["overrides"] for one in override["properties"]]
    if is_stacked and any(one["id"] == "color" and one["value"].get("fixedColor") == _FAILED for one in properties):
        for target in panel.get("targets", []):
            if not target["expr"].endswith(") > 0"):
                yield f"query {target['refId']}: failures of 0 are a red line on top of what went well; leave them out"


def _long_range(panel: Mapping[str, Any]) -> Iterator[str]:
    """Thirty days of raw counters are half a million samples a series; numbers of now read a minute of them."""
    for target in panel.get("targets", []):
        if _RATE_OF_A_RANGE.search(target["expr"]) and f"${RESOLUTION}" not in target["expr"]:
            yield f"query {target['refId']}: over days it reads every raw sample; build it with LongRangeQueries"


def _order(panel: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[str]:
    """Prometheus answers an instant query in no order: bars would change places at each refresh."""
    tree = parse(substituted(target["expr"]))
    name = tree.func.name if isinstance(tree, promql_parser.Call) else str(getattr(tree, "op", ""))
    if panel["type"] == "bargauge" and target.get("instant") and _labels_left(tree) and name not in _ORDERED:
        yield f"query {target['refId']}: several bars in no order; use sort or sort_desc"


def _threshold_line(panel: Mapping[str, Any]) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    style = defaults.get("custom", {}).get("thresholdsStyle", {}).get("mode", "off")
    values = [step["value"] for step in defaults["thresholds"]["steps"] if step["value"] is not None]
    wanted = _LINE_AT.get(defaults["unit"])
    if style != "off" and wanted is not None and wanted not in values:
        yield f"thresholds: the line must be at the objective {wanted}, got {values}"


def _target(panel: Mapping[str, Any], target: Mapping[str, Any], known: Mapping[str, Known]) -> Iterator[str]:
    expression = target["expr"]
    problems = faults(expression, known)
    yield from (f"query {target['refId']}: {problem}" for problem in problems)
    if problems:
        return
    if target.get("datasource") != DATASOURCE:
        yield f"query {target['refId']}: datasource must be the variable"
    allowed = (*_RANGES, _NOW_WINDOW) if panel.get("timeFrom") or target.get("instant") else _RANGES
    for window in _RANGE_OF_RATE.findall(expression):
        if window not in allowed:
            yield f"query {target['refId']}: rate over [{window}] in place of [$__rate_interval]"
    yield from _unit(panel, target, known)
    yield from _order(panel, target)
    if panel["type"] != "table":
        yield from _legend(target)


def _unit(panel: Mapping[str, Any], target: Mapping[str, Any], known: Mapping[str, Known]) -> Iterator[str]:
    shown, is_of = panel["fieldConfig"]["defaults"]["unit"], unit_of(target["expr"], known)
    wanted = _grafana_unit(is_of, shown)
    if shown != wanted and {shown, wanted} not in _ALIKE:
        yield f"query {target['refId']}: it gives {is_of}, which Grafana calls {wanted!r}; the panel says {shown!r}"


def _grafana_unit(unit: str, shown: str) -> str:
    """Grafana's unit for a unit of the catalog or its rate; `shown` where it is not known."""
    inner = unit.removesuffix(PER_SECOND)
    if unit == inner:
        return CATALOG_UNITS.get(unit, shown)
    if inner == "seconds":
        return "percentunit"  # seconds of every second: a share
    return "suffix:/s" if CATALOG_UNITS.get(inner) in _COUNTS else _RATES.get(inner, shown)


def _scope(target: Mapping[str, Any], known: Mapping[str, Known], pickers: Mapping[str, str]) -> Iterator[str]:
    """Each series that has the label of a variable follows it; a panel may be about one job, and then says so."""
    if faults(target["expr"], known):
        return
    for node in selectors(target["expr"]):
        if node.name in _WITHOUT_TARGET:
            continue
        followed = {one.name for one in node.matchers.matchers if one.value == _ANY or one.name == "job"}
        for name, label in pickers.items():
            if label in known[node.name].labels and label not in followed:
                yield f"query {target['refId']}: {node.name} does not follow the variable ${name}"


def _legend(target: Mapping[str, Any]) -> Iterator[str]:
    legend = target.get("legendFormat", "")
    if not legend:
        yield f"query {target['refId']}: a legend is missing"
    tree = parse(substituted(target["expr"]))
    left = _labels_left(tree)
    for label in sorted(left - set(_LEGEND_LABEL.findall(legend))):
        yield f"query {target['refId']}: several series differ by {label}, which the legend does not show"
    for label in sorted(set(_LEGEND_LABEL.findall(legend)) - left - _labels_brought(tree)):
        yield f"query {target['refId']}: no series has the label {label} that the legend shows"


def _overrides(panel: Mapping[str, Any], known: Mapping[str, Known]) -> Iterator[str]:
    """A color or a name for a series that no query gives would never be seen."""
    legends = [_legend_pattern(target, known) for target in panel.get("targets", [])]
    for override in panel["fieldConfig"].get("overrides", []):
        name = override["matcher"]["options"]
        if not any(re.fullmatch(legend, name) for legend in legends):
            yield f"override {name!r}: no query gives a series of this name"


def _legend_pattern(target: Mapping[str, Any], known: Mapping[str, Known]) -> str:
    closed: dict[str, set[str]] = {}
    for node in selectors(target["expr"]):
        for label, values in (known[node.name].values if node.name in known else {}).items():
            closed.setdefault(label, set()).update(values)

    def one_of(label: str) -> str:
        return f"({'|'.join(map(re.escape, sorted(closed[label])))})" if label in closed else ".+"

    parts = _LEGEND_LABEL.split(target.get("legendFormat", ""))
    # Text and labels take turns.
    return "".join(one_of(part) if at % 2 else re.escape(part) for at, part in enumerate(parts))


def _labels_brought(tree: Any) -> set[str]:
    """Labels that group_left takes over from the other side."""
    found = set().union(*(_labels_brought(child) for child in children(tree)))
    card = tree.modifier.card if isinstance(tree, promql_parser.BinaryExpr) and tree.modifier else None
    return found if card is None else found | set(tree.modifier.group_labels or ())


def _labels_left(tree: Any) -> set[str]:
    """Labels by which the series of a result differ, from its outermost aggregations."""
    if isinstance(tree, promql_parser.AggregateExpr) and str(tree.op) not in _ORDERED:
        return set(by_labels(tree))
    inner = children(tree)
    found = set().union(*(_labels_left(child) for child in inner)) if inner else set()
    function = getattr(getattr(tree, "func", None), "name", "")
    return found - {"le"} if function == "histogram_quantile" else found
