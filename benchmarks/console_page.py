"""Figures of the console: first paint, whole dashboard, bytes on the wire, server CPU for 1 and 20 viewers.

Run with `python -m benchmarks.console_page`; it starts Prometheus and the console over a simulated hour.
"""

import asyncio
import json
import statistics
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import psutil
from playwright.sync_api import Browser, sync_playwright

from edgeinfer.monitoring.files import all_panels, dashboard_files, dashboards_folder
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder
from edgeinfer.stack.fetch import find_or_fetch
from tests.browser.bench import CHROMIUM, DESKTOP, FLAGS, WHOLE, Stack, settle
from tests.console.simulation import openmetrics

_UID = "hailo-sidecar-monitoring"
_VISITS, _ROUNDS = 5, 20


def main() -> None:
    """Measure and print JSON."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        binaries = find_or_fetch(cache_folder(StackSettings.from_environment().cache_home), lambda _: None, (*Program,))
        now = time.time()
        (folder / "data.om").write_text(openmetrics(now - 3900, now + 900), "utf-8")
        tool = str(binaries[Program.PROMTOOL].path)
        subprocess.run(
            [tool, "tsdb", "create-blocks-from", "openmetrics", "-q", "data.om", "data"], cwd=folder, check=True
        )
        stack = Stack.plan(folder, binaries, dashboards_folder())
        try:
            stack.start()
            print(json.dumps(_measure(stack), indent=2))
        finally:
            stack.stop()


def _measure(stack: Stack) -> dict[str, Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        first = [_visit(browser, stack, DESKTOP) for _ in range(_VISITS)]
        whole = [_visit(browser, stack, WHOLE) for _ in range(_VISITS)]
        browser.close()
    panels = [
        {"id": panel["id"], "width": 600}
        for path in dashboard_files()
        for panel in all_panels(_document(path))
        if panel.get("targets") and _document(path)["uid"] == _UID
    ]
    return {
        "first screen": _medians(first),
        "whole dashboard": _medians(whole),
        "server": {
            f"{viewers} viewers, all {len(panels)} panels": asyncio.run(_serve(stack, panels, viewers))
            for viewers in (1, 20)
        },
    }


def _document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _visit(browser: Browser, stack: Stack, size: dict[str, int]) -> dict[str, float]:
    """One visit with an empty cache."""
    viewport: Any = size
    context = browser.new_context(viewport=viewport)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(f"{stack.console.url}/d/{_UID}?refresh=")
    settle(page)
    drawn = page.evaluate("performance.now()")
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")
    page.wait_for_timeout(200)
    loaded = sum(sizes)
    sizes.clear()
    page.evaluate("window.edgeinfer.page().refresh()")
    page.wait_for_function("() => window.edgeinfer.traffic.underWay === 0")
    page.wait_for_timeout(200)
    panels = page.evaluate("window.edgeinfer.panels().filter((one) => one.state === 'drawn').length")
    context.close()
    return {
        "panels drawn": panels,
        "first paint ms": painted,
        "drawn ms": drawn,
        "loaded KB": loaded / 1000,
        "refresh KB": sum(sizes) / 1000,
    }


def _medians(visits: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in visits), 1) for name in visits[0]}


async def _serve(stack: Stack, panels: list[dict[str, int]], viewers: int) -> dict[str, float]:
    """CPU of the console's process for rounds in which all viewers request the same, each round for another minute."""
    process = psutil.Process(stack.console.pid)
    end = int(time.time()) // 5 * 5
    url = f"{stack.console.url}/api/dashboards/{_UID}/refresh"
    waits: list[float] = []
    async with aiohttp.ClientSession() as http:

        async def ask(body: dict[str, Any]) -> None:
            started = time.perf_counter()
            async with http.post(url, json=body) as answer:
                await answer.read()
            waits.append(time.perf_counter() - started)

        before = process.cpu_times()
        for number in range(_ROUNDS):
            until = end - number * 5 - (viewers * 100)
            body = {"from": str((until - 3600) * 1000), "to": str(until * 1000), "panels": panels}
            await asyncio.gather(*(ask(body) for _ in range(viewers)))
        after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    return {
        "console CPU ms per round": round(spent / _ROUNDS * 1000, 1),
        "median answer ms": round(statistics.median(waits) * 1000, 1),
    }


if __name__ == "__main__":
    main()
