"""Takes the picture of the README from a real run: minutes of replay in which the sidecar is killed and restarts.

Run with `python -m tools.readme_picture`; it takes five minutes.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.bench import CHROMIUM, FLAGS, settle
from tests.end_to_end.running_stack import RunningStack

_PICTURE = Path(__file__).parents[1] / "docs/pictures/readme.png"
_PAGE = "/d/hailo-sidecar-monitoring?from=now-5m&to=now"
_SIZE: Any = {"width": 1440, "height": 1270}
_PHONES = ("walking-upper-leg", "walking-lower-leg", "watch-row-right-person-1", "watch-pendulum-left-person-1")
_BEFORE_SECONDS, _AFTER_SECONDS = 220, 50
_KILLS, _BETWEEN_SECONDS = 3, 4


def main() -> None:
    """Run a stack of its own, kill its sidecar now and then, and photograph the main dashboard."""
    with TemporaryDirectory() as folder, ExitStack() as open_things:
        stack = RunningStack(Path(folder) / "data", "--no-replay")
        open_things.callback(stack.close)
        for recording in _PHONES:
            open_things.callback(_replay(recording, stack.addresses["gateway"]).terminate)
        time.sleep(_BEFORE_SECONDS)
        for _ in range(_KILLS):
            os.kill(stack.pids()["sidecar-1"], signal.SIGKILL)
            time.sleep(_BETWEEN_SECONDS)
        time.sleep(_AFTER_SECONDS)
        _photograph(stack.addresses["console"] + _PAGE)


def _replay(recording: str, gateway: str) -> subprocess.Popen[bytes]:
    argv = ("-m", "edgeinfer", "replay", "--loop", "--json", "--gateway", gateway, "--recording", recording)
    return subprocess.Popen([sys.executable, *argv], stdout=subprocess.DEVNULL)


def _photograph(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=_SIZE)
        page.goto(url)
        settle(page)
        page.screenshot(path=_PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
