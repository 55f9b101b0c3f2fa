"""A dashboard from its rows to the bare classic JSON that Grafana's file provider takes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from edgeinfer.monitoring.dashboards import sources
from edgeinfer.monitoring.dashboards.layout import Place, PlacedRow, Row, places
from edgeinfer.monitoring.dashboards.panels import DATASOURCE, DashboardLink, Panel
from edgeinfer.monitoring.dashboards.style import BLUE, EMPTY, RED
from edgeinfer.monitoring.files import all_panels

TAG = "edgeinfer"
# Of variables: not in Grafana's own types for the kinds that we use.
_STRAY_VARIABLE_KEYS = ("auto", "auto_min", "auto_count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard.

    Args:
        uid: stays forever, because links and bookmarks name it.
        file: name of its JSON file.
        variables: builders, the data source first.
        start: beginning of the time range it opens with.
        refresh: how often it asks again.
        deploys: query of the marks of new versions.
        firing: query of the marks of alerts.
    """

    uid: str
    file: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Any]
    start: str = "now-1h"
    refresh: str = "5s"
    deploys: str = sources.DEPLOYS
    firing: str = sources.FIRING_PERIODS

    def document(self) -> dict[str, Any]:
        """The dashboard as Grafana reads it."""
        encoded = json.dumps(self._builder().build(), cls=JSONEncoder)
        document: dict[str, Any] = json.loads(encoded)
        numbers = count(1)
        document["panels"] = [panel for placed in places(self.rows) for panel in _row(placed, numbers)]
        _name_idle_pickers(document)
        _tidy(document)
        return document

    def to_json(self) -> str:
        return json.dumps(self.document(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    def _builder(self) -> Any:
        builder = (
            builders.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([TAG, "generated"])
            .readonly()
            .refresh(self.refresh)
            .time(self.start, "now")
            .timezone("browser")
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .link(_links())
        )
        for variable in self.variables:
            builder.with_variable(variable)
        for annotation in _annotations(self.deploys, self.firing):
            builder.annotation(annotation)
        return builder


def _links() -> Any:
    return (
        builders.DashboardLink("EdgeInfer dashboards")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )


def _annotations(deploys: str, firing: str) -> list[Any]:
    return [
        _annotation("Alerts", firing, RED, "{{alertname}}", "{{severity}} {{instance}}"),
        _annotation("Deploys", deploys, BLUE, "{{name}} {{version}}", "a program or model that was not there before"),
    ]


def _annotation(name: str, expression: str, color: str, title: str, text: str) -> Any:
    # The types want the query in the target; the plugin still reads title and text from the top level.
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(color)
        .target(prometheus_builders.Dataquery().ref_id("Anno").expr(expression))
        .expr(expression)
        .title_format(title)
        .text_format(text)
    )


def _row(placed: PlacedRow, numbers: Iterator[int]) -> list[dict[str, Any]]:
    """The row and its panels, which lie inside it while it is collapsed."""
    row = placed.row
    heading = {"type": "row", "title": row.heading, "id": next(numbers), "gridPos": _grid_position(placed.place)}
    panels = [_panel(panel, place, next(numbers)) for panel, place in placed.panels]
    if row.no_value:
        _say_once(panels, row.no_value)
    if row.open_when:
        return [heading | {"collapsed": True, "panels": panels}]
    return [heading | {"collapsed": False, "panels": []}, *panels]


def _panel(panel: Panel, place: Place, number: int) -> dict[str, Any]:
    if panel.link:
        panel.builder.links([_way_to(panel.link)])
    document: dict[str, Any] = json.loads(json.dumps(panel.builder.build(), cls=JSONEncoder))
    return document | {"id": number, "gridPos": _grid_position(place)}


def _grid_position(place: Place) -> dict[str, int]:
    return {"x": place.x, "y": place.y, "w": place.width, "h": place.height}


def _say_once(panels: list[dict[str, Any]], words: str) -> None:
    """A reason that all panels of a row share is shown in the first; the others are only empty."""
    for panel, text in zip(panels, (words, *(EMPTY for _ in panels[1:])), strict=True):
        panel["fieldConfig"]["defaults"].setdefault("noValue", text)


def _way_to(link: DashboardLink) -> Any:
    url = f"/d/{link.dashboard}?${{__url_time_range}}&${{__all_variables}}"
    return builders.DashboardLink(link.title).url(url).type(dashboard.DashboardLinkType.LINK)


def _name_idle_pickers(document: dict[str, Any]) -> None:
    """A picker acts on every panel, or the panel says that it does not: a series may lack the label."""
    pickers = [one for one in document["templating"]["list"] if one["type"] == "query" and not one.get("hide")]
    for panel in all_panels(document):
        asked = " ".join(target["expr"] for target in panel.get("targets", []))
        idle = [one["label"] for one in pickers if f"${one['name']}" not in asked]
        if asked and idle:
            verb = "does" if len(idle) == 1 else "do"
            panel["description"] += f" {' and '.join(idle)} {verb} not act here."


def _tidy(document: dict[str, Any]) -> None:
    """Take out what the SDK adds and Grafana's own types do not know, or what would hide our links."""
    for annotation in document["annotations"]["list"]:
        annotation.pop("placement", None)
    for link in document.get("links", []):
        link.pop("placement", None)
    for panel in all_panels(document):
        for link in panel.get("links", []):
            link.pop("placement", None)
        if panel["type"] == "table":
            panel["options"].pop("footer", None)
    for variable in document["templating"]["list"]:
        if variable.get("hide"):
            # It follows from the range alone: an address or a link must not carry it to another range.
            variable["skipUrlSync"] = True
        for key in _STRAY_VARIABLE_KEYS:
            variable.pop(key, None)
