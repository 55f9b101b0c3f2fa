"""How long all queries of one refresh of each dashboard take on a Prometheus: one after the other, median of some.

python -m tools.measure_dashboards http://127.0.0.1:9090 --hours 1 --hours 720
"""

import argparse
import json
import statistics
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from edgeinfer.monitoring import files
from tools.promql_lint import substituted

_ROUNDS = 5
# Thresholds that Grafana rounds to.
_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_POINTS = 240
_SCRAPE_SECONDS = 5


def step_of(panel: Mapping[str, Any], hours: float) -> int:
    """Seconds between points, as Grafana would choose."""
    least = 300 if panel.get("interval") == "5m" else _SCRAPE_SECONDS
    wanted = hours * 3600 / panel.get("maxDataPoints", _POINTS)
    return max(least, next(step for step in _STEPS if step >= wanted))


def queries(document: Mapping[str, Any], hours: float, now: float) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Title, endpoint and parameters of each query of one refresh."""
    for panel in files.all_panels(document):
        step = step_of(panel, hours)
        variables = {
            "$__rate_interval": f"{max(step + _SCRAPE_SECONDS, 4 * _SCRAPE_SECONDS)}s",
            "$__interval": f"{step}s",
            "$__range": f"{int(hours * 3600)}s",
            **dict.fromkeys(("$job", "$instance", "$chip"), ".+"),
        }
        for target in panel.get("targets", []):
            expression = substituted(target["expr"], variables)
            if target.get("instant"):
                yield panel["title"], "query", {"query": expression, "time": now}
            else:
                start = now - hours * 3600
                yield panel["title"], "query_range", {"query": expression, "start": start, "end": now, "step": step}


def measure(address: str, document: Mapping[str, Any], hours: float, now: float) -> tuple[float, float, str, int]:
    """Milliseconds of all queries, of the slowest, its panel, and how many queries there were."""
    rounds = []
    for _ in range(_ROUNDS):
        times = [(_ask(address, kind, asked), title) for title, kind, asked in queries(document, hours, now)]
        rounds.append((sum(taken for taken, _ in times), *max(times), len(times)))
    rounds.sort()
    middle = rounds[len(rounds) // 2]
    return statistics.median(one[0] for one in rounds), middle[1], middle[2], middle[3]


def _ask(address: str, kind: str, parameters: Mapping[str, object]) -> float:
    body = urllib.parse.urlencode(parameters).encode()
    began = time.perf_counter()
    with urllib.request.urlopen(f"{address}/api/v1/{kind}", body, timeout=120) as answer:  # noqa: S310  # from the command line
        answer.read()
    return (time.perf_counter() - began) * 1000


def main() -> int:
    """Print a Markdown table with a row for each dashboard and range."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure_dashboards", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--hours", type=float, action="append", required=True)
    parser.add_argument("--ago", type=float, default=0, help="seconds before now at which the range ends")
    options = parser.parse_args()
    print("| dashboard | hours | queries | all, ms | slowest, ms | its panel |\n|---|---|---|---|---|---|")
    for path in files.dashboard_files():
        document = json.loads(path.read_text(encoding="utf-8"))
        for hours in options.hours:
            total, slowest, title, count = measure(options.address, document, hours, time.time() - options.ago)
            print(f"| {document['title']} | {hours:g} | {count} | {total:.0f} | {slowest:.0f} | {title} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
