"""Real processes behind a real browser: Prometheus with a simulated hour, Alertmanager, the console."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from playwright.sync_api import Browser, ConsoleMessage, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from edgeinfer.stack.binaries import Binary, Program
from edgeinfer.stack.ports import PortPool

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1440, "height": 900}
# Tall enough that every panel of a dashboard is on the screen at once.
WHOLE = {"width": 1440, "height": 7000}
PHONE = {"width": 390, "height": 844}
_START_SECONDS = 60.0
# Where ten processes wait for each core, a page takes half a minute to load.
_NAVIGATION_MILLISECONDS = 90_000


def get(url: str) -> Any:
    """JSON from a process of ours."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - an address of this file
        return json.load(answer)


@dataclass
class Running:
    """One process, ended with the block."""

    argv: Sequence[str]
    port: int
    ready_path: str
    folder: Path | None = None
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self.process is None:
            raise AssertionError(f"{self.argv[0]} is not running")
        return self.process.pid

    def start(self) -> Self:
        """Start it and wait until it answers."""
        log = (self.log or Path(os.devnull)).open("ab")
        with log:
            self.process = subprocess.Popen(self.argv, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
        wait_for(self._is_ready, f"{self.argv[0]} did not become ready, see {self.log}")
        return self

    def stop(self, sign: int = signal.SIGTERM) -> None:
        """End it and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait(15)
            self.process = None

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + self.ready_path, timeout=1) as answer:  # noqa: S310 - as above
                return bool(answer.status == 200)
        except OSError:
            return False


def wait_for(is_so: Callable[[], bool], otherwise: str, seconds: float = _START_SECONDS) -> None:
    """Wait until it is so."""
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            raise AssertionError(otherwise)
        time.sleep(0.05)


PROMETHEUS_CONFIGURATION = """
global: {{scrape_interval: 5s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs:
- {{job_name: prometheus, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
- {{job_name: gone, static_configs: [{{targets: ["127.0.0.1:1"]}}]}}
"""
RULES = """
groups:
- name: test
  rules:
  - alert: HailoLatencyBudgetBurnFast
    expr: vector(0.31) > 0.3
    labels: {severity: critical, service: edge-infer}
    annotations: {summary: "Requests over 100 ms burn the month's budget in 5 days.", dashboard: edgeinfer-slo}
  - alert: HailoChipHot
    expr: vector(1) > 0
    for: 1h
    labels: {severity: warning, service: hailo-exporter}
    annotations: {summary: The chip is within 10 °C of its limit.}
  - {alert: HailoDriftLarge, expr: vector(2) > 1, labels: {severity: ticket}, annotations: {summary: to plan}}
  - {alert: Watchdog, expr: vector(1), labels: {severity: none}, annotations: {summary: alerting works}}
"""
ALERTMANAGER_CONFIGURATION = """
route: {{receiver: console, group_wait: 1s, group_interval: 1s}}
receivers: [{{name: console, webhook_configs: [{{url: "http://127.0.0.1:{console}/hooks/alerts"}}]}}]
"""


@dataclass(frozen=True)
class Stack:
    """The processes that a page talks to.

    Args:
        folder: for configuration, data and logs.
        binaries: real Prometheus and Alertmanager.
        dashboards: the folder that the console draws.
    """

    prometheus: Running
    alertmanager: Running
    console: Running
    gateway_port: int
    """Where the console looks for a gateway; nobody listens there but in the tests of sessions."""

    @classmethod
    def plan(
        cls, folder: Path, binaries: Mapping[Program, Binary], dashboards: Path, data: Path | None = None
    ) -> "Stack":
        """Configuration written, nothing started."""
        ports = dict(zip(("port", "alertmanager", "console", "gateway"), PortPool().take(4), strict=True))
        rules = folder / "rules.yml"
        rules.write_text(RULES, "utf-8")
        (folder / "prometheus.yml").write_text(PROMETHEUS_CONFIGURATION.format(rules=rules, **ports), "utf-8")
        (folder / "alertmanager.yml").write_text(ALERTMANAGER_CONFIGURATION.format(**ports), "utf-8")
        return cls(
            _prometheus(binaries[Program.PROMETHEUS], folder, ports["port"], data or folder / "data"),
            _alertmanager(binaries[Program.ALERTMANAGER], folder, ports["alertmanager"]),
            _console(folder, dashboards, ports),
            ports["gateway"],
        )

    def start(self) -> Self:
        """Start all of them."""
        for one in (self.prometheus, self.alertmanager, self.console):
            one.start()
        return self

    def stop(self) -> None:
        """End all of them."""
        for one in (self.console, self.prometheus, self.alertmanager):
            one.stop()


def _prometheus(binary: Binary, folder: Path, port: int, data: Path) -> Running:
    argv = (
        str(binary.path),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=30d",
        "--rules.alert.resend-delay=1s",
    )
    return Running(argv, port, "/-/ready", binary.folder, folder / "prometheus.log")


def _alertmanager(binary: Binary, folder: Path, port: int) -> Running:
    argv = (
        str(binary.path),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )
    return Running(argv, port, "/-/ready", binary.folder, folder / "alertmanager.log")


def _console(folder: Path, dashboards: Path, ports: Mapping[str, int]) -> Running:
    options = {
        "--port": ports["console"],
        "--prometheus": f"http://127.0.0.1:{ports['port']}",
        "--alertmanager": f"http://127.0.0.1:{ports['alertmanager']}",
        "--dashboards": dashboards,
        "--gateway": f"http://127.0.0.1:{ports['gateway']}",
    }
    words = [str(word) for option in options.items() for word in option]
    return Running(
        (sys.executable, "-m", "edgeinfer", "console", *words), ports["console"], "/healthz", log=folder / "console.log"
    )


class Window:
    """A page of the console, with what went wrong in it.

    Args:
        browser: a running one.
        address: of the console.
        size: of the window.
        scheme: light or dark.
    """

    def __init__(self, browser: Browser, address: str, size: Mapping[str, int], scheme: str = "light") -> None:
        self.faults: list[str] = []
        self.address = address
        viewport: Any = dict(size)
        self.page: Page = browser.new_page(viewport=viewport, color_scheme="dark" if scheme == "dark" else "light")
        self.page.set_default_navigation_timeout(_NAVIGATION_MILLISECONDS)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def open(self, path: str) -> Page:
        """Go to an address of the console."""
        self.page.goto(self.address + path)
        return self.page

    def open_drawn(self, path: str) -> Page:
        """Go there and wait until every panel that is on the screen has its answer."""
        self.open(path)
        self.wait_drawn()
        return self.page

    def open_whole(self, path: str) -> Page:
        """Go there, open every row, and wait until every panel has its answer; in a window that shows them all."""
        self.open_drawn(path)
        if self.page.locator(".row-button[aria-expanded=false]").count():
            self.page.keyboard.press("e")
            # The panels of an opened row are there at once, and asked for when the browser has seen them.
            self.page.wait_for_function(
                "() => window.edgeinfer.panels().every((one) => one.state !== 'loading')", timeout=60_000
            )
        return self.page

    def wait_drawn(self) -> None:
        """Wait until no panel on the screen waits."""
        settle(self.page)

    def panels(self) -> list[dict[str, Any]]:
        """What is drawn."""
        found: list[dict[str, Any]] = self.page.evaluate("window.edgeinfer.panels()")
        return found

    def panel(self, number: int) -> dict[str, Any]:
        """What one panel draws."""
        return next(one for one in self.panels() if one["id"] == number)


_STATE = """() => {
  const page = window.edgeinfer?.page();
  return page && {
    address: location.href, refreshes: page.refreshes, visible: [...page.visible], traffic: window.edgeinfer.traffic,
    document: Boolean(page.document), visibility: document.visibilityState,
    loading: window.edgeinfer.panels().filter((one) => one.state === 'loading').map((one) => one.id),
  };
}"""


def settle(page: Page) -> None:
    """Wait until every panel on the screen has its answer; if that does not come, say what the page waits for."""
    try:
        page.wait_for_function("() => window.edgeinfer?.isSettled()", polling=50, timeout=45_000)
    except PlaywrightTimeout as failure:
        raise AssertionError(f"the page does not settle: {page.evaluate(_STATE)}") from failure


def ask_prometheus(stack: Stack, path: str, **form: str | float) -> list[dict[str, Any]]:
    """Series of a query, asked without the console."""
    found: list[dict[str, Any]] = get(f"{stack.prometheus.url}/api/v1/{path}?{urlencode(form)}")["data"]["result"]
    return found
