"""How the console takes dashboards of other people: what it draws, what it names as not drawn, and what it gets wrong.

    python -m tools.public_dashboards FOLDER [--report FILE]

The folder holds their files. Each is opened in a real browser with every row open; a panel is drawn, or it names what
it does not draw. What is drawn without a word is compared with Grafana's own library over made-up values: another text,
color, order or name is wrong, and so is an error of the page.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
from playwright.sync_api import sync_playwright

from edgeinfer.console.dashboard_files import Dashboard, DashboardFiles
from edgeinfer.console.frames import to_wire
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder
from edgeinfer.stack.fetch import find_or_fetch
from tests.browser.bench import CHROMIUM, FLAGS, Stack, Window
from tools.grafana_judge import KINDS, compare, made_up, run

_SIZE = {"width": 1440, "height": 20_000}
_DRAWN = ("drawn", "empty")
_PATIENCE_MILLISECONDS = 240_000
_HAS_PANELS = "() => window.edgeinfer?.isSettled()"
_IS_ANSWERED = "() => window.edgeinfer.panels().every((one) => one.state !== 'loading')"


@dataclass
class Result:
    """What became of the panels of all files.

    Args:
        named: panel types, of those that say what is not drawn of them.
        wrong: what went wrong, in words.
    """

    files: int = 0
    broken: list[str] = field(default_factory=list)
    drawn: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        panels = sum(self.drawn.values()) + sum(self.named.values())
        yield f"{self.files} files, {panels} panels: {sum(self.drawn.values())} drawn, "
        yield f"{sum(self.named.values())} named as not drawn in whole or in part, {len(self.wrong)} wrong; "
        yield f"{len(self.broken)} files named as no dashboard"

    def table(self) -> Iterator[str]:
        yield "| panel type | drawn | named |"
        yield "|---|---|---|"
        for kind in sorted({*self.drawn, *self.named}):
            yield f"| {kind} | {self.drawn[kind]} | {self.named[kind]} |"


def look_at(folder: Path) -> Result:
    """Open every file of a folder, and compare what is drawn."""
    dashboards, broken = DashboardFiles(folder).read()
    result = Result(len(dashboards) + len(broken), [f"{one.file}: {one.fault}" for one in broken])
    quiet: list[tuple[str, Mapping[str, Any]]] = []
    binaries = find_or_fetch(cache_folder(StackSettings.from_environment().cache_home), lambda _: None, (*Program,))
    with TemporaryDirectory() as data, sync_playwright() as playwright:
        stack = Stack.plan(Path(data), binaries, folder)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            stack.start()
            for dashboard in dashboards:
                print(dashboard.title, file=sys.stderr, flush=True)
                window = Window(browser, stack.console.url, _SIZE)
                quiet += _open(window, dashboard, result)
                window.page.close()
        finally:
            browser.close()
            stack.stop()
    result.wrong += list(_unlike(quiet))
    return result


def _open(window: Window, dashboard: Dashboard, result: Result) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Count the panels of one dashboard, and give those that are drawn without a word."""
    page = window.open(f"/d/{dashboard.uid}")
    page.wait_for_function(_HAS_PANELS, timeout=_PATIENCE_MILLISECONDS)
    if page.locator(".row-button[aria-expanded=false]").count():
        page.keyboard.press("e")
        # The panels of an opened row are there at once.
        page.wait_for_function(_IS_ANSWERED, timeout=_PATIENCE_MILLISECONDS)
    shown = {one["id"]: one for one in window.panels()}
    result.wrong += [f"{dashboard.title}: {fault}" for fault in window.faults]
    for panel in dashboard.panels.values():
        if panel.kind == "row":
            continue
        one = shown.get(panel.id)
        is_named = one is not None and (one["notices"] or one["state"] in {"unknown", "error"})
        if one is None or (not is_named and one["state"] not in _DRAWN):
            result.wrong.append(f"{dashboard.title} / {panel.title}: {one and one['state']}")
        elif is_named:
            result.named[panel.kind] += 1
            if "parse error" in one["message"]:
                result.wrong.append(f"{dashboard.title} / {panel.title}: {one['message']}")
        else:
            result.drawn[panel.kind] += 1
            yield dashboard.title, panel.document


def _unlike(quiet: list[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Where Grafana's library shows a panel otherwise."""
    asked = [(title, panel) for title, panel in quiet if panel["type"] in KINDS and panel.get("targets")]
    cases = [made_up(panel, _wire) for _, panel in asked]
    for (title, panel), found in zip(asked, run({"theme": "light", "panels": cases})["panels"], strict=True):
        for one in compare(str(panel.get("title")), found["grafana"], found["console"]):
            yield f"{title} / {one.panel}: {one.kind}: Grafana {one.grafana!r}, console {one.console!r}"


def _wire(rows: Any) -> Any:
    return orjson.loads(orjson.dumps(to_wire(np.array(rows, dtype=np.float64))))


def main() -> int:
    """Print the counts, and what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.public_dashboards", description=__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    result = look_at(options.folder)
    print(*result.table(), "", "".join(result.lines()), *result.broken, *result.wrong, sep="\n")
    return bool(result.wrong)


if __name__ == "__main__":
    sys.exit(main())
