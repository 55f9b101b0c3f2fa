"""A page that stays open for a day: no growing memory, no requests that pile up."""

from typing import Any

from playwright.sync_api import Page

from tests.browser.bench import Stack
from tests.browser.conftest import OpenWindow

# A day of the page's clock, in steps that a test has time for.
_PERIOD_MINUTES = 15
_WARM_UP, _MEASURED = 16, 80


def refresh(page: Page, times: int) -> None:
    """Let the page's clock run from one refresh to the next."""
    for _ in range(times):
        before = page.evaluate("window.edgeinfer.page().refreshes")
        page.clock.run_for(_PERIOD_MINUTES * 60_000)
        page.wait_for_function(f"() => window.edgeinfer.page().refreshes > {before}")


def memory(page: Page) -> dict[str, float]:
    """What the page holds after the garbage was collected."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    found: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    session.detach()
    return {one["name"]: one["value"] for one in found}


def test_a_day_holds_no_more_memory_and_one_request_at_a_time(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack)
    page = window.page
    page.clock.install()
    window.open_drawn(f"/d/hailo-sidecar-monitoring?from=now-15m&to=now&refresh={_PERIOD_MINUTES}m")
    refresh(page, _WARM_UP)
    before = memory(page)
    asked = page.evaluate("window.edgeinfer.traffic.requests")
    refresh(page, _MEASURED)
    after = memory(page)
    grown = after["JSHeapUsedSize"] - before["JSHeapUsedSize"]
    assert (_WARM_UP + _MEASURED) * _PERIOD_MINUTES == 24 * 60
    assert grown < 500_000, f"{grown / 1e6:.2f} MB more after {_MEASURED} refreshes"
    assert after["Nodes"] < before["Nodes"] * 1.1 + 50
    assert after["JSEventListeners"] < before["JSEventListeners"] * 1.1 + 50
    assert page.evaluate("window.edgeinfer.traffic.requests") - asked <= _MEASURED + 3
    assert page.evaluate("window.edgeinfer.traffic.underWay") <= 1


def test_going_from_page_to_page_leaves_nothing_behind(stack: Stack, open_window: OpenWindow) -> None:
    window = open_window(stack)
    page = window.open_drawn("/d/hailo-sidecar-monitoring?refresh=")

    def around() -> None:
        for uid in ("edgeinfer-hardware", "hailo-sidecar-monitoring"):
            page.get_by_label("Go to dashboard").select_option(uid)
            page.wait_for_function(f"() => window.edgeinfer.page().uid === '{uid}' && window.edgeinfer.isSettled()")

    for _ in range(3):
        around()
    before = memory(page)
    for _ in range(8):
        around()
    after = memory(page)
    assert after["JSHeapUsedSize"] < before["JSHeapUsedSize"] * 1.2 + 1_000_000
    assert after["Nodes"] < before["Nodes"] * 1.2 + 200
    assert after["JSEventListeners"] < before["JSEventListeners"] * 1.2 + 100
