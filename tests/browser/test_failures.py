"""What a person sees when something is wrong: never a zero that was not measured."""

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from edgeinfer.monitoring.files import all_panels, dashboard_files
from edgeinfer.stack.binaries import Binary, Program
from tests.browser.bench import WHOLE, Stack, ask_prometheus
from tests.browser.conftest import OpenWindow
from tests.console.small_dashboards import dashboard, panel, target

PROBLEMS = dashboard(
    panel(1, target("sum(", legendFormat="broken")),
    panel(2, target("vector(7)", legendFormat="seven"), kind="stat"),
    panel(3, target("absent_metric_of_ours"), kind="stat", fieldConfig={"defaults": {"noValue": "no sidecar"}}),
    panel(4, target("vector(1)"), kind="heatmap"),
    panel(
        5,
        target("vector(3)", legendFormat="three"),
        fieldConfig={"defaults": {"unit": "furlongs", "custom": {"wobble": 3}, "color": {"mode": "continuous-GrYlRd"}}},
        transformations=[{"id": "calculateField", "options": {}}],
    ),
    panel(6, target("vector(0)", legendFormat="zero"), kind="stat"),
    panel(7, target("vector(1)", legendFormat="fine"), target("nonsense(", "B")),
    panel(
        8,
        kind="text",
        options={"mode": "markdown", "content": "<img src=x onerror=alert(1)> **bold** [bad](javascript:alert(1))"},
    ),
    panel(9, target("count by (job) (up)", format="table", instant=True, range=False), kind="table"),
    panel(10, {"refId": "A", "expr": '{app="x"}'}, datasource={"type": "loki", "uid": "l"}),
    panel(11, target("vector(2)", legendFormat="two"), timeShift="1d"),
    panel(12, target("vector(1)", legendFormat="one"), {"refId": "B", "type": "math", "expression": "$A * 2"}),
    panel(
        14,
        target("vector(0)", legendFormat="zero"),
        fieldConfig={"defaults": {"custom": {"scaleDistribution": {"type": "log", "log": 2}}}},
    ),
    panel(
        15,
        target("vector(1)", legendFormat="one"),
        fieldConfig={"defaults": {"custom": {"scaleDistribution": {"type": "symlog"}}}},
    ),
    panel(
        16,
        target("vector(1) and on () vector(time() % 60) < 30", legendFormat="failure"),
        target("vector(2)", "B", legendFormat="success"),
        fieldConfig={"defaults": {"custom": {"fillOpacity": 60, "stacking": {"mode": "normal", "group": "A"}}}},
    ),
    {"title": "Panel 13", "libraryPanel": {"uid": "l"}, "gridPos": {"x": 0, "y": 80, "w": 12, "h": 8}},
    uid="problem-dashboard",
    title="Problems",
    refresh="",
)


