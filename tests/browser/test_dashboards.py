"""Every panel of every shipped dashboard is drawn, and what is drawn is what Prometheus answers."""

import json
import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from edgeinfer.console.formatting import NO_VALUE, format_value
from edgeinfer.monitoring.files import all_panels, dashboard_files
from tests.browser.bench import WHOLE, Stack, Window, ask_prometheus
from tests.browser.conftest import OpenWindow

DASHBOARDS: dict[str, dict[str, Any]] = {
    document["uid"]: document for document in (json.loads(path.read_text("utf-8")) for path in dashboard_files())
}
# Panels that are empty while nothing is wrong: they list alerts, and in the simulated hour none fires now.
MAY_BE_EMPTY = {"Alerts now", "Alerts over time", "Alerts firing"}


Drawn = Callable[[str], list[dict[str, Any]]]


def panels_of(uid: str) -> dict[int, dict[str, Any]]:
    return {one["id"]: one for one in all_panels(DASHBOARDS[uid]) if one["type"] != "row"}


def expression(target: dict[str, Any], step: float, seconds: float) -> str:
    """The query with All chosen everywhere, written out by hand rather than by the console's own code."""
    window = max(step + 5, 20)
    text = str(target["expr"]).replace("$__rate_interval", f"{window:g}s").replace("$__interval", f"{step:g}s")
    text = text.replace("$__range", f"{seconds:g}s").replace("$resolution", ".*")
    return re.sub(r"\$(job|instance|chip)\b|\$\{(job|instance|chip)\}", ".+", text)


def same(drawn: float | None, expected: str) -> bool:
    if drawn is None:
        return math.isnan(float(expected))
    return math.isclose(drawn, float(expected), rel_tol=1.1e-5, abs_tol=1e-12) or float(expected) == drawn


@pytest.fixture(scope="module")
def drawn(stack: Stack, browser: Browser) -> Drawn:
    """What the panels of a dashboard draw; each dashboard is opened once for all tests that only look."""

    @cache
    def look(uid: str) -> list[dict[str, Any]]:
        window = Window(browser, stack.console.url, WHOLE)
        window.open_whole(f"/d/{uid}?from=now-15m&to=now&refresh=")
        panels = window.panels()
        window.page.close()
        assert window.faults == []
        return panels

    return look


@pytest.mark.parametrize("uid", sorted(DASHBOARDS))
def test_every_panel_is_drawn_with_data(drawn: Drawn, uid: str) -> None:
    assert {one["id"] for one in drawn(uid)} == set(panels_of(uid))
    unexpected = [
        (one["title"], one["state"], one["message"])
        for one in drawn(uid)
        if one["state"] != "drawn" and not (one["state"] == "empty" and one["title"] in MAY_BE_EMPTY)
    ]
    assert unexpected == []


@pytest.mark.parametrize("uid", sorted(DASHBOARDS))
def test_the_console_knows_everything_that_the_dashboards_use(drawn: Drawn, uid: str) -> None:
    assert [(one["title"], one["notices"]) for one in drawn(uid) if one["notices"]] == []


@pytest.mark.parametrize("uid", sorted(DASHBOARDS))
def test_plotted_values_are_those_of_prometheus(stack: Stack, drawn: Drawn, uid: str) -> None:
    compared = 0
    for one in drawn(uid):
        document = panels_of(uid)[one["id"]]
        if one["type"] in ("text", "table") or one["state"] == "empty":
            continue
        compared += sum(compare(stack, document, target, one["series"]) for target in document["targets"])
    assert compared > 0


def compare(stack: Stack, document: dict[str, Any], target: dict[str, Any], drawn: list[dict[str, Any]]) -> int:
    """Ask Prometheus for what one query drew; returns how many values were the same."""
    times = drawn[0]["times"]
    if target.get("instant"):
        found = ask_prometheus(stack, "query", query=expression(target, 5, 900), time=times[-1])
        expected = [(one["metric"], [one["value"]]) for one in found]
    else:
        step = times[1] - times[0]
        query = expression(target, step, 900)
        found = ask_prometheus(stack, "query_range", query=query, start=times[0], end=times[-1], step=step)
        expected = [(one["metric"], one["values"]) for one in found]
    count = 0
    for labels, points in expected:
        by_time = {round(moment): value for moment, value in points}
        candidates = [one for one in drawn if one["labels"] == labels and matches(one, by_time)]
        assert candidates, (document["title"], target["expr"], labels)
        count += len(by_time)
    return count


