"""What one refresh of each dashboard costs a Prometheus: time, CPU time, samples, bytes; folders side by side.

python -m tools.measure_dashboards http://127.0.0.1:9090 --hours 1 --hours 720 --opened

A refresh asks as the console does: its steps, and eight queries at a time. The folders take turns, so that other work
on the machine disturbs them alike; CPU time and samples do not depend on it.
"""

import argparse
import json
import re
import statistics
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeinfer.console.prometheus import MAX_QUERIES
from edgeinfer.console.ranges import TimeRange, format_duration, parse_duration, rate_interval, step_for
from edgeinfer.monitoring import files
from edgeinfer.monitoring.recording import RESOLUTION
from tools.promql_lint import substituted

_ROUNDS = 5
_DEAR_MILLISECONDS = 5.0
_SCRAPE_SECONDS = 5.0
_GRAPH_POINTS, _ANNOTATION_POINTS = 600, 300
# What numbers of now look at, and where dashboards/long_range.py begins.
_MINUTES, _LONG_RANGE_HOURS = 15, 15
_CPU_SECONDS = re.compile(rb"^process_cpu_seconds_total ([\d.e+-]+)$", re.MULTILINE)
Asked = tuple[str, str, dict[str, object]]


def queries(document: Mapping[str, Any], hours: float, now: float, *, opened: bool) -> Iterator[Asked]:
    """Title, endpoint and parameters of each query of one refresh; with `opened` without those in collapsed rows."""
    for annotation in document["annotations"]["list"]:
        yield _asked(annotation["name"], {"maxDataPoints": _ANNOTATION_POINTS}, annotation["target"], hours, now)
    for panel in document["panels"] if opened else files.all_panels(document):
        for target in panel.get("targets", []):
            yield _asked(panel["title"], panel, target, _MINUTES / 60 if panel.get("timeFrom") else hours, now)


