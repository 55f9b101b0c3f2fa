"""No violation that axe-core can find, on any page, in both schemes."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.bench import PHONE, WHOLE, Stack
from tests.browser.conftest import OpenWindow

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
DASHBOARDS = [
    "hailo-sidecar-monitoring",
    "edgeinfer-gateway",
    "edgeinfer-hardware",
    "edgeinfer-history",
    "edgeinfer-slo",
]


def violations(page: Page) -> list[tuple[str, str, list[Any]]]:
    """What axe-core finds, with the first places of each."""
    if not AXE.exists():
        pytest.fail(f"{AXE} is missing; run 'make setup-browser'.")
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        (one["id"], one["help"], [(node["target"], node.get("failureSummary", "")[:300]) for node in one["nodes"][:3]])
        for one in found["violations"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("uid", DASHBOARDS)
def test_a_dashboard_has_no_violation(stack: Stack, open_window: OpenWindow, uid: str, scheme: str) -> None:
    page = open_window(stack, WHOLE, scheme).open_whole(f"/d/{uid}?from=now-15m&to=now&refresh=")
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("path", "text"), [("/alerts", "Firing"), ("/targets", "Last scrape"), ("/?list", "panels")])
def test_a_page_has_no_violation(stack: Stack, open_window: OpenWindow, path: str, text: str, scheme: str) -> None:
    page = open_window(stack, scheme=scheme).open(path)
    page.get_by_text(text).first.wait_for()
    assert violations(page) == []


def test_what_opens_has_no_violation(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack).open_drawn("/d/hailo-sidecar-monitoring?from=now-15m&to=now&refresh=")
    for keys in (["?"], ["t"]):
        for key in keys:
            page.keyboard.press(key)
        assert violations(page) == []
        page.keyboard.press("Escape")
    page.locator("#panel-11").focus()
    page.keyboard.press("i")
    assert violations(page) == []


def test_a_phone_has_no_violation(stack: Stack, open_window: OpenWindow) -> None:
    page = open_window(stack, PHONE).open_drawn("/d/hailo-sidecar-monitoring?from=now-15m&to=now&refresh=")
    assert violations(page) == []
