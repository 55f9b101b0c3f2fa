"""Takes the picture of the hardware dashboard over the scripted hour of `tools.device_life`.

Run with `python -m tools.hardware_picture`; it takes a minute.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

from edgeinfer.stack.ports import PortPool
from tests.browser.bench import CHROMIUM, FLAGS, settle
from tests.end_to_end.running_stack import until
from tests.end_to_end.test_device_life_alerts import Hour
from tools.device_life import MINUTES

_PICTURE = Path(__file__).parents[1] / "docs/pictures/hardware-hour.png"
_SIZE: Any = {"width": 1440, "height": 1000}
_ROW = "Heat and use"
# Down to the end of the row.
_HEIGHT = 728
_START_SECONDS = 60


def main() -> None:
    """Fill a Prometheus with the hour, and photograph the dashboard's row of heat and use."""
    with TemporaryDirectory() as folder:
        hour = Hour(Path(folder))
        port = PortPool().take(1)[0]
        argv = (sys.executable, "-m", "edgeinfer", "console", "--port", str(port))
        console = subprocess.Popen(argv, env={**os.environ, "EDGEINFER_PROMETHEUS_URL": hour.url})
        try:
            milliseconds = [int(1000 * moment) for moment in (hour.begin, hour.begin + 60 * MINUTES)]
            _photograph(f"http://127.0.0.1:{port}/d/edgeinfer-hardware?from={milliseconds[0]}&to={milliseconds[1]}")
        finally:
            console.terminate()
            console.wait()
            hour.process.terminate()
            hour.process.wait()


def _photograph(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=_SIZE)
        if not until(lambda: _opens(page, url), _START_SECONDS):
            raise SystemExit(f"no console answers on {url}")
        settle(page)
        row = page.get_by_role("button", name=_ROW)
        if row.get_attribute("aria-expanded") == "false":
            row.click()
            settle(page)
        row.scroll_into_view_if_needed()
        row.evaluate("button => scrollBy(0, button.getBoundingClientRect().top - 5)")
        settle(page)
        page.screenshot(path=_PICTURE, clip={"x": 0, "y": 0, "width": _SIZE["width"], "height": _HEIGHT})
        browser.close()


def _opens(page: Any, url: str) -> bool:
    try:
        page.goto(url)
    except Exception:  # noqa: BLE001 - the console is still starting
        return False
    return True


if __name__ == "__main__":
    main()