def _asked(title: str, panel: Mapping[str, Any], target: Mapping[str, Any], hours: float, now: float) -> Asked:
    least = parse_duration(panel.get("interval") or "") or _SCRAPE_SECONDS
    step = step_for(hours * 3600, min(panel.get("maxDataPoints") or _GRAPH_POINTS, _GRAPH_POINTS), least)
    variables = {
        "$__rate_interval": format_duration(rate_interval(step, _SCRAPE_SECONDS)),
        "$__interval": format_duration(step),
        "$__range": format_duration(hours * 3600),
        f"${RESOLUTION}": ".+" if hours >= _LONG_RANGE_HOURS else ".*",
        **dict.fromkeys(("$job", "$instance", "$chip"), ".+"),
    }
    expression = substituted(target["expr"], variables)
    if target.get("instant"):
        return title, "query", {"query": expression, "time": now, "stats": "all"}
    picked = TimeRange(now - hours * 3600, now).aligned(step)
    times = {"start": picked.start, "end": picked.end, "step": step}
    return title, "query_range", {"query": expression, **times, "stats": "all"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query took.

    Args:
        title: of its panel.
        milliseconds: until it was answered, among others.
        evaluation: milliseconds that Prometheus says it worked on it.
        samples: that it read.
    """

    title: str
    milliseconds: float
    evaluation: float
    samples: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Refreshes:
    """Some refreshes of one dashboard over one range.

    Args:
        milliseconds: of each, from the first query to the last answer.
        cpu: milliseconds of CPU time of Prometheus for one, on average.
        answers: of the last one.
    """

    milliseconds: Sequence[float]
    cpu: float
    answers: Sequence[Answer]

    def cells(self) -> tuple[str, ...]:
        """The row of a table."""
        worked: dict[str, float] = {}
        for one in self.answers:
            worked[one.title] = worked.get(one.title, 0.0) + one.evaluation
        dearest = max(worked, key=lambda title: worked[title])
        return (
            str(len(self.answers)),
            f"{statistics.median(self.milliseconds):.0f}",
            f"{self.cpu:.0f}",
            f"{sum(one.samples for one in self.answers) / 1000:.0f}",
            f"{sum(one.bytes for one in self.answers) / 1000:.0f}",
            f"{dearest} ({worked[dearest]:.0f} ms)",
        )


def measure(address: str, asked: Mapping[str, Sequence[Asked]]) -> dict[str, Refreshes]:
    """Refreshes of each of these lists of queries, in turns."""
    milliseconds: dict[str, list[float]] = {name: [] for name in asked}
    cpu = dict.fromkeys(asked, 0.0)
    answers: dict[str, list[Answer]] = {}
    with ThreadPoolExecutor(MAX_QUERIES) as pool:
        for _ in range(_ROUNDS):
            for name, every in asked.items():
                used, began = _cpu_seconds(address), time.perf_counter()
                answers[name] = list(pool.map(lambda one: _ask(address, *one), every))
                milliseconds[name].append((time.perf_counter() - began) * 1000)
                cpu[name] += (_cpu_seconds(address) - used) * 1000 / _ROUNDS
    return {name: Refreshes(milliseconds[name], cpu[name], answers[name]) for name in asked}


def _cpu_seconds(address: str) -> float:
    with urllib.request.urlopen(f"{address}/metrics", timeout=120) as answer:  # noqa: S310  # from the command line
        found = _CPU_SECONDS.search(answer.read())
    if found is None:
        raise ValueError(f"{address}/metrics has no process_cpu_seconds_total; is it a Prometheus?")
    return float(found[1])


def _ask(address: str, title: str, kind: str, parameters: Mapping[str, object]) -> Answer:
    body = urllib.parse.urlencode(parameters).encode()
    began = time.perf_counter()
    with urllib.request.urlopen(f"{address}/api/v1/{kind}", body, timeout=120) as answer:  # noqa: S310  # from the command line
        content = answer.read()
    taken = (time.perf_counter() - began) * 1000
    stats = json.loads(content)["data"]["stats"]
    size = len(content) - len(json.dumps(stats))
    worked = stats["timings"]["evalTotalTime"] * 1000
    return Answer(title, taken, worked, stats["samples"]["totalQueryableSamples"], size)


def main() -> int:
    """Print a Markdown table with a row for each dashboard and range."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure_dashboards", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--hours", type=float, action="append", required=True)
    parser.add_argument("--ago", type=float, default=0, help="seconds before now at which the range ends")
    parser.add_argument("--dashboards", type=Path, action="append", help="a folder of their files; may be repeated")
    parser.add_argument("--opened", action="store_true", help="only the panels that are open at first")
    parser.add_argument("--queries", action="store_true", help="print each query that takes over 5 ms, too")
    options = parser.parse_args()
    folders = options.dashboards or [files.dashboards_folder()]
    heads = ("dashboard", "hours", "folder", "queries", "wall, ms", "CPU, ms", "1000 samples", "kB", "dearest")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name in sorted({path.name for folder in folders for path in folder.glob("*.json")}):
        documents = {str(folder): json.loads((folder / name).read_text(encoding="utf-8")) for folder in folders}
        for hours in options.hours:
            now = time.time() - options.ago
            asked = {
                folder: list(queries(document, hours, now, opened=options.opened))
                for folder, document in documents.items()
            }
            for folder, found in measure(options.address, asked).items():
                cells = (documents[folder]["title"], f"{hours:g}", folder, *found.cells())
                print(f"| {' | '.join(cells)} |", flush=True)
                if options.queries:
                    _print_dear(asked[folder], found.answers)
    return 0


def _print_dear(asked: Sequence[Asked], answers: Sequence[Answer]) -> None:
    pairs = sorted(zip(asked, answers, strict=True), key=lambda pair: -pair[1].evaluation)
    for (_, _, parameters), answer in pairs:
        if answer.evaluation > _DEAR_MILLISECONDS:
            print(f"    {answer.evaluation:6.1f} ms {answer.samples:9} {answer.title}: {parameters['query']}")


if __name__ == "__main__":
    sys.exit(main())