def matches(series: dict[str, Any], by_time: dict[int, str]) -> bool:
    values = zip(series["times"], series["values"], strict=True)
    places = {round(moment): value for moment, value in values}
    extra = [moment for moment, value in places.items() if value is not None and moment not in by_time]
    return not extra and all(same(number(places.get(moment)), value) for moment, value in by_time.items())


def number(value: Any) -> float | None:
    return None if value is None else float(value)


def test_a_stat_shows_the_newest_value_as_a_person_writes_it(drawn: Drawn) -> None:
    latency = next(one for one in drawn("hailo-sidecar-monitoring") if one["title"] == "P95 latency")["series"][0]
    assert latency["text"] == format_value(latency["values"][-1], "s") != NO_VALUE


def test_stacked_areas_stand_on_each_other(drawn: Drawn) -> None:
    low, high = next(one for one in drawn("hailo-sidecar-monitoring") if one["title"] == "Success and failure")[
        "series"
    ]
    sums = [one + other for one, other in zip(low["values"], high["values"], strict=True) if one is not None]
    top = [value for value in high["plotted"] if value is not None]
    assert low["plotted"] == low["values"]
    assert top == pytest.approx(sums)


def test_numbers_read_as_in_the_terminal(stack: Stack, open_window: OpenWindow) -> None:
    table = Path(__file__).parents[1] / "console" / "fixtures" / "units.json"
    cases = json.loads(table.read_text("utf-8"))
    page = open_window(stack).open("/targets")
    written = page.evaluate(
        """async (cases) => {
          const base = document.querySelector('link[href$="/units.js"]').href;
          const { format } = await import(base);
          return cases.map((one) => format(one.value, one.unit, one.decimals ?? null));
        }""",
        cases,
    )
    wrong = [
        (case, text) for case, text in zip(cases, written, strict=True) if text.replace("\u202f", " ") != case["text"]
    ]
    assert wrong == []


def test_memory_is_marked_at_round_mebibytes(stack: Stack, open_window: OpenWindow) -> None:
    number_ = next(id_ for id_, one in panels_of("hailo-sidecar-monitoring").items() if one["title"] == "Memory")
    window = open_window(stack)
    page = window.open_drawn(f"/d/hailo-sidecar-monitoring?from=now-15m&to=now&refresh=&viewPanel={number_}")
    labels = page.evaluate("[...window.edgeinfer.page().frames.values()][0].drawing.plot.axes[1]._values")
    marks = [int(re.fullmatch(r"(\d+)\s*MiB", label)[1]) for label in labels]  # type: ignore[index]  # fails as it should
    assert len(marks) > 2
    assert all(mark % 32 == 0 for mark in marks)


def test_panels_stand_where_grafana_would_put_them(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack, WHOLE)
    window.open_drawn("/d/hailo-sidecar-monitoring?refresh=")
    boxes = window.page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('.panel')].map((one) => {
          const box = one.getBoundingClientRect();
          return [one.id.slice(6), [box.left, box.top, box.width, box.height].map(Math.round)];
        }))"""
    )
    width = (
        (1440 - 15 - 32 + 8) / 24
        if window.page.evaluate("innerWidth > document.body.clientWidth")
        else (1440 - 32 + 8) / 24
    )
    first = panels_of("hailo-sidecar-monitoring")[2]["gridPos"]
    top = boxes["2"][1] - first["y"] * 38
    opened = [one for one in DASHBOARDS["hailo-sidecar-monitoring"]["panels"] if one["type"] != "row"]
    assert set(boxes) == {str(document["id"]) for document in opened}
    for document in opened:
        place = document["gridPos"]
        wanted = [16 + place["x"] * width, top + place["y"] * 38, place["w"] * width - 8, place["h"] * 38 - 8]
        assert boxes[str(document["id"])] == pytest.approx(wanted, abs=1.5), document["title"]
