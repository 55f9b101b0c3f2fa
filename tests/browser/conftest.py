"""One browser and one stack for all tests of a module; a simulated hour for all modules."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from edgeinfer.monitoring.files import dashboards_folder
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Binary, Program, cache_folder
from edgeinfer.stack.fetch import find_or_fetch
from tests.browser.bench import CHROMIUM, DESKTOP, FLAGS, Stack, Window
from tests.console.simulation import openmetrics

# A machine that other work shares takes its time; a test that passes waits no longer than it must.
_PATIENCE_MILLISECONDS = 20_000
_MAX_SECONDS = 180
_BEFORE_SECONDS, _AFTER_SECONDS = 20 * 60, 15 * 60

OpenWindow = Callable[..., Window]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(_MAX_SECONDS))


@pytest.fixture(scope="session")
def binaries() -> Mapping[Program, Binary]:
    """Prometheus, its tool and Alertmanager, fetched if they are not here."""
    cache = cache_folder(StackSettings.from_environment().cache_home)
    return find_or_fetch(cache, lambda _: None, (*Program,))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory, binaries: Mapping[Program, Binary]) -> Callable[[str], Path]:
    """Makes a folder of Prometheus data around now, for a backend; made once for each."""
    made: dict[str, Path] = {}

    def make(backend: str) -> Path:
        if backend not in made:
            folder = tmp_path_factory.mktemp(f"simulated-{backend}")
            now = time.time()
            text = openmetrics(now - _BEFORE_SECONDS, now + _AFTER_SECONDS, backend=backend, failing=(0.2, 0.3))
            (folder / "data.om").write_text(text, "utf-8")
            tool = str(binaries[Program.PROMTOOL].path)
            command = [tool, "tsdb", "create-blocks-from", "openmetrics", "-q", "data.om", "data"]
            subprocess.run(command, cwd=folder, check=True, timeout=50)
            (folder / "data.om").unlink()
            made[backend] = folder / "data"
        return made[backend]

    return make


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; of the module, because its event loop would disturb other modules' asynchronous tests."""
    if not Path(CHROMIUM).exists():
        pytest.fail(f"{CHROMIUM} is missing; run 'make setup-browser'.")
    expect.set_options(timeout=_PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    binaries: Mapping[Program, Binary],
    simulated: Callable[[str], Path],
) -> Iterator[Stack]:
    """The shipped dashboards over a simulated hour."""
    folder = tmp_path_factory.mktemp("browser")
    with ExitStack() as ends:
        running = Stack.plan(folder, binaries, dashboards_folder(), simulated("hailo"))
        ends.callback(running.stop)
        yield running.start()


@pytest.fixture
def open_window(browser: Browser) -> Iterator[OpenWindow]:
    """Opens pages; at the end none of them may have logged an error."""
    windows: list[Window] = []

    def open_one(stack: Stack, size: Mapping[str, int] = DESKTOP, scheme: str = "light") -> Window:
        windows.append(Window(browser, stack.console.url, size, scheme))
        return windows[-1]

    yield open_one
    faults = [fault for window in windows for fault in window.faults]
    for window in windows:
        window.page.close()
    assert faults == []
