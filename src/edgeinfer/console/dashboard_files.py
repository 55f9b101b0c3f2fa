"""The dashboard files of a folder, read again when they change; a malformed one harms no other."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from edgeinfer.console.ranges import parse_duration
from edgeinfer.errors import UnknownDashboard

_MAX_BYTES = 5_000_000
# Where Grafana puts a panel that does not say where it stands; those that then overlap give way downwards.
_PLACE = {"x": 0, "y": 0, "w": 6, "h": 3}


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """One query of a panel."""

    ref: str
    expression: str
    legend: str
    is_instant: bool
    is_range: bool
    wants_exemplars: bool
    min_step_seconds: float | None


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel, as far as the server needs it.

    Args:
        time_from_seconds: the panel's own length of time, up to the end of the dashboard's.
        max_points: the panel's own limit of points.
    """

    id: int
    kind: str
    title: str
    targets: tuple[PanelQuery, ...]
    min_step_seconds: float | None
    time_from_seconds: float | None
    max_points: int | None
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard file."""

    uid: str
    title: str
    document: Mapping[str, Any]
    panels: Mapping[int, Panel]

    @property
    def variables(self) -> list[Mapping[str, Any]]:
        """Its variables, in the order in which they depend on each other."""
        return [one for one in _list(_object(self.document, "templating"), "list") if "name" in one]

    @property
    def annotations(self) -> list[Mapping[str, Any]]:
        """Its annotation queries that ask Prometheus."""
        found = _list(_object(self.document, "annotations"), "list")
        return [one for one in found if one.get("enable", True) and annotation_expression(one)]


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that is not a dashboard, and why."""

    file: str
    fault: str


@dataclass(slots=True)
class DashboardFiles:
    """The dashboards of a folder.

    Args:
        folder: holds `*.json` in Grafana's classic model.
    """

    folder: Path
    _known: dict[Path, tuple[int, Dashboard | Broken]] = field(default_factory=dict)

    def read(self) -> tuple[list[Dashboard], list[Broken]]:
        """Every dashboard by title, and every file that is none."""
        if not self.folder.is_dir():
            return [], [Broken(str(self.folder), "there is no such folder")]
        found = _with_own_uids([self._read(path) for path in sorted(self.folder.glob("*.json"))])
        dashboards = sorted((one for one in found if isinstance(one, Dashboard)), key=lambda one: one.title)
        return dashboards, [one for one in found if isinstance(one, Broken)]

    def get(self, uid: str) -> Dashboard:
        """The dashboard of this uid.

        Raises:
            UnknownDashboard: no file has it.
        """
        for dashboard in self.read()[0]:
            if dashboard.uid == uid:
                return dashboard
        raise UnknownDashboard(f"dashboard {uid[:80]!r}", "no file has this uid", "Choose one of the list.")

    def _read(self, path: Path) -> Dashboard | Broken:
        changed = path.stat().st_mtime_ns
        known = self._known.get(path)
        if known is None or known[0] != changed:
            known = self._known[path] = (changed, parse_file(path))
        return known[1]


def parse_file(path: Path) -> Dashboard | Broken:
    """The dashboard in a file, or why it is none."""
    if path.stat().st_size > _MAX_BYTES:
        return Broken(path.name, f"larger than {_MAX_BYTES // 1_000_000} MB")
    try:
        document = orjson.loads(path.read_bytes())
    except (orjson.JSONDecodeError, OSError) as failure:
        return Broken(path.name, f"not JSON ({failure})")
    try:
        return _dashboard(document, path.stem)
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        return Broken(path.name, f"not a dashboard ({type(failure).__name__}: {failure})")


def annotation_expression(annotation: Mapping[str, Any]) -> str:
    """The query of an annotation; Grafana has kept it in two places."""
    target = annotation.get("target")
    inner = target.get("expr", "") if isinstance(target, dict) else ""
    return str(inner or annotation.get("expr", ""))


