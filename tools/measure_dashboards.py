"""How long all queries of one refresh of each dashboard take on a Prometheus: one after the other, median of some.

python -m tools.measure_dashboards http://127.0.0.1:9090 --hours 1 --hours 720
"""

import argparse
import json
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeinfer.monitoring import files
from edgeinfer.monitoring.recording import RESOLUTION
from tools.promql_lint import substituted

_ROUNDS = 5
# Thresholds that Grafana rounds to.
_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_POINTS = 240
_SCRAPE_SECONDS = 5
_ANNOTATION_POINTS = 300
# What numbers of now look at, and where dashboards/long_range.py begins.
_MINUTES, _LONG_RANGE_HOURS = 15, 15


def step_of(panel: Mapping[str, Any], hours: float) -> int:
    """Seconds between points, as Grafana would choose."""
    least = 300 if panel.get("interval") == "5m" else _SCRAPE_SECONDS
    wanted = hours * 3600 / panel.get("maxDataPoints", _POINTS)
    return max(least, next(step for step in _STEPS if step >= wanted))


def queries(
    document: Mapping[str, Any], hours: float, now: float, *, opened: bool
) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Title, endpoint and parameters of each query of one refresh; with `opened` without those in collapsed rows."""
    for annotation in document["annotations"]["list"]:
        yield from _asked(annotation["name"], {"maxDataPoints": _ANNOTATION_POINTS}, annotation["target"], hours, now)
    for panel in document["panels"] if opened else files.all_panels(document):
        for target in panel.get("targets", []):
            yield from _asked(panel["title"], panel, target, _MINUTES / 60 if panel.get("timeFrom") else hours, now)


def _asked(
    title: str, panel: Mapping[str, Any], target: Mapping[str, Any], hours: float, now: float
) -> Iterator[tuple[str, str, dict[str, object]]]:
    step = step_of(panel, hours)
    variables = {
        "$__rate_interval": f"{max(step + _SCRAPE_SECONDS, 4 * _SCRAPE_SECONDS)}s",
        "$__interval": f"{step}s",
        "$__range": f"{int(hours * 3600)}s",
        f"${RESOLUTION}": ".+" if hours >= _LONG_RANGE_HOURS else ".*",
        **dict.fromkeys(("$job", "$instance", "$chip"), ".+"),
    }
    expression = substituted(target["expr"], variables)
    if target.get("instant"):
        yield title, "query", {"query": expression, "time": now}
    else:
        start, end = (moment // step * step for moment in (now - hours * 3600, now))
        yield title, "query_range", {"query": expression, "start": start, "end": end, "step": step}


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh of a dashboard: its queries one after the other.

    Args:
        slowest: milliseconds and title of the slowest panel.
    """

    milliseconds: float
    slowest: tuple[float, str]
    queries: int
    bytes: int


def measure(address: str, document: Mapping[str, Any], hours: float, now: float, *, opened: bool) -> Refresh:
    """The median of some refreshes."""
    asked = list(queries(document, hours, now, opened=opened))
    rounds = sorted((_refresh(address, asked) for _ in range(_ROUNDS)), key=lambda one: one.milliseconds)
    return rounds[len(rounds) // 2]


def _refresh(address: str, asked: list[tuple[str, str, dict[str, object]]]) -> Refresh:
    panels: dict[str, float] = {}
    received = 0
    for title, kind, parameters in asked:
        taken, size = _ask(address, kind, parameters)
        panels[title] = panels.get(title, 0.0) + taken
        received += size
    slowest = max((taken, title) for title, taken in panels.items())
    return Refresh(sum(panels.values()), slowest, len(asked), received)


def _ask(address: str, kind: str, parameters: Mapping[str, object]) -> tuple[float, int]:
    """Milliseconds and bytes of one query."""
    body = urllib.parse.urlencode(parameters).encode()
    began = time.perf_counter()
    with urllib.request.urlopen(f"{address}/api/v1/{kind}", body, timeout=120) as answer:  # noqa: S310  # from the command line
        size = len(answer.read())
    return (time.perf_counter() - began) * 1000, size


def main() -> int:
    """Print a Markdown table with a row for each dashboard and range."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure_dashboards", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--hours", type=float, action="append", required=True)
    parser.add_argument("--ago", type=float, default=0, help="seconds before now at which the range ends")
    parser.add_argument("--dashboards", type=Path, default=files.dashboards_folder(), help="the folder of their files")
    parser.add_argument("--opened", action="store_true", help="only the panels that are open at first")
    options = parser.parse_args()
    print("| dashboard | hours | queries | all, ms | kB | slowest, ms | its panel |\n|---|---|---|---|---|---|---|")
    for path in sorted(options.dashboards.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        for hours in options.hours:
            found = measure(options.address, document, hours, time.time() - options.ago, opened=options.opened)
            taken, title = found.slowest
            cells = (
                f"{hours:g}",
                found.queries,
                f"{found.milliseconds:.0f}",
                f"{found.bytes / 1000:.0f}",
                f"{taken:.0f}",
            )
            print(f"| {document['title']} | {' | '.join(map(str, cells))} | {title} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
