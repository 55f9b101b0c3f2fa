"""The console shows what Grafana shows of the same panel and the same numbers: text, color, order and names.

Grafana's own library is asked, so that nobody has to remember what it does; what the console means to do otherwise
is in `tools/grafana_judge.py` with its reason, and any other difference fails here.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import aiohttp
import numpy as np
import orjson
import pytest

from edgeinfer.console.dashboard_files import DashboardFiles
from edgeinfer.console.formatting import format_value
from edgeinfer.console.frames import Frame, to_wire
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.ranges import round_interval
from edgeinfer.console.refresh import PanelView, Refreshed, Refresher, RefreshRequest
from edgeinfer.console.status import StatusReader
from edgeinfer.monitoring import files
from tests.browser.bench import Stack
from tools.grafana_judge import (
    MEANT,
    THEMES,
    Difference,
    Meant,
    compare,
    drawn_panels,
    json_value,
    made_up,
    meant,
    run,
    values_for,
)
from tools.public_dashboards import look_at

_PATHS = [*files.dashboard_files(), *(files.GENERATED / "fleet").glob("*.json")]
DOCUMENTS: dict[str, dict[str, Any]] = {path.name: json.loads(path.read_text("utf-8")) for path in _PATHS}
PANELS = [panel for document in DOCUMENTS.values() for panel in drawn_panels(document)]
FIXTURE = Path(__file__).parents[1] / "console" / "fixtures" / "units.json"
# Units of the terminal, which shows a few panels of ours.
_TERMINAL_UNITS = (
    "", "none", "locale", "s", "dthms", "percent", "percentunit", "bytes", "celsius", "hertz", "watt", "mamp", "reqps",
    "suffix:fps", "suffix:/s", "short",
)  # fmt: skip
# Bounds of Grafana's table of steps, in milliseconds, and both sides of each.
_BOUNDS = (
    10, 15, 35, 75, 150, 350, 750, 1500, 3500, 7500, 12500, 17500, 25000, 45000, 90000, 210000, 450000, 750000, 1050000,
    1500000, 2700000, 5400000, 9000000, 16200000, 32400000, 86400000, 604800000, 1814400000, 3628800000,
)  # fmt: skip
_INTERVALS = [bound + side for bound in _BOUNDS for side in (-1, 0, 1)]


def wire(rows: Sequence[Sequence[float]]) -> Any:
    """Columns as the browser gets them."""
    return orjson.loads(orjson.dumps(to_wire(np.array(rows, dtype=np.float64))))


def differences(cases: Sequence[Mapping[str, Any]], theme: str) -> Iterator[Difference]:
    answer = run({"theme": theme, "panels": cases})
    for case, found in zip(cases, answer["panels"], strict=True):
        yield from compare(case["panel"]["title"], found["grafana"], found["console"])


@pytest.mark.parametrize("theme", THEMES)
def test_every_panel_shows_values_around_its_thresholds_as_grafana_does(theme: str) -> None:
    cases = [made_up(panel, wire) for panel in PANELS]
    assert len(cases) > 100
    assert list(differences(cases, theme)) == []


async def _answers(url: str) -> dict[str, Refreshed]:
    """All panels of all dashboards over the last quarter of an hour."""
    async with aiohttp.ClientSession() as http:
        prometheus = Prometheus(http, url)
        newest = float(ask_newest(url))
        refresher = Refresher(
            DashboardFiles(files.dashboards_folder()),
            prometheus,
            StatusReader(prometheus, lambda: newest),
            lambda: newest,
        )
        found = {}
        for document in DOCUMENTS.values():
            if "fleet" in document["uid"]:
                continue
            views = tuple(PanelView(panel["id"]) for panel in drawn_panels(document))
            found[document["uid"]] = await refresher.refresh(document["uid"], RefreshRequest("now-15m", "now", views))
        await refresher.close()
    return found


def ask_newest(url: str) -> str:
    with urlopen(f"{url}/api/v1/query?query=time()") as answer:  # noqa: S310 - an address of this test
        return str(json.load(answer)["data"]["result"][1])


async def test_every_panel_shows_the_simulated_hour_as_grafana_does(stack: Stack) -> None:
    answers = await _answers(stack.prometheus.url)
    cases = [
        _case(panel, answers[document["uid"]].panels[panel["id"]].frames)
        for document in DOCUMENTS.values()
        for panel in drawn_panels(document)
        if document["uid"] in answers
    ]
    assert sum(len(frame["names"]) for case in cases for frame in case["exact"]) > 300
    assert list(differences(cases, "dark")) == []


def _case(panel: Mapping[str, Any], frames: Sequence[Frame]) -> dict[str, Any]:
    """The panel with the answer as it came from Prometheus, and as the page gets it."""
    documents = [orjson.loads(orjson.dumps(frame.as_document())) for frame in frames]
    exact = [
        document | {"columns": [[_present(value) for value in row] for row in frame.values.tolist()]}
        for document, frame in zip(documents, frames, strict=True)
    ]
    return {"panel": panel, "exact": exact, "wire": documents}


def _present(value: float) -> float | str | None:
    return None if math.isnan(value) else json_value(value)


def test_each_difference_that_is_meant_is_needed_and_has_a_reason() -> None:
    answer = run({"theme": "light", "panels": [made_up(panel, wire) for panel in PANELS]})
    used: set[Meant] = set()
    for found in answer["panels"]:
        for pair in zip(found["grafana"], found["console"], strict=True):
            left, right = (one.get("texts", [one.get("text", "")]) for one in pair)
            used.update(one for text, other in zip(left, right, strict=True) for one in meant(text, other)[1])
    assert used == set(MEANT)
    assert all(len(one.reason.split()) > 8 for one in MEANT)


def test_the_palette_and_every_named_color_are_grafana_s() -> None:
    for theme in THEMES:
        hues = run({"theme": theme})["hues"]
        answer = run({"theme": theme, "palette": True, "colors": [*hues, "#12ab9F"]})
        assert len(answer["palette"]) == 64
        assert len(answer["colors"]) > 30
        assert [pair for pair in answer["palette"] if pair[0].lower() != pair[1].lower()] == []
        assert [pair for pair in answer["colors"] if pair[0].lower() != pair[1].lower()] == []


def test_every_step_is_rounded_as_grafana_rounds_it() -> None:
    expected = run({"theme": "light", "intervals": _INTERVALS})["intervals"]
    assert [round(round_interval(one / 1000) * 1000) for one in _INTERVALS] == expected


VALUES = [value for value in values_for({}) if math.isfinite(value)]
Format = tuple[float, str, int | None]


def unlike(formats: Sequence[Format], written: Sequence[str] | None = None) -> list[tuple[Format, str, str]]:
    """What reads otherwise than in Grafana: in the browser, or as it was written elsewhere."""
    pairs = run({"theme": "light", "formats": formats})["formats"]
    texts = written or [text for _, text in pairs]
    triples = zip(formats, [text for text, _ in pairs], texts, strict=True)
    return [(asked, grafana, text) for asked, grafana, text in triples if not meant(grafana, text)[0]]


def test_every_unit_of_the_console_reads_as_in_grafana() -> None:
    answer = run({"theme": "light"})
    assert len(answer["console_units"]) > 50
    assert set(answer["console_units"]) <= set(answer["units"])
    others = ("suffix:/s", "prefix:x", "si:mA", "count:req", "furlongs")
    units = [(unit, decimals) for unit in answer["console_units"] for decimals in (None, 0, 1, 2, 3)]
    units += [(unit, None) for unit in others]
    assert unlike([(value, unit, decimals) for unit, decimals in units for value in VALUES]) == []


def test_the_terminal_writes_numbers_as_grafana_does() -> None:
    formats: list[Format] = [
        (value, unit, decimals) for unit in _TERMINAL_UNITS for value in VALUES for decimals in (None, 0, 1, 2)
    ]
    assert unlike(formats, [format_value(*one) for one in formats]) == []


def test_the_table_of_cases_for_console_and_terminal_is_what_grafana_writes() -> None:
    cases = [case for case in json.loads(FIXTURE.read_text("utf-8")) if case["value"] is not None]
    formats = [(case["value"], case["unit"], case.get("decimals")) for case in cases]
    assert unlike(formats, [case["text"] for case in cases]) == []


def _panel(kind: str) -> dict[str, Any]:
    return next(dict(panel) for panel in PANELS if panel["type"] == kind and len(panel["targets"]) > 0)


CHANGES = {
    "text": lambda case: case["wire"][0].update(columns=[[7.25, 7.25] for _ in case["wire"][0]["columns"]]),
    "name": lambda case: case["wire"][0].update(names=["other", *case["wire"][0]["names"][1:]]),
    "order": lambda case: case["wire"][0].update(names=case["wire"][0]["names"][::-1]),
    "count": lambda case: case["wire"][0].update(columns=case["wire"][0]["columns"][:-1]),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_the_comparison_finds(kind: str) -> None:
    case = json.loads(json.dumps(made_up(_panel("stat"), wire)))
    CHANGES[kind](case)
    assert kind in {difference.kind for difference in differences([case], "light")}


def test_the_comparison_finds_a_color() -> None:
    case = json.loads(json.dumps(made_up(_panel("gauge"), wire)))
    case["wire"][0].update(columns=[[-1e6, -1e6] for _ in case["wire"][0]["columns"]])
    assert "color" in {difference.kind for difference in differences([case], "light")}


def _foreign(title: str, config: Mapping[str, Any], options: Mapping[str, Any], kind: str = "stat") -> dict[str, Any]:
    targets = [{"refId": "A", "expr": "up"}]
    return {
        "title": title,
        "type": kind,
        "targets": targets,
        "fieldConfig": {"defaults": config, "overrides": []},
        "options": options,
    }


STEPS = {"mode": "absolute", "steps": [{"color": "red", "value": 0}, {"color": "green", "value": 5}]}


def test_dashboards_of_others_are_drawn_as_in_grafana_or_name_what_is_not(tmp_path: Path) -> None:
    drawn = [
        _foreign("no color mode, and no step below 0", {"thresholds": STEPS}, {}),
        _foreign("a fixed color without a name", {"color": {"mode": "fixed"}}, {}, "timeseries"),
        _foreign("a time that is not finite", {"unit": "dateTimeAsIso", "thresholds": STEPS}, {}),
    ]
    named = [
        _foreign("a label as a number", {}, {"reduceOptions": {"fields": "/^version$/"}}),
        _foreign("a number for each row", {}, {"reduceOptions": {"values": True}}),
        _foreign("a calculation", {}, {"reduceOptions": {"calcs": ["stdDev"]}}),
        _foreign("of Grafana 6", {}, {"fieldOptions": {"defaults": {"unit": "celsius"}}}, "gauge"),
        _foreign("a heatmap", {}, {}, "heatmap"),
    ]
    (tmp_path / "theirs.json").write_text(json.dumps({"title": "Theirs", "panels": [*drawn, *named]}), "utf-8")
    (tmp_path / "old.json").write_text(json.dumps({"title": "Old", "rows": []}), "utf-8")
    result = look_at(tmp_path)
    assert result.wrong == []
    assert (result.compared, sum(result.named.values()), len(result.broken)) == (len(drawn), len(named), 1)