def _with_own_uids(found: list[Dashboard | Broken]) -> list[Dashboard | Broken]:
    """Of two files with one uid both are shown: the later under a uid with a number, and with a note."""
    taken: set[str] = set()
    kept: list[Dashboard | Broken] = []
    for one in found:
        dashboard = one
        number = 2
        while isinstance(one, Dashboard) and isinstance(dashboard, Dashboard) and dashboard.uid in taken:
            noted = _noted(one.document, f"Another file has the uid {one.uid} too; this one is shown as {number}.")
            dashboard = replace(one, uid=f"{one.uid}-{number}", document=noted)
            number += 1
        if isinstance(dashboard, Dashboard):
            taken.add(dashboard.uid)
        kept.append(dashboard)
    return kept


def _noted(document: Mapping[str, Any], note: str) -> dict[str, Any]:
    """The document with a note of ours behind its description."""
    return dict(document) | {"description": f"{document.get('description') or ''} ({note})".strip()}


def _completed(document: dict[str, Any], name: str) -> dict[str, Any]:
    """What Grafana adds to a file: a uid, ids and places of panels. A library panel has its type elsewhere."""
    panels = list(_flattened(document["panels"]))
    free = itertools.count(1 + max((one["id"] for one in panels if isinstance(one.get("id"), int)), default=0))
    missing = doubled = 0
    taken: set[Any] = set()
    for one in panels:
        missing += one.get("id") is None
        doubled += one.get("id") in taken
        if one.get("id") is None or one["id"] in taken:
            one["id"] = next(free)
        taken.add(one["id"])
        one["gridPos"] = _PLACE | (one.get("gridPos") or {})
        if "libraryPanel" in one:
            one.setdefault("type", "library panel")
    notes = ([] if document.get("uid") else [f"The file has no uid; its name {name} is used."]) + (
        [f"{missing} panels had no id."] if missing else []
    )
    notes += [f"{doubled} panels had the id of another."] if doubled else []
    document["uid"] = document.get("uid") or name
    return _noted(document, " ".join(notes)) if notes else document


def _dashboard(document: Any, name: str) -> Dashboard:
    if isinstance(document, dict) and "rows" in document and "panels" not in document:
        raise ValueError("it is of Grafana 4 or older, with 'rows'; open it in a newer Grafana and export it again")
    if isinstance(document, dict) and ("elements" in document or "spec" in document):
        raise ValueError("it is of Grafana's schema v2; export it in the classic model")
    if not isinstance(document, dict) or "panels" not in document:
        raise ValueError("an object with 'uid', 'title' and 'panels' is wanted, not wrapped in anything")
    document = _completed(document, name)
    panels = [_panel(one) for one in _flattened(document["panels"])]
    return Dashboard(str(document["uid"]), str(document["title"]), document, {panel.id: panel for panel in panels})


def _flattened(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Panels and rows, and what is in collapsed rows."""
    for panel in panels:
        yield panel
        yield from panel.get("panels") or []


def _panel(document: dict[str, Any]) -> Panel:
    asked = [one for one in document.get("targets") or [] if not one.get("hide")]
    # What has no expression of its own is an expression over other queries, or another source's: the page names it.
    targets = tuple(_target(one) for one in asked if one.get("expr")) if not _is_foreign(document) else ()
    return Panel(
        id=int(document["id"]),
        kind=str(document["type"]),
        title=str(document.get("title", "")),
        targets=targets,
        min_step_seconds=parse_duration(str(document.get("interval") or "")),
        time_from_seconds=parse_duration(str(document.get("timeFrom") or "").removeprefix("now-")),
        max_points=int(document["maxDataPoints"]) if document.get("maxDataPoints") else None,
        document=document,
    )


def _is_foreign(panel: Mapping[str, Any]) -> bool:
    """Whether a panel asks something else than Prometheus."""
    source = panel.get("datasource")
    kind = source.get("type") if isinstance(source, dict) else None
    return isinstance(kind, str) and kind != "prometheus" and "$" not in kind


def _target(document: dict[str, Any]) -> PanelQuery:
    is_instant = bool(document.get("instant", False))
    return PanelQuery(
        ref=str(document.get("refId", "A")),
        expression=str(document.get("expr", "")),
        legend=str(document.get("legendFormat", "")),
        is_instant=is_instant,
        # Grafana asks for a range where nothing is said.
        is_range=bool(document.get("range", not is_instant)),
        wants_exemplars=bool(document.get("exemplar", False)),
        min_step_seconds=parse_duration(str(document.get("interval") or "")),
    )


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _list(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
