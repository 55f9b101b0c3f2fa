"""Lint rules for dashboards, beyond the types that Grafana accepts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Any

from edgeinfer.monitoring.files import all_panels
from edgeinfer.monitoring.recording import RESOLUTION
from tools.panel_lint import DATASOURCE, faults_of_panel, idle_pickers
from tools.promql_lint import Known, faults, known_series, selectors

_COLUMNS = 24
_UID_LENGTHS = range(8, 41)
_MIN_PANELS = 8
_MAX_OPEN_PANELS = 20
# Lines of the grid that 1440 x 900 pixels show under the head of a dashboard.
_FIRST_SCREEN_LINES = 19
_REFRESH = {"edgeinfer-history": ("1m", "now-30d")}
# The objectives are about all instances of a job.
_WITHOUT_INSTANCE = ("edgeinfer-slo",)
_OPEN_WHEN = re.compile(r"\(open when [^)]{8,}\)$")
_LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")


def lint(document: Mapping[str, Any]) -> list[str]:
    """Every rule that a dashboard breaks, each with the panel it is about."""
    known = known_series()
    found = [
        *_header(document),
        *_variables(document, known),
        *_annotations(document, known),
        *_rows(document["panels"]),
        *_grid(document["panels"]),
        *_unused_pickers(document),
    ]
    visible = [one for one in document["templating"]["list"] if one["type"] == "query" and not one.get("hide")]
    pickers = {one["name"]: one["label"] for one in visible}
    labels = {one["name"]: _label_of(one) for one in visible}
    for panel in all_panels(document):
        where = f"panel {panel.get('title', '')!r}"
        found += [f"{where}: {fault}" for fault in idle_pickers(panel, pickers)]
        found += [f"{where}: {fault}" for fault in faults_of_panel(panel, known, labels)]
    return found


def _unused_pickers(document: Mapping[str, Any]) -> Iterator[str]:
    asked = " ".join(_expressions(document))
    for variable in document["templating"]["list"]:
        if variable["type"] == "query" and f"${variable['name']}" not in asked:
            yield f"variable {variable['name']}: no panel follows it; use it in a query, or take it away"


def _expressions(document: Mapping[str, Any]) -> Iterator[str]:
    """Of panels and annotations."""
    yield from (target["expr"] for panel in all_panels(document) for target in panel.get("targets", []))
    yield from (annotation["expr"] for annotation in document["annotations"]["list"])


def _label_of(variable: Mapping[str, Any]) -> str:
    """The label whose values a variable offers; its own name where it is asked for in another way."""
    asked = _LABEL_VALUES.fullmatch(variable["query"]["query"])
    return asked["label"] if asked else str(variable["name"])


def _header(document: Mapping[str, Any]) -> Iterator[str]:
    refresh, start = _REFRESH.get(document["uid"], ("5s", "now-1h"))
    if len(document["uid"]) not in _UID_LENGTHS:
        yield "uid: 8 to 40 characters"
    if document.get("id") is not None:
        yield "id: a provisioned file has none"
    if (document.get("refresh"), document["time"]["from"]) != (refresh, start):
        yield f"refresh and time: expected {refresh} and {start}"
    if document.get("editable", True):
        yield "editable: a generated dashboard is not edited in the browser"
    if len([panel for panel in all_panels(document) if panel["type"] != "row"]) < _MIN_PANELS:
        yield f"fewer than {_MIN_PANELS} panels"
    for link in document.get("links", []):
        if not (link.get("keepTime") and link.get("includeVars")):
            yield f"link {link.get('title')}: keep time and variables"
    if '"placement"' in str(document).replace("'", '"').replace('"placement": "bottom"', ""):
        yield "placement: would hide links and annotations in a menu"


def _variables(document: Mapping[str, Any], known: Mapping[str, Known]) -> Iterator[str]:
    variables = document["templating"]["list"]
    names = [variable["name"] for variable in variables]
    wanted = ["datasource", "job", "instance"][: 2 if document["uid"] in _WITHOUT_INSTANCE else 3]
    if names[: len(wanted)] != wanted:
        yield f"variables: {', '.join(wanted)} come first, got {names}"
    for variable in variables:
        if not variable.get("label"):
            yield f"variable {variable['name']}: label missing"
        if variable["type"] == "query" and not variable.get("hide"):
            yield from _query_variable(variable, known)
        if variable.get("hide") and not variable.get("skipUrlSync"):
            yield f"variable {variable['name']}: nobody sees it, so no address may carry it; set skipUrlSync"
    used = any(f"${RESOLUTION}" in expression for expression in _expressions(document))
    if used != (RESOLUTION in names):
        yield f"variables: {RESOLUTION} is for dashboards that read recorded series over days, and for no other"


def _query_variable(variable: Mapping[str, Any], known: Mapping[str, Known]) -> Iterator[str]:
    where = f"variable {variable['name']}"
    asked = _LABEL_VALUES.fullmatch(variable["query"]["query"])
    if not asked:
        yield f"{where}: ask for label_values(series, label)"
        return
    yield from (f"{where}: {fault}" for fault in faults(asked["series"], known))
    for node in selectors(asked["series"]):
        if node.name in known and asked["label"] not in known[node.name].labels:
            yield f"{where}: {node.name} has no label {asked['label']}, so the list would be empty"
    wanted = {"multi": True, "includeAll": True, "allValue": ".+", "refresh": 2, "datasource": DATASOURCE}
    for key, value in wanted.items():
        if variable.get(key) != value:
            yield f"{where}: {key} must be {value!r}"


def _annotations(document: Mapping[str, Any], known: Mapping[str, Known]) -> Iterator[str]:
    found = document["annotations"]["list"]
    if {annotation["name"] for annotation in found} != {"Alerts", "Deploys"}:
        yield "annotations: alerts and deploys are drawn on every dashboard"
    for annotation in found:
        if annotation.get("datasource") != DATASOURCE:
            yield f"annotation {annotation['name']}: datasource must be the variable"
        if annotation.get("expr") != annotation["target"]["expr"]:
            yield f"annotation {annotation['name']}: the plugin and the types must read one query"
        if "[$__rate_interval]" not in annotation["expr"]:
            yield f"annotation {annotation['name']}: a step that is longer than the event would miss it"
        yield from (f"annotation {annotation['name']}: {fault}" for fault in faults(annotation["expr"], known))


def _rows(panels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is open is asked for at each refresh and must be found at a glance."""
    opened = [panel for panel in panels if panel["type"] != "row"]
    if len(opened) > _MAX_OPEN_PANELS:
        yield f"{len(opened)} panels are open, of {_MAX_OPEN_PANELS}: collapse rows that are seldom needed"
    lowest = max((panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in opened), default=0)
    if lowest > _FIRST_SCREEN_LINES:
        yield f"open panels: they end at line {lowest}, the first screen of a laptop at {_FIRST_SCREEN_LINES}"
    for row in (panel for panel in panels if panel["type"] == "row"):
        if bool(row.get("collapsed")) != bool(row.get("panels")):
            yield f"row {row['title']!r}: a collapsed row holds its panels, an open one is followed by them"
        if bool(row.get("collapsed")) != bool(_OPEN_WHEN.search(row["title"])):
            yield f"row {row['title']!r}: the title of a collapsed row, and of no other, says when to open it"


def _grid(top: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    panels = list(all_panels({"panels": top}))
    ids = [panel.get("id") for panel in panels]
    titles = [panel["title"] for panel in panels if panel["type"] != "row"]
    for title in sorted({title for title in titles if titles.count(title) > 1}):
        yield f"panel {title!r} is there twice, so a runbook that names it leads to two places"
    if ids != list(range(1, len(panels) + 1)):
        yield "panel ids: 1, 2, 3 and so on, so that links to a panel last"
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > _COLUMNS:
            yield f"panel {panel.get('title')!r}: wider than the grid"
    # A collapsed row takes one line: where its panels lie matters among themselves.
    levels = [top, *(panel["panels"] for panel in top if panel.get("panels"))]
    for one, other in chain.from_iterable(combinations(level, 2) for level in levels):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"panels {one.get('title')!r} and {other.get('title')!r} overlap"


def _overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
