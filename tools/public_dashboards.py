"""How the console takes dashboards of other people: what it draws, what it names as not drawn, and what it gets wrong.

    python -m tools.public_dashboards FOLDER

The folder holds their files. A panel is drawn, or it names what it does not draw. What is drawn without a word is
compared with Grafana's own library over made-up values: another text, color, order or name is wrong.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from edgeinfer.console.dashboard_files import Dashboard, DashboardFiles
from edgeinfer.console.formatting import NO_VALUE
from edgeinfer.console.frames import to_wire
from tools.grafana_judge import KINDS, Difference, compare, made_up, run

# The modes that Grafana's panels have where a file names none.
_COLOR_MODES = {
    "stat": "thresholds",
    "gauge": "thresholds",
    "bargauge": "thresholds",
    "table": "thresholds",
    "state-timeline": "continuous-GrYlRd",
}
Panel = tuple[str, Mapping[str, Any]]


@dataclass
class Result:
    """What became of the panels of all files.

    Args:
        broken: files that are named in the list of dashboards, with the reason.
        drawn: how many panels of each type.
        named: how many panels of each type say what is not drawn of them.
        wrong: what differs from Grafana, in words.
    """

    files: int
    broken: list[str]
    drawn: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    compared: int = 0

    def lines(self) -> Iterator[str]:
        """A table of the counts, and a line for each file and panel with a fault."""
        drawn, named = sum(self.drawn.values()), sum(self.named.values())
        yield from ("| panel type | drawn | named as not drawn |", "|---|---|---|")
        for kind in sorted({*self.drawn, *self.named}):
            yield f"| {kind} | {self.drawn[kind]} | {self.named[kind]} |"
        yield f"{self.files} files, {drawn + named} panels: {drawn} drawn, {named} named"
        yield f"{self.compared} of those that are drawn compared with Grafana's library, {len(self.wrong)} differences"
        yield from (f"file: {one}" for one in self.broken)
        yield from (f"wrong: {one}" for one in self.wrong)


def look_at(folder: Path) -> Result:
    """Classify every panel of every file of a folder, and compare what is drawn."""
    dashboards, broken = DashboardFiles(folder).read()
    result = Result(len(dashboards) + len(broken), [f"{one.file}: {one.fault}" for one in broken])
    panels = [panel for dashboard in dashboards for panel in _panels(dashboard)]
    notices = run({"theme": "light", "notices": [panel for _, panel in panels]})["notices"]
    quiet: list[Panel] = []
    for (title, panel), found in zip(panels, notices, strict=True):
        (result.named if found else result.drawn)[panel["type"]] += 1
        quiet += [] if found else [(title, panel)]
    compared = [one for one in quiet if one[1]["type"] in KINDS and _is_comparable(one[1])]
    result.compared = len(compared)
    result.wrong += _unlike(compared)
    return result


def _panels(dashboard: Dashboard) -> Iterator[Panel]:
    yield from ((dashboard.title, _completed(one.document)) for one in dashboard.panels.values() if one.kind != "row")


def _completed(panel: Mapping[str, Any]) -> dict[str, Any]:
    """The panel with what Grafana's application adds to a file before its library sees it."""
    config = dict(panel.get("fieldConfig") or {})
    defaults = dict(config.get("defaults") or {})
    if not (defaults.get("color") or {}).get("mode"):
        defaults["color"] = {"mode": _COLOR_MODES.get(panel["type"], "palette-classic")}
    steps = [{"value": None} | step for step in (defaults.get("thresholds") or {}).get("steps", [])]
    if steps:
        defaults["thresholds"] = dict(defaults["thresholds"]) | {"steps": steps}
    return dict(panel) | {"fieldConfig": config | {"defaults": defaults}}


def _is_comparable(panel: Mapping[str, Any]) -> bool:
    """The library alone applies no transformations; Grafana's application does."""
    return bool(panel.get("targets")) and not panel.get("transformations")


def _unlike(quiet: list[Panel]) -> Iterator[str]:
    """Where Grafana's library shows a panel otherwise."""
    cases = [made_up(panel, _wire) for _, panel in quiet]
    for (title, panel), found in zip(quiet, run({"theme": "light", "panels": cases})["panels"], strict=True):
        for one in compare(str(panel.get("title")), found["grafana"], found["console"]):
            if not _is_absent(panel, one):
                yield f"{title} / {one.panel}: {one.kind}: Grafana {one.grafana!r}, console {one.console!r}"


def _is_absent(panel: Mapping[str, Any], one: Difference) -> bool:
    """Not-a-number is the words for nothing, and the total of nothing is not zero."""
    is_total = "sum" in panel.get("options", {}).get("legend", {}).get("calcs", ())
    has_words = one.grafana == "NaN" and one.console in _words(panel)
    return has_words or (is_total and str(one.grafana).startswith("0") and one.console in _words(panel))


def _words(panel: Mapping[str, Any]) -> set[str]:
    defaults = panel["fieldConfig"]["defaults"]
    mapped = {
        str(one["options"]["result"].get("text"))
        for one in defaults.get("mappings") or []
        if one.get("type") == "special" and one["options"].get("match") in {"null", "nan", "null+nan"}
    }
    return mapped | {str(defaults.get("noValue") or NO_VALUE)}


def _wire(rows: Any) -> Any:
    return orjson.loads(orjson.dumps(to_wire(np.array(rows, dtype=np.float64))))


def main() -> int:
    """Print the counts, and what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.public_dashboards", description=__doc__)
    parser.add_argument("folder", type=Path)
    result = look_at(parser.parse_args().folder)
    print(*result.lines(), sep="\n")
    return bool(result.wrong)


if __name__ == "__main__":
    sys.exit(main())
