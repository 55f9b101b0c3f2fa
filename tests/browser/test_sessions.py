"""Sessions in the console: a real gateway and sidecar, phones with and without a fault, and what a person sees."""

import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from edgeinfer.recordings.reader import load_recording
from edgeinfer.stack.ports import PortPool
from tests.browser.bench import DESKTOP, PHONE, Running, Stack
from tests.browser.conftest import OpenWindow
from tests.browser.test_accessibility import violations

API = "/api/v1/analysis"
CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
WALK = load_recording("walking-upper-leg").samples.tolist()


@dataclass
class Service:
    """A gateway where the console looks for one, its sidecar, and sessions of phones."""

    gateway: Running
    sidecar: Running
    faulty: str = ""

    def ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(  # noqa: S310 - an address of this file
            self.gateway.url + API + path, data, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return json.load(answer)

    def begin(self) -> str:
        return str(self.ask("POST", "/start", {})["sessionId"])

    def send(self, session_id: str, first: int, count: int, role: str = "default", activity: str = "") -> None:
        """Samples of the recording at 100 Hz, and the question what they show."""
        rows = [
            {"t": index / 100, **dict(zip(CHANNELS, WALK[index % len(WALK)], strict=True))}
            for index in range(first, first + count)
        ]
        more = {"activity": activity} if activity else {}
        self.ask("PUT", "/stream", {"sessionId": session_id, "role": role, "samples": rows, **more})
        self.ask("GET", f"/motifs?sessionId={session_id}&role={role}")


@pytest.fixture(scope="module")
def service(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Both processes, started."""
    folder = tmp_path_factory.mktemp("sessions")
    port = PortPool().take(1)[0]

    def one(name: str, port: int, *more: str) -> Running:
        argv = (sys.executable, "-m", "edgeinfer", name, "--port", str(port), *more)
        return Running(argv, port, "/healthz", log=folder / f"{name}.log")

    with ExitStack() as ends:
        found = Service(
            one("gateway", stack.gateway_port, "--backend-url", f"http://127.0.0.1:{port}/infer"), one("sidecar", port)
        )
        for process in (found.sidecar, found.gateway):
            ends.callback(process.stop)
            process.start()
        yield found


@pytest.fixture
def faulty(service: Service) -> str:
    """A collar with holes, whose newest windows the fallback answered; the same for as long as the gateway runs."""
    service.faulty = service.faulty or a_faulty_session(service)
    return service.faulty


def a_faulty_session(service: Service) -> str:
    session_id = service.begin()
    for first in (0, 100, 260, 360, 520):
        service.send(session_id, first, 100, "collar", "walking")
    service.sidecar.stop()
    service.send(session_id, 620, 100, "collar", "walking")
    service.sidecar.start()
    return session_id


def opened(page: Page, short_id: str) -> None:
    page.get_by_role("heading", name=f"Session {short_id}").wait_for()
    page.locator(".timeline > svg").first.wait_for()


def test_the_key_s_lists_the_sessions_and_a_click_opens_one(stack: Stack, open_window: OpenWindow, faulty: str) -> None:
    page = open_window(stack).open("/alerts")
    page.get_by_role("heading", name="Alerts").wait_for()
    page.keyboard.press("s")
    link = page.get_by_role("link", name=faulty[:8])
    link.wait_for()
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link", name="Sessions")).to_have_attribute(
        "aria-current", "page"
    )
    link.focus()
    page.keyboard.press("Enter")
    opened(page, faulty[:8])
    page.go_back()
    page.get_by_role("heading", name="Sessions").wait_for()


def test_a_session_is_found_by_its_id(stack: Stack, open_window: OpenWindow, faulty: str) -> None:
    page = open_window(stack).open("/sessions")
    page.get_by_label("Id of a session").fill(faulty)
    page.keyboard.press("Enter")
    opened(page, faulty[:8])


def test_a_session_says_what_is_wrong_and_what_to_do(stack: Stack, open_window: OpenWindow, faulty: str) -> None:
    page = open_window(stack).open(f"/sessions/{faulty[:8]}")
    opened(page, faulty[:8])
    problem = page.locator("article.alert")
    expect(problem).to_contain_text("dropped samples")
    expect(problem).to_contain_text("Bring the phone nearer to the collar")
    picture = page.get_by_role("img", name=re.compile("Motifs of collar from .*; 2 holes"))
    expect(picture.locator(".mark-sidecar")).to_have_count(5)
    expect(picture.locator(".mark-fallback")).to_have_count(1)
    expect(picture.locator(".mark-done")).to_have_count(6)
    expect(picture.locator(".hole-gap")).to_have_count(2)
    expect(page.locator(".tally", has_text="by the fallback")).to_contain_text("1")
    page.get_by_text("The newest 2 holes").click()
    expect(page.get_by_role("region", name="Holes of collar").get_by_role("row")).to_have_count(3)
    expect(page.get_by_role("region", name="Holes of collar")).to_contain_text("0.61 s")


def test_the_age_of_the_newest_sample_grows_where_none_comes(
    stack: Stack, open_window: OpenWindow, service: Service
) -> None:
    session_id = service.begin()
    service.send(session_id, 0, 200)
    page = open_window(stack).open(f"/sessions/{session_id[:8]}")
    opened(page, session_id[:8])
    expect(page.locator(".tally", has_text="newest sample")).to_have_class(re.compile("critical"))
    expect(page.locator(".tally", has_text="newest sample")).to_contain_text("s ago")
    expect(page.locator(".verdict", has_text="Nothing was wrong with its last samples.")).to_be_visible()
    expect(page.locator(".verdict.well")).to_have_count(0)


def test_two_streams_show_their_synchrony(stack: Stack, open_window: OpenWindow, service: Service) -> None:
    session_id = service.begin()
    for role in ("dog", "handler"):
        service.send(session_id, 0, 600, role)
    page = open_window(stack).open(f"/sessions/{session_id[:8]}")
    opened(page, session_id[:8])
    expect(page.locator(".tally", has_text="synchrony")).to_contain_text("1.00")
    expect(page.locator(".timeline")).to_have_count(2)


def test_a_session_that_ends_while_it_is_looked_at_keeps_what_was_known(
    stack: Stack, open_window: OpenWindow, service: Service
) -> None:
    session_id = service.begin()
    service.send(session_id, 0, 200)
    page = open_window(stack).open(f"/sessions/{session_id[:8]}")
    opened(page, session_id[:8])
    service.ask("POST", "/stop", {"sessionId": session_id})
    expect(page.locator(".verdict", has_text="It was stopped at")).to_be_visible()
    expect(page.locator(".timeline > svg")).to_be_visible()
    expect(page.locator(".tally", has_text="newest sample")).to_have_count(0)
    page.goto(f"{stack.console.url}/sessions")
    page.get_by_role("region", name="Sessions that ended lately").get_by_role("link", name=session_id[:8]).wait_for()


def test_an_id_of_none_is_said(stack: Stack, open_window: OpenWindow, service: Service) -> None:
    page = open_window(stack).open("/sessions/00000000")
    expect(page.get_by_role("alert")).to_contain_text("the gateway has none of this id")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, {"width": 1024, "height": 768}, PHONE], ids=lambda size: str(size["width"]))
def test_the_pages_fit_and_have_no_violation(
    stack: Stack, open_window: OpenWindow, faulty: str, size: dict[str, int], scheme: str
) -> None:
    page = open_window(stack, size, scheme).open("/sessions")
    page.get_by_role("link", name=faulty[:8]).wait_for()
    for _ in range(2):
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        page.goto(f"{stack.console.url}/sessions/{faulty[:8]}")
        opened(page, faulty[:8])
    picture, box = page.locator(".timeline > svg").bounding_box(), page.locator(".timeline").bounding_box()
    assert picture
    assert box
    assert box["width"] - 40 < picture["width"] <= box["width"]


def test_an_alert_that_names_a_session_links_to_it(stack: Stack, open_window: OpenWindow, faulty: str) -> None:
    def name_it(route: Route) -> None:
        answer = route.fetch()
        document = answer.json()
        for rule in document["rules"]:
            for alert in rule["alerts"]:
                alert["labels"]["session"] = faulty[:8]
        route.fulfill(response=answer, json=document)

    window = open_window(stack)
    window.page.route("**/api/alerts", name_it)
    page = window.open("/alerts")
    page.get_by_role("link", name="Open its session").first.click()
    opened(page, faulty[:8])


def test_without_a_gateway_nothing_old_stands_as_now(stack: Stack, open_window: OpenWindow, service: Service) -> None:
    session_id = service.begin()
    service.send(session_id, 0, 200)
    page = open_window(stack).open(f"/sessions/{session_id[:8]}")
    opened(page, session_id[:8])
    service.gateway.stop()
    service.faulty = ""  # the windows of a session end with the process that answered them
    try:
        expect(page.get_by_role("alert")).to_contain_text("gateway: it cannot be reached at")
        expect(page.get_by_role("alert")).to_contain_text("What follows is as of")
        expect(page.locator(".outdated .timeline")).to_be_visible()
        page.goto(f"{stack.console.url}/sessions")
        expect(page.get_by_role("alert")).to_contain_text("gateway: it cannot be reached at")
        expect(page.locator("main table")).to_have_count(0)
    finally:
        service.gateway.start()
    expect(page.get_by_role("alert")).to_have_count(0)