# More panels than the server answers at a time, none of which is open at first.
MANY = dashboard(
    {
        "id": 1,
        "type": "row",
        "title": "All of them",
        "collapsed": True,
        "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1},
        "panels": [
            panel(
                2 + at, target("vector(1)"), kind="stat", gridPos={"x": at % 12 * 2, "y": 1 + at // 12, "w": 2, "h": 2}
            )
            for at in range(120)
        ],
    },
    uid="many-dashboard",
    title="Many",
    refresh="",
)


# Grafana gives a panel without a place 6 columns and 3 lines at the top left, and moves down what overlaps.
PLACELESS = dashboard(
    *(panel(at, target("vector(1)"), kind="stat", gridPos=place) for at, place in enumerate((None, {}, {"x": 6}), 1)),
    panel(4, target("vector(1)"), kind="stat", gridPos={"x": 0, "y": 40, "w": 12, "h": 4}),
    uid="placeless-dashboard",
    title="Placeless",
    refresh="",
)


@pytest.fixture
def dashboards(tmp_path: Path) -> Path:
    folder = tmp_path / "dashboards"
    folder.mkdir()
    (folder / "problems.json").write_text(json.dumps(PROBLEMS), "utf-8")
    (folder / "many.json").write_text(json.dumps(MANY), "utf-8")
    (folder / "placeless.json").write_text(json.dumps(PLACELESS), "utf-8")
    (folder / "malformed.json").write_text('{"uid": "x", "panels": [', "utf-8")
    return folder


@pytest.fixture
def small(tmp_path: Path, dashboards: Path, binaries: Mapping[Program, Binary]) -> Iterator[Stack]:
    """A Prometheus without history, whose death harms no other test."""
    planned = Stack.plan(tmp_path, binaries, dashboards)
    try:
        yield planned.start()
    finally:
        planned.stop()


def states(panels: list[dict[str, Any]]) -> dict[int, str]:
    return {one["id"]: one["state"] for one in panels}


def test_each_kind_of_failure_is_said_in_its_panel(small: Stack, open_window: OpenWindow) -> None:
    window = open_window(small, WHOLE)
    page = window.open_drawn("/d/problem-dashboard")
    found = {one["id"]: one for one in window.panels()}
    drawn = {number for number, state in states(window.panels()).items() if state == "drawn"}
    assert {2, 5, 6, 7, 8} <= drawn
    assert (found[1]["state"], found[3]["state"], found[4]["state"]) == ("error", "empty", "unknown")
    assert "parse error" in found[1]["message"]
    assert "no sidecar" in found[3]["message"]
    assert "heatmap" in found[4]["message"]
    notices = ["unit furlongs", "option custom.wobble", "color mode continuous-GrYlRd", "transformation calculateField"]
    assert sorted(found[5]["notices"]) == sorted(notices)
    assert (found[10]["state"], found[17]["state"]) == ("unknown", "unknown")
    assert "loki" in found[10]["message"]
    assert "library panel" in found[17]["message"]
    assert found[11]["notices"] == ["the shift in time by 1d: what is drawn is of now"]
    assert (found[14]["state"], found[15]["notices"]) == ("drawn", ["scale symlog"])
    assert found[12]["notices"] == ["queries B, which are expressions or not of Prometheus"]
    assert found[6]["series"][0]["text"] == "0"
    expect(page.locator("#panel-7 .badge.bad")).to_be_visible()
    assert page.locator("#panel-8 img").count() == 0
    assert page.locator("#panel-8 a").count() == 0
    expect(page.locator("#panel-8 strong")).to_have_text("bold")


def test_a_stacked_area_stands_on_what_lies_below_it_without_gaps(small: Stack, open_window: OpenWindow) -> None:
    """Failures are absent while nothing fails: the area of what went well must not end there."""
    page = open_window(small, WHOLE).open_drawn("/d/problem-dashboard")
    found = page.evaluate(
        """() => {
          const { drawing } = window.edgeinfer.page().frames.get(16);
          const [band] = drawing.plot.bands;
          const edge = Array.from(drawing.plot.data[band.series[1]]);
          return { upper: band.series[0], failures: drawing.raw[0], edge };
        }"""
    )
    assert found["upper"] == 2
    assert {None, 1} == set(found["failures"])
    assert found["edge"] == [value or 0 for value in found["failures"]]


def test_a_dashboard_of_collapsed_rows_and_more_panels_than_one_request_takes(
    small: Stack, open_window: OpenWindow
) -> None:
    window = open_window(small, WHOLE)
    page = window.open_whole("/d/many-dashboard")
    expect(page.get_by_role("button", name="All of them")).to_be_visible()
    assert set(states(window.panels()).values()) == {"drawn"}
    assert len(window.panels()) == 120


def test_panels_without_a_place_stand_where_grafana_puts_them(small: Stack, open_window: OpenWindow) -> None:
    window = open_window(small, WHOLE)
    page = window.open_drawn("/d/placeless-dashboard")
    places = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('.panel')].map((one) => {
          const { left, top, width, height } = one.getBoundingClientRect();
          return [one.id.slice(6), [left, top, width, height]];
        }))"""
    )
    assert set(states(window.panels()).values()) == {"drawn"}
    left, top, width, height = places["1"]
    line = (height + 8) / 3
    assert places["2"] == pytest.approx([left, top + 3 * line, width, height])
    assert places["3"] == pytest.approx([left + width + 8, top, width, height], abs=1)
    # Below the others, without the gap that its file has.
    assert places["4"] == pytest.approx([left, top + 6 * line, 2 * width + 8, 4 * line - 8], abs=1)


def test_a_malformed_file_is_listed_and_the_others_work(small: Stack, open_window: OpenWindow) -> None:
    page = open_window(small).open("/?list")
    expect(page.get_by_text("malformed.json")).to_be_visible()
    page.get_by_role("link", name=re.compile("Problems")).click()
    expect(page.get_by_role("heading", name="Problems", exact=True)).to_be_visible()


def test_an_unknown_dashboard_is_said(small: Stack, open_window: OpenWindow) -> None:
    page = open_window(small).open("/d/nobody-home")
    expect(page.get_by_text("This dashboard cannot be shown")).to_be_visible()


def test_a_new_prometheus_counts_down_to_its_first_data(small: Stack, tmp_path: Path, open_window: OpenWindow) -> None:
    page = open_window(small).open_drawn("/d/problem-dashboard?refresh=5s")
    configuration = tmp_path / "prometheus.yml"
    text = configuration.read_text("utf-8")
    small.prometheus.stop()
    shutil.rmtree(tmp_path / "data")
    configuration.write_text(text.partition("scrape_configs:")[0], "utf-8")
    small.prometheus.start()
    page.keyboard.press("r")
    expect(page.locator("#banner")).to_contain_text(re.compile(r"first data in \d+ s"))
    configuration.write_text(text, "utf-8")
    os.kill(small.prometheus.pid, signal.SIGHUP)
    expect(page.locator("#banner .banner")).to_have_count(0, timeout=45_000)


def test_prometheus_killed_is_said_and_its_return_is_seen(small: Stack, open_window: OpenWindow) -> None:
    window = open_window(small, WHOLE)
    page = window.open_drawn("/d/problem-dashboard?refresh=5s")
    assert states(window.panels())[2] == "drawn"
    small.prometheus.stop(signal.SIGKILL)
    expect(page.locator("#banner")).to_contain_text("Prometheus does not answer")
    page.wait_for_function("() => window.edgeinfer.panels().find((one) => one.id === 2).state === 'error'")
    assert states(window.panels())[6] == "error", "a zero may not stay on the screen"
    small.prometheus.start()
    page.wait_for_function("() => window.edgeinfer.panels().find((one) => one.id === 2).state === 'drawn'")


def test_a_console_that_is_away_keeps_the_picture_and_marks_it_old(small: Stack, open_window: OpenWindow) -> None:
    window = open_window(small, WHOLE)
    page = window.open_drawn("/d/problem-dashboard?refresh=5s")
    small.console.stop()
    page.keyboard.press("r")
    expect(page.locator("#banner")).to_contain_text("The console does not answer")
    expect(page.locator("#panel-2.stale")).to_have_count(1)
    small.console.start()
    expect(page.locator("#panel-2.stale")).to_have_count(0)
    expect(page.locator("#banner")).not_to_contain_text("The console does not answer")


def test_a_page_that_cannot_be_loaded_says_so(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack).open_drawn("/d/hailo-sidecar-monitoring?from=now-15m&to=now&refresh=")
    page.route("**/pages/alerts.js", lambda route: route.abort())
    page.keyboard.press("a")
    expect(page.get_by_role("alert")).to_contain_text("A part of the page could not be loaded.")
    page.keyboard.press("g")
    expect(page.get_by_role("heading", name="Targets")).to_be_visible()


def test_results_of_a_stub_are_marked_above_every_page(
    tmp_path: Path,
    binaries: Mapping[Program, Binary],
    dashboards: Path,
    simulated: Callable[[str], Path],
    open_window: OpenWindow,
) -> None:
    planned = Stack.plan(tmp_path, binaries, dashboards, simulated("stub"))
    try:
        planned.start()
        window = open_window(planned)
        for path in ("/d/problem-dashboard", "/alerts", "/targets"):
            expect(window.open(path).locator("#banner")).to_contain_text("Synthetic results")
    finally:
        planned.stop()


def test_an_alert_is_silenced_and_heard_again(small: Stack, open_window: OpenWindow) -> None:
    window = open_window(small)
    page = window.open("/alerts")
    expect(page.get_by_role("heading", name="Hailo latency budget burn fast")).to_be_visible()
    expect(page.get_by_text("alerting works", exact=True)).to_be_visible()
    page.get_by_role("button", name="Silence").first.click()
    page.get_by_label("Why").fill("replacing the fan")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("dialog").get_by_role("button", name="Silence").click()
    expect(page.get_by_role("heading", name="Silences")).to_be_visible()
    expect(page.get_by_text("replacing the fan").first).to_be_visible()
    page.get_by_role("button", name="End").click()
    expect(page.get_by_role("heading", name="Silences")).to_have_count(0)
    until = time.monotonic() + 20
    while "Sent to the console" not in page.inner_text("main") and time.monotonic() < until:
        page.wait_for_timeout(200)
    assert "Hailo latency budget burn fast" in page.inner_text(".received")


def test_the_targets_page_shows_the_last_error(small: Stack, open_window: OpenWindow) -> None:
    page = open_window(small).open("/targets")
    expect(page.locator("tr", has_text="gone")).to_contain_text("connection refused")
    expect(page.locator("tr", has_text="prometheus")).to_contain_text("Up")


def test_badge_tile_list_and_page_count_the_same_alerts_and_a_ticket_by_itself(
    small: Stack, open_window: OpenWindow
) -> None:
    page = open_window(small).open("/alerts")
    expect(page.locator(".tally").filter(has_text="firing")).to_have_text("1firing")
    expect(page.locator(".tally").filter(has_text="to plan")).to_have_text("1to plan")
    expect(page.locator(".count")).to_have_text("1")
    page.goto(small.console.url + "/?list")
    expect(page.locator(".count")).to_have_text("1")
    tiles, lists = _queries("Alerts firing", "stat"), _queries("Alerts now", "table")
    assert min(len(tiles), len(lists)) >= 2
    for expression in tiles:
        (tile,) = ask_prometheus(small, "query", query=expression)
        assert tile["value"][1] == "1"
    for expression in lists:
        rows = [one["metric"] for one in ask_prometheus(small, "query", query=expression)]
        firing = [row["severity"] for row in rows if row["alertstate"] == "firing"]
        assert sorted(firing) == ["critical", "ticket"]


def _queries(title: str, kind: str) -> list[str]:
    """The first query of each shipped panel of this title."""
    return [
        panel["targets"][0]["expr"]
        for path in dashboard_files()
        for panel in all_panels(json.loads(path.read_text("utf-8")))
        if panel["title"] == title and panel["type"] == kind
    ]
