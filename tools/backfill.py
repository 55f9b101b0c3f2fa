"""Thirty days of a busy device as a Prometheus data folder, to measure dashboards on.

    nice python -m tools.backfill --days 30 FOLDER

Synthetic load, labelled as such: only the shape and number of series and samples are a real device's.
Each aligned window of six hours becomes one block, which keeps promtool's memory small.
"""

import argparse
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from pathlib import Path

from edgeinfer.catalog.all import metrics_of
from edgeinfer.catalog.metric import Metric, MetricKind, Owner
from edgeinfer.console.ranges import parse_duration
from edgeinfer.monitoring import recording
from edgeinfer.monitoring.prometheus_metrics import ALERTS
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder, find_all, require
from tools.promql_tree import names_in

WINDOW_SECONDS = 6 * 3600
_DAY = 86_400
_TARGETS = {Owner.GATEWAY: "127.0.0.1:8080", Owner.SIDECAR: "127.0.0.1:9000", Owner.EXPORTER: "127.0.0.1:9048"}
# Open labels as one device has them.
_OPEN_LABELS = {
    "endpoint": (
        "/api/v1/analysis/stream",
        "/api/v1/analysis/motifs",
        "/api/v1/analysis/process",
        "/infer",
        "/healthz",
    ),
    "status_code": ("200", "202", "404", "503"),
    "sidecar": ("127.0.0.1:9000",),
    "motif": tuple(f"m{number}" for number in range(1, 13)),
    "chip_id": ("0000:01:00.0",),
    "device_id": ("0000:01:00.0",),
    "model": ("motifs",),
    "collector": ("system",),
    "level": ("0", "1", "2", "3"),
}
_LABEL = re.compile(r'(\w+)="([^"]*)"')
# What is there only for a while, and for how many seconds of each day.
_SECONDS_A_DAY = {recording.DEPLOYS.name: 180, recording.HISTORY_FIRING.name: 7200, ALERTS.name: 7200}
_ALERTS = (
    'ALERTS{alertname="EdgeInferFallingBack",alertstate="firing",severity="warning",instance="127.0.0.1:8080"}',
    'ALERTS{alertname="HailoSidecarDown",alertstate="firing",severity="critical",instance="127.0.0.1:9000"}',
)
_REQUESTS_PER_SECOND = 20.0
_HTTP_COMBINATIONS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its text up to the value, and how it moves.

    Args:
        growth: of a counter, per second; 0 for a gauge.
        level: of a gauge.
    """

    text: str
    growth: float
    level: float


def series_lines() -> list[tuple[Metric, list[Line]]]:
    """Every series of one device, by metric."""
    return [(metric, list(_lines(metric, owner))) for owner in Owner for metric in metrics_of(owner)]


def _lines(metric: Metric, owner: Owner) -> Iterator[Line]:
    values = [label.values or _OPEN_LABELS.get(label.name, ("one",)) for label in metric.labels]
    # Of methods, routes and statuses only some occur together.
    most = _HTTP_COMBINATIONS if "endpoint" in metric.label_names else None
    combinations = list(islice(product(*values), most))
    share = _REQUESTS_PER_SECOND / len(combinations)
    for combination in combinations:
        labels = {"job": str(owner), "instance": _TARGETS[owner]} | dict(
            zip(metric.label_names, combination, strict=True)
        )
        text = ",".join(f'{name}="{value}"' for name, value in labels.items())
        if metric.kind is MetricKind.HISTOGRAM:
            yield from _histogram(metric, text, share)
        elif metric.kind is MetricKind.COUNTER:
            yield Line(f"{metric.name}{{{text}}} ", share, 0.0)
        else:
            yield Line(f"{metric.name}{{{text}}} ", 0.0, 1.0 if metric.kind is MetricKind.INFO else 50.0)


def _histogram(metric: Metric, text: str, per_second: float) -> Iterator[Line]:
    edges = [*(f"{edge}" for edge in metric.buckets), "+Inf"]
    for position, edge in enumerate(edges):
        yield Line(f'{metric.name}_bucket{{{text},le="{edge}"}} ', per_second * (position + 1) / len(edges), 0.0)
    yield Line(f"{metric.name}_sum{{{text}}} ", per_second * metric.buckets[len(metric.buckets) // 2], 0.0)
    yield Line(f"{metric.name}_count{{{text}}} ", per_second, 0.0)


def recorded_lines(step: int) -> Iterator[tuple[int, str, list[Line]]]:
    """Every recorded series of one device as a gauge: seconds between its samples, its name, its series.

    Args:
        step: of the groups that are evaluated as often as is scraped.
    """
    found: dict[tuple[int, str], set[str]] = {}
    for group in recording.groups():
        interval = int(parse_duration(group.interval) or 0) if group.interval else step
        for rule in group.rules:
            found.setdefault((interval, rule.record.name), set()).update(_recorded_texts(rule))
    for (interval, name), texts in found.items():
        yield interval, name, [Line(f"{text} ", 0.0, 1.0) for text in sorted(texts)]
    yield step, ALERTS.name, [Line(f"{text} ", 0.0, 1.0) for text in _ALERTS]


def _recorded_texts(rule: recording.Rule) -> Iterator[str]:
    """One series for each combination of the labels that the rule keeps, as its sources have them."""
    source = next(iter(_sources() & names_in(rule.expression)), "")
    known = {tuple((name, labels.get(name, "one")) for name in rule.record.labels) for labels in _labels_of(source)}
    for pairs in known:
        inner = ",".join(f'{name}="{value}"' for name, value in {**dict(pairs), **rule.labels}.items())
        yield f"{rule.record.name}{{{inner}}}"


@cache
def _sources() -> frozenset[str]:
    return frozenset(line.text.split("{")[0] for _, lines in series_lines() for line in lines)


@cache
def _labels_of(name: str) -> list[dict[str, str]]:
    every = [line.text for _, lines in series_lines() for line in lines if line.text.split("{")[0] == name]
    return [dict(_LABEL.findall(text)) for text in every] or [{"job": str(Owner.GATEWAY)}]


def write_window(path: Path, begin: int, first: int, step: int, until: int) -> int:
    """OpenMetrics of one window; the number of samples."""
    times = range(begin, min(begin + WINDOW_SECONDS, until), step)
    written = 0
    with path.open("w", encoding="utf-8") as out:
        for metric, lines in series_lines():
            family = metric.name.removesuffix("_total") if metric.kind is MetricKind.COUNTER else metric.name
            kind = "gauge" if metric.kind is MetricKind.INFO else metric.kind
            out.write(f"# TYPE {family} {kind}\n")
            for line in lines:
                out.writelines(_samples(line, times, first))
                written += len(times)
        out.write("# EOF\n")
    return written


def write_recorded(path: Path, begin: int, step: int, until: int, only: str = "") -> int:
    """OpenMetrics of the recorded series of one window, or of those that match; the number of samples."""
    written = 0
    with path.open("w", encoding="utf-8") as out:
        for interval, name, lines in recorded_lines(step):
            seconds = _SECONDS_A_DAY.get(name, _DAY)
            times = [at for at in range(begin, min(begin + WINDOW_SECONDS, until), interval) if at % _DAY < seconds]
            if not times or not re.search(only, name):
                continue
            out.write(f"# TYPE {name} gauge\n")
            for line in lines:
                out.writelines(_samples(line, times, begin))
                written += len(times)
        out.write("# EOF\n")
    return written


def _samples(line: Line, times: Iterable[int], first: int) -> list[str]:
    text, growth, level = line.text, line.growth, line.level
    # A day has a wave, so that neighbouring samples differ as real ones do.
    if growth:
        return [f"{text}{growth * (at - first + _wave(at)):.3f} {at}\n" for at in times]
    return [f"{text}{level + _wave(at) / 3000:.3f} {at}\n" for at in times]


@cache
def _wave(at: int) -> float:
    return 3000 * (1 + math.sin(at / _DAY * 2 * math.pi))


def backfill(folder: Path, *, days: float, step: int, promtool: Path, recorded_only: str = "") -> int:
    """Fill a data folder, raw and recorded series; the number of samples. The last window ends a few minutes ago.

    Args:
        folder: may hold samples already.
        days: from then on.
        step: seconds between samples.
        promtool: makes the blocks.
        recorded_only: names, as a regular expression, of recorded series to add without anything else.
    """
    until = int(time.time()) - 300
    first = int(until - days * _DAY) // WINDOW_SECONDS * WINDOW_SECONDS
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    command = [str(promtool), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=6h", "--quiet"]
    path = folder / "window.om"
    for begin in range(first, until, WINDOW_SECONDS):
        if not recorded_only:
            total += write_window(path, begin, first, step, until)
            subprocess.run([*command, str(path), str(folder)], check=True, capture_output=True)
        recorded = write_recorded(path, begin, step, until, recorded_only)
        total += recorded
        if recorded:
            subprocess.run([*command, str(path), str(folder)], check=True, capture_output=True)
        path.unlink()
        print(f"{time.strftime('%F %H:%M', time.gmtime(begin))}: {total / 1e6:.1f} million samples", flush=True)
    return total


def main() -> int:
    """Write the data folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.backfill", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--step", type=int, default=10, help="seconds between samples")
    what = "add recorded series to what is there, or those whose names match"
    parser.add_argument("--recorded-only", nargs="?", default="", const=".", metavar="NAMES", help=what)
    options = parser.parse_args()
    binaries = find_all(cache_folder(StackSettings.from_environment({}).cache_home.expanduser()))
    promtool = require(binaries, Program.PROMTOOL).path
    began = time.monotonic()
    total = backfill(
        options.folder, days=options.days, step=options.step, promtool=promtool, recorded_only=options.recorded_only
    )
    print(f"{total / 1e6:.1f} million samples in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
