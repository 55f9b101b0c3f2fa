"""A person at work: zoom, time, variables, legends, rows, full screen, links, keys."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from edgeinfer.monitoring import files
from tests.browser.bench import PHONE, WHOLE, Stack, wait_for
from tests.browser.conftest import OpenWindow

MAIN = "/d/hailo-sidecar-monitoring"
QUIET = f"{MAIN}?from=now-15m&to=now&refresh="

DASHBOARD = json.loads((files.dashboards_folder() / "grafana_hailo_sidecar_dashboard.json").read_text("utf-8"))


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def chart(page: Page, title: str) -> Any:
    return page.locator(".panel").filter(has=page.get_by_role("heading", name=title, exact=True)).locator(".u-over")


def spans(panels: list[dict[str, Any]]) -> set[int]:
    """Seconds from the first to the last point of each graph."""
    graphs = [one["series"][0]["times"] for one in panels if one["type"] == "timeseries" and one["series"]]
    return {round(times[-1] - times[0]) for times in graphs}


def test_dragging_over_a_graph_zooms_every_panel_and_the_back_button_undoes_it(
    stack: Stack, open_window: OpenWindow
) -> None:
    window = open_window(stack, WHOLE)
    page = window.open_drawn(QUIET)
    before = spans(window.panels())
    box = chart(page, "Latency percentiles").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile(r"from=\d+"))
    wait_for(lambda: spans(window.panels()) != before, "the panels did not follow")
    found = query_of(page)
    seconds = (int(found["to"][0]) - int(found["from"][0])) / 1000
    assert seconds == pytest.approx(225, abs=12)
    zoomed = spans(window.panels())
    assert len(zoomed) == 1
    assert zoomed != before
    page.go_back()
    assert query_of(page)["from"] == ["now-15m"]
    wait_for(lambda: spans(window.panels()) == before, "the range before did not come back")


def test_the_crosshair_moves_in_step_on_every_graph(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack, WHOLE).open_whole(QUIET)
    box = chart(page, "Latency percentiles").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
    expect(page.locator(".tooltip:visible")).to_have_count(1)
    shares = page.evaluate(
        """() => [...window.edgeinfer.page().frames.values()].filter((one) => one.drawing?.plot).map(({ drawing }) =>
             drawing.plot.posToVal(drawing.plot.cursor.left, 'x'))"""
    )
    assert len(shares) > 20
    assert max(shares) - min(shares) < 5
    lanes = page.locator(".lane-cursor:visible")
    assert lanes.count() == 3
    page.mouse.move(2, 2)
    expect(page.locator(".tooltip:visible")).to_have_count(0)


def test_the_mark_of_an_alert_stands_at_its_line(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack, WHOLE).open_whole(f"{MAIN}?from=now-30m&to=now&refresh=")
    page.keyboard.press("r")
    page.wait_for_function("() => window.edgeinfer.page().refreshes > 1")
    distances = page.evaluate(
        """() => [...window.edgeinfer.page().frames.values()].flatMap(({ drawing }) => {
             const plot = drawing?.plot;
             if (!plot) return [];
             const events = drawing.context.annotations().filter((one) => one.end >= plot.scales.x.min);
             return [...plot.over.querySelectorAll('.mark')].map((mark, place) =>
               parseFloat(mark.style.left) - plot.valToPos(Math.max(plot.scales.x.min, events[place].start), 'x'));
           })"""
    )
    assert len(distances) > 20
    assert max(abs(distance) for distance in distances) < 1


def test_the_time_picker_sets_quick_and_exact_ranges(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack)
    page = window.open_drawn(MAIN)
    page.keyboard.press("t")
    page.get_by_role("button", name="Last 5 minutes").click()
    page.wait_for_url(re.compile("from=now-5m"))
    expect(page.get_by_role("button", name="Time range: Last 5 minutes")).to_be_visible()
    page.keyboard.press("t")
    page.get_by_label("From", exact=True).fill("2026-01-01T10:00:00")
    page.get_by_label("To", exact=True).fill("2026-01-01T09:00:00")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("The end must be later")).to_be_visible()
    page.get_by_label("To", exact=True).fill("2026-01-01T11:00:00")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile(r"from=\d+"))
    expect(page.locator("#panel-11 .panel-message")).to_contain_text("No data")


def test_five_years_are_drawn_with_as_many_points_as_a_screen_has(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack)
    window.open_drawn(f"{MAIN}?from=now-5y&to=now&refresh=")
    graphs = [one for one in window.panels() if one["type"] == "timeseries" and one["state"] != "loading"]
    assert graphs
    assert [one["message"] for one in window.panels() if one["state"] == "error"] == []
    assert all(len(one["series"][0]["times"]) < 2000 for one in graphs if one["series"])


def test_a_strange_address_falls_back_to_the_dashboards_own_range(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack)
    page = window.open_drawn(f"{MAIN}?from=yesterday&to=now&viewPanel=x&var-nobody=1")
    expect(page.get_by_role("button", name="Time range: Last 1 hour")).to_be_visible()


def test_a_variable_narrows_the_panels_and_stays_in_links(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack)
    page = window.open_drawn(QUIET)
    page.get_by_role("button", name="Job All").click()
    page.get_by_label("edge-infer").check()
    page.wait_for_url(re.compile("var-job=edge-infer"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Job edge-infer")).to_be_visible()
    link = page.get_by_role("navigation", name="Related dashboards").get_by_role("link", name="Hailo hardware")
    link.click()
    page.wait_for_url(re.compile("/d/edgeinfer-hardware"))
    assert query_of(page)["var-job"] == ["edge-infer"]
    assert query_of(page)["from"] == ["now-15m"]


def test_an_open_picker_announces_its_new_value_and_keeps_the_focus(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack).open_drawn(QUIET)
    page.get_by_role("button", name="Job All").click()
    page.get_by_label("edge-infer").check()
    picker = page.get_by_role("button", name="Job edge-infer")
    expect(picker).to_be_visible()
    expect(page.get_by_label("edge-infer")).to_be_checked()
    page.keyboard.press("Escape")
    expect(picker).to_be_focused()
    with page.expect_response(re.compile("/refresh$")):
        page.keyboard.press("r")
    expect(picker).to_be_focused()


def test_a_value_that_is_gone_is_said_and_not_used(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack).open_drawn(f"{MAIN}?var-instance=gone:1&refresh=")
    expect(page.get_by_text("no gone:1 in this time")).to_be_visible()


def test_a_drill_down_of_a_panel_keeps_the_time(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack).open_drawn(QUIET)
    page.locator("#panel-2").hover()
    page.get_by_role("button", name="Menu of P95 latency").click()
    page.get_by_role("link", name="What the objectives say").click()
    page.wait_for_url(re.compile("/d/edgeinfer-slo"))
    assert query_of(page)["from"] == ["now-15m"]


def test_a_click_in_the_legend_shows_one_series_alone(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack).open_drawn(QUIET)
    name = page.locator("#panel-11").get_by_role("button", name="success", exact=True)
    name.click()
    shown = """() => Object.fromEntries(
      window.edgeinfer.page().frames.get(11).drawing.plot.series.slice(1, 3)
        .map((one) => [one.label, one.show]))"""
    assert page.evaluate(shown) == {"success": True, "failure": False}
    page.locator("#panel-11").get_by_role("button", name="success", exact=True).click()
    assert page.evaluate(shown) == {"success": True, "failure": True}


def test_a_folded_row_takes_its_panels_away_and_asks_for_none(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack, WHOLE)
    page = window.open_drawn(QUIET)
    count = len(window.panels())
    page.get_by_role("button", name="What has changed?", exact=True).click()
    assert len(window.panels()) == count - 6
    expect(page.get_by_role("heading", name="Latency percentiles")).to_have_count(0)
    page.get_by_role("button", name="What has changed? 6 panels").click()
    page.wait_for_function("() => window.edgeinfer.isSettled()")
    assert len(window.panels()) == count


def test_a_collapsed_row_asks_for_nothing_until_it_is_opened_and_stays_so_in_the_address(
    stack: Stack, open_window: OpenWindow
) -> None:
    window = open_window(stack, WHOLE)
    asked: list[int] = []
    window.page.on(
        "request",
        lambda request: asked.extend(one["id"] for one in json.loads(request.post_data or "{}").get("panels", [])),
    )
    page = window.open_drawn(QUIET)
    titles = {one["id"]: one["title"] for one in files.all_panels(DASHBOARD)}
    assert "Request rate" not in {titles[number] for number in asked}
    page.get_by_role("button", name="Requests (open when").click()
    is_drawn = "() => window.edgeinfer?.panels().some((one) => one.title === 'Request rate' && one.state === 'drawn')"
    page.wait_for_function(is_drawn)
    assert "Request rate" in {titles[number] for number in asked}
    page.reload()
    page.wait_for_function(is_drawn)


def test_only_panels_on_the_screen_are_asked_for(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack)
    page = window.open_drawn(QUIET)
    page.keyboard.press("e")
    window.wait_drawn()
    states = {one["title"]: one["state"] for one in window.panels()}
    assert states["Success and failure"] == "drawn"
    assert states["Hottest chip"] == "loading"
    page.get_by_role("heading", name="Hottest chip").scroll_into_view_if_needed()
    page.wait_for_function(
        "() => window.edgeinfer.panels().some((one) => one.title === 'Hottest chip' && one.state === 'drawn')"
    )


def test_everything_can_be_done_with_keys(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack)
    page = window.open_drawn(QUIET)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator("#panel-11").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tooltip:visible")).to_have_count(1)
    expect(page.locator("p[aria-live]")).to_contain_text("req/s")
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    page.wait_for_url(re.compile("viewPanel=11"))
    assert [one["id"] for one in window.panels()] == [11]
    page.keyboard.press("Escape")
    page.wait_for_function("() => window.edgeinfer.panels().length > 10")
    page.keyboard.press("z")
    page.wait_for_url(re.compile(r"from=\d+"))
    page.keyboard.press("a")
    page.wait_for_url(re.compile("/alerts"))
    page.keyboard.press("g")
    page.wait_for_url(re.compile("/targets"))
    page.keyboard.press("d")
    expect(page.get_by_role("heading", name="Dashboards")).to_be_visible()


def test_tab_reaches_the_menu_of_a_panel(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack).open_drawn(QUIET)
    page.locator("#panel-11").focus()
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Queries and values")).to_be_visible()
    page.get_by_role("button", name="Queries and values").press("Enter")
    expect(page.get_by_role("dialog", name="Success and failure")).to_contain_text("hailo_inference_requests_total")


def test_a_hidden_page_asks_nothing(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack)
    page = window.page
    page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => window.isAway ?? false });")
    page.clock.install()
    window.open_drawn(f"{MAIN}?refresh=5s")
    page.evaluate("window.isAway = true")
    page.clock.run_for(6000)
    page.wait_for_function("() => window.edgeinfer.traffic.underWay === 0")
    asked = page.evaluate("window.edgeinfer.traffic.requests")
    page.clock.run_for(60_000)
    assert page.evaluate("window.edgeinfer.traffic.requests") == asked
    page.evaluate("window.isAway = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.clock.run_for(10)
    page.wait_for_function(f"() => window.edgeinfer.traffic.requests > {asked}")


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_no_number_and_no_title_of_a_tile_is_cut_off(stack: Stack, open_window: OpenWindow, width: int) -> None:
    """What is left of "790" in too narrow a tile reads as another number."""
    window = open_window(stack, {"width": width, "height": 900})
    for uid in ("hailo-sidecar-monitoring", "edgeinfer-gateway", "edgeinfer-slo", "edgeinfer-hardware"):
        page = window.open_drawn(f"/d/{uid}?refresh=")
        # Zeros are the widest digits.
        cut = page.evaluate(
            """() => {
              for (const number of document.querySelectorAll('.stat-value')) number.firstChild.textContent =
                number.firstChild.textContent.replace(/\\d/g, '0');
              const numbers = [...document.querySelectorAll('.stat-value')];
              return numbers.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent);
            }"""
        )
        assert (uid, cut) == (uid, [])
        assert page.locator(".stat-value").count() > 3
        titles = page.evaluate(
            """() => [...document.querySelectorAll('[data-width=small] h3')].filter((one) => one.clientWidth > 0)
              .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 2)
              .map((one) => one.textContent)"""
        )
        assert (uid, titles) == (uid, [])


def test_a_phone_held_upright_shows_one_column_without_sideways_scrolling(
    stack: Stack, open_window: OpenWindow
) -> None:
    window = open_window(stack, PHONE)
    for path in (QUIET, "/alerts", "/targets", "/?list"):
        page = window.open(path)
        page.wait_for_selector("h1")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_scheme_of_the_system_is_followed_without_a_reload(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack, scheme="light")
    page = window.open_drawn(QUIET)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => window.edgeinfer.isSettled()")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert {one["state"] for one in window.panels() if one["id"] in (2, 11, 12)} == {"drawn"}
