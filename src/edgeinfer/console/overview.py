"""The overview for a terminal: chosen panels of the dashboards, asked by their own queries."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgeinfer.console.dashboard_files import Dashboard, DashboardFiles
from edgeinfer.console.formatting import format_value
from edgeinfer.console.frames import Values
from edgeinfer.console.refresh import PanelView, Refreshed, Refresher, RefreshRequest
from edgeinfer.errors import UnknownDashboard

_RANGE = ("now-15m", "now")
_POINTS = 100
_MAX_SERIES = 20
_SEVERITIES = ("critical", "warning", "ticket")
_SIDECAR, _HARDWARE, _OBJECTIVES = "hailo-sidecar-monitoring", "edgeinfer-hardware", "edgeinfer-slo"


@dataclass(frozen=True, slots=True)
class Pick:
    """A panel to show, by dashboard and title.

    Args:
        only_above: series whose newest value is not above this are left out, such as errors that do not happen.
    """

    uid: str
    title: str
    only_above: float | None = None


SECTIONS: Mapping[str, tuple[Pick, ...]] = {
    "Service": (
        Pick(_SIDECAR, "P95 latency"),
        Pick(_SIDECAR, "Success"),
        Pick(_SIDECAR, "Requests per minute"),
        Pick(_SIDECAR, "From the sidecar"),
        Pick(_SIDECAR, "Sidecar"),
        Pick(_SIDECAR, "Backend"),
    ),
    "Errors": (Pick(_SIDECAR, "Errors by class", only_above=0), Pick(_SIDECAR, "Backend failures", only_above=0)),
    "Chip": (
        Pick(_HARDWARE, "Hottest chip"),
        Pick(_HARDWARE, "Use"),
        Pick(_HARDWARE, "Use by model"),
        Pick(_HARDWARE, "Power"),
    ),
    "Alerts": (Pick(_OBJECTIVES, "Alerts now"),),
}


@dataclass(frozen=True, slots=True)
class OverviewLine:
    """One line of the overview.

    Args:
        name: of the panel, and of the series where there are several.
        value: the newest, or None where there is none.
        text: the value as a person writes it.
        color: of the threshold or mapping that it is in, as #rrggbb, or empty.
        history: values of the last quarter of an hour, oldest first.
        fault: why there is no value, if the query failed.
    """

    name: str
    value: float | None
    text: str
    color: str = ""
    history: tuple[float | None, ...] = ()
    fault: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one moment."""

    moment: float
    status: Mapping[str, Any]
    sections: Mapping[str, tuple[OverviewLine, ...]]

    def as_document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "moment": self.moment,
            "status": dict(self.status),
            "sections": {
                title: [
                    {
                        "name": one.name,
                        "value": one.value,
                        "text": one.text,
                        "fault": one.fault,
                        "labels": dict(one.labels),
                    }
                    for one in readings
                ]
                for title, readings in self.sections.items()
            },
        }


async def read_overview(library: DashboardFiles, refresher: Refresher) -> Overview:
    """Ask once for each dashboard that a pick names."""
    answers: dict[str, Refreshed] = {}
    for uid in {pick.uid for picks in SECTIONS.values() for pick in picks}:
        dashboard = _dashboard(library, uid)
        if dashboard is not None:
            views = tuple(
                PanelView(panel.id, _POINTS) for panel in dashboard.panels.values() if _is_picked(uid, panel.title)
            )
            answers[uid] = await refresher.refresh(uid, RefreshRequest(*_RANGE, views))
    sections = {
        title: tuple(reading for pick in picks for reading in _readings(library, pick, answers.get(pick.uid)))
        for title, picks in SECTIONS.items()
    }
    status = next((answer.status.as_document() for answer in answers.values()), {"prometheus": "no dashboards"})
    return Overview(refresher.now(), status, sections)


def _dashboard(library: DashboardFiles, uid: str) -> Dashboard | None:
    try:
        return library.get(uid)
    except UnknownDashboard:
        return None


def _is_picked(uid: str, title: str) -> bool:
    return any(pick.uid == uid and pick.title == title for picks in SECTIONS.values() for pick in picks)


def _readings(library: DashboardFiles, pick: Pick, answer: Refreshed | None) -> Iterable[OverviewLine]:
    dashboard = _dashboard(library, pick.uid)
    panel = next((one for one in dashboard.panels.values() if one.title == pick.title), None) if dashboard else None
    if panel is None or answer is None:
        yield OverviewLine(pick.title, None, "", fault="no dashboard has this panel")
        return
    found = answer.panels[panel.id]
    for error in found.errors:
        yield OverviewLine(pick.title, None, "", fault=error["message"])
    names = [name for frame in found.frames for name in frame.names]
    readings = [
        _reading(pick, panel.document, name, labels, row, is_alone=len(names) == 1)
        for frame in found.frames
        for name, labels, row in zip(frame.names, frame.labels, frame.values, strict=True)
    ]
    if pick.only_above is not None:
        readings = [one for one in readings if (one.value or 0) > pick.only_above]
    yield from sorted(readings, key=_urgency)[:_MAX_SERIES]


def _urgency(reading: OverviewLine) -> tuple[bool, int, float]:
    """What fires before what is about to, the worse before the less bad, the more before the less."""
    labels = dict(reading.labels)
    severity = labels.get("severity", "")
    rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
    return (labels.get("alertstate") == "pending", rank, -(reading.value or 0))


def _reading(  # noqa: PLR0913 - what a series is made of
    pick: Pick,
    panel: Mapping[str, Any],
    name: str,
    labels: Mapping[str, str],
    row: Values,
    *,
    is_alone: bool,
) -> OverviewLine:
    history = tuple(None if math.isnan(value) else value for value in row.tolist())
    # The value of now: the last that there was would still be shown after its source has stopped.
    value = history[-1] if history else None
    config = panel.get("fieldConfig", {}).get("defaults", {})
    text, color = _text(value, config, name if panel.get("options", {}).get("textMode") == "name" else "")
    shown = pick.title if is_alone else f"{pick.title}: {name}"
    if "alertname" in labels:
        shown, text = labels["alertname"], f"{labels.get('severity', '')} {labels.get('alertstate', '')}".strip()
    return OverviewLine(shown, value, text, color, history, labels=tuple(sorted(labels.items())))


def _text(value: float | None, config: Mapping[str, Any], name: str) -> tuple[str, str]:
    mapped = _mapped(value, config)
    if mapped:
        return str(mapped.get("text") or name), str(mapped.get("color") or "")
    text = name or format_value(value, str(config.get("unit") or ""), config.get("decimals"))
    return (str(config.get("noValue") or text) if value is None else text), _threshold(value, config)


def _mapped(value: float | None, config: Mapping[str, Any]) -> Mapping[str, Any]:
    for mapping in config.get("mappings") or []:
        if mapping.get("type") == "value" and value is not None:
            found = mapping["options"].get(f"{value:g}")
            if found:
                return dict(found)
    return {}


def _threshold(value: float | None, config: Mapping[str, Any]) -> str:
    if config.get("color", {}).get("mode") != "thresholds" or value is None:
        return ""
    steps = config.get("thresholds", {}).get("steps", [])
    colors = [step["color"] for step in steps if step.get("value") is None or value >= step["value"]]
    return str(colors[-1]) if colors and str(colors[-1]).startswith("#") else ""
