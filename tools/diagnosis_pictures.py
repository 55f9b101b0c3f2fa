"""Five failures, and pictures of what `edgeinfer diagnose` and the console show of each.

    python -m tools.diagnosis_pictures docs/pictures --libfaketime "$(tools/setup_clock.sh)"

Each has a stack of its own with the real rules.
The chip is the tests' fake, and the disk's readings are falsified; everything else happens.
"""

import argparse
import asyncio
import html
import shlex
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import orjson
import uvicorn

from chaos.actions.action import Action, Process, Testbed, Users
from chaos.actions.hardware import Device
from chaos.actions.monitoring import reading, reads
from chaos.actions.resources import ClockStep, RestartWithMemoryLimit
from chaos.testbed import LiveTestbed
from chaos.traffic import Traffic
from edgeinfer.catalog import system
from edgeinfer.console.app import build_app
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.diagnosis.machine import look
from edgeinfer.diagnosis.report import as_lines
from edgeinfer.diagnosis.run import Diagnostician
from edgeinfer.loadgen.client import GatewayClient
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.monitoring.causes.commands import PROCESSES, Way
from edgeinfer.monitoring.files import dashboards_folder
from edgeinfer.recordings.reader import load_recording
from edgeinfer.stack.own_stack import quiet, settings_on_free_ports
from edgeinfer.stack.ports import PortPool
from tools.sensor_habits import JitteringPhone

_ALERT_SECONDS = 900.0
# This machine may be busy.
_BROWSER_MILLISECONDS = 180_000
# Until the alerts of the same cause fire as well.
_AFTER_ALERT_SECONDS = 20.0
# Twelve scrapes are a minute's; all jobs are known by then.
_MEASURED = "min(count_over_time(up[10m])) >= 12"
_LOOK_SECONDS = 1.0
_FOLDER = Path(".edgeinfer")
# The fake chip does not run where the clock is set off.
_CLOCK = "wrong-clock"
_CHIP = shlex.join([sys.executable, "-m", "tests.fakes.chip_service"])
_PAGE = """<body style="margin:0;background:#1b1f24"><pre style="margin:0;padding:18px 22px;color:#e6e6e6;
font:14px/1.45 'DejaVu Sans Mono',monospace;white-space:pre-wrap;width:1000px">{text}</pre></body>"""


@dataclass(frozen=True, slots=True)
class SensorAt50Hz:
    """One more phone samples at 50 Hz, and its app stamps the samples when it gets them."""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        async with aiohttp.ClientSession() as http:
            sending = asyncio.create_task(_send(GatewayClient(http, testbed.gateway_url)))
            try:
                yield
            finally:
                sending.cancel()


async def _send(gateway: GatewayClient) -> None:
    session = str((await gateway.start()).document["sessionId"])
    for samples in JitteringPhone("phone", 50.0, origin=time.time()).uploads():
        await gateway.stream(orjson.dumps({"sessionId": session, "role": "phone", "samples": samples}))
        await asyncio.sleep(1.0)


_DISK = (reading(system.DISK_SPACE, "available", 2e7), reading(system.DISK_SPACE, "total", 1e9))
FAILURES: Mapping[str, tuple[Action, str]] = {
    "sidecar-out-of-memory": (RestartWithMemoryLimit(Process.SIDECAR, megabytes=128), "HailoSidecarDown"),
    "chip-in-the-red-zone": (Device("stream-abort"), "HailoThermalStreamAbort"),
    _CLOCK: (ClockStep(-3600), "EdgeInferHealthCheckStale"),
    "disk-full": (reads(*_DISK), "HailoDiskFull"),
    "sensor-at-50-hz": (SensorAt50Hz(), "EdgeInferInputQualityPoor"),
}


async def play(name: str, pictures: Path, libfaketime: str) -> None:
    """Cause a failure on a stack of its own, wait for its alert, and take both pictures."""
    feeds = [SampleSource(load_recording("walking-upper-leg"), loop=True)]
    ports = PortPool()
    [console] = ports.take(1)
    with TemporaryDirectory(prefix="edgeinfer-pictures-") as scratch:
        testbed = LiveTestbed(
            Path(scratch),
            settings_on_free_ports(ports),
            factor=1.0,
            report=quiet,
            chip=() if libfaketime else shlex.split(_CHIP),
            clock=libfaketime,
        )
        async with (
            testbed,
            aiohttp.ClientSession() as http,
            _console(testbed, console),
            Traffic(testbed.gateway_url, feeds) as traffic,
        ):
            await _one(name, testbed, traffic, http, console, pictures)


async def _one(  # noqa: PLR0913, PLR0917 - what is played, on what, and where it goes
    name: str, testbed: LiveTestbed, traffic: Traffic, http: aiohttp.ClientSession, console: int, pictures: Path
) -> None:
    action, alert = FAILURES[name]
    prometheus = Prometheus(http, testbed.prometheus_url)
    await _until_measured(prometheus)
    began = time.monotonic()
    async with action.applied(testbed, traffic):
        arrived = await testbed.receiver.wait_for({alert}, began, _ALERT_SECONDS)
        print(
            f"{name}: {alert} {'arrived' if arrived else 'did not arrive'} after {time.monotonic() - began:.0f} s",
            flush=True,
        )
        await asyncio.sleep(_AFTER_ALERT_SECONDS)
        stack = testbed.stack()
        diagnostician = Diagnostician(
            prometheus,
            partial(look, http, stack),
            Way.UP,
            _FOLDER,
            partial(_pids, testbed),
        )
        text = "$ edgeinfer diagnose\n" + "\n".join(as_lines(await diagnostician.diagnose(), UTC))
        print(text, flush=True)
        await asyncio.to_thread(take, pictures, name, text, f"http://127.0.0.1:{console}/incidents")


async def _until_measured(prometheus: Prometheus) -> None:
    """Wait until every target was scraped for a while: of a counter, what was before its first scrape is not seen."""
    while True:
        if await prometheus.query(_MEASURED, time.time()):
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _pids(testbed: LiveTestbed) -> dict[str, int | None]:
    stack = testbed.stack()
    return {process: stack.pid(process) for process in PROCESSES}


@asynccontextmanager
async def _console(testbed: LiveTestbed, port: int) -> AsyncIterator[None]:
    app = build_app(
        dashboards=dashboards_folder(),
        prometheus_url=testbed.prometheus_url,
        alertmanager_url="",
        look=lambda http: look(http, testbed.stack()),
        data_folder=_FOLDER,
        pids=partial(_pids, testbed),
    )
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def take(folder: Path, name: str, text: str, address: str) -> None:
    """The terminal and the console's page, in a browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - it needs Chromium, which checks do without

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = browser.new_context()
        context.set_default_timeout(_BROWSER_MILLISECONDS)
        page = context.new_page()
        page.set_viewport_size({"width": 1044, "height": 200})
        page.set_content(_PAGE.format(text=html.escape(text)))
        page.screenshot(path=folder / f"diagnose-{name}.png", full_page=True)
        page = context.new_page()
        page.set_viewport_size({"width": 1200, "height": 900})
        page.goto(address)
        page.locator("main .verdict").wait_for()
        page.screenshot(path=folder / f"incident-{name}.png", full_page=True)
        browser.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures of all five, or of those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tools.diagnosis_pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--libfaketime", default="")
    parser.add_argument("--only", nargs="*", choices=list(FAILURES), default=list(FAILURES))
    options = parser.parse_args(arguments)
    for name in options.only:
        if name != _CLOCK or options.libfaketime:
            asyncio.run(play(name, options.folder, options.libfaketime if name == _CLOCK else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
