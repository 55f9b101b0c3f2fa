"""What every panel says after its source has stopped, in the console and by Grafana's own library, as a report.

    python -m tools.stopped_sources

It writes docs/reports/stopped-sources.md, ends with 1 where a panel shows an old number as that of now, and takes some
minutes. Prometheus is real; what it holds is simulated from the catalog.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import orjson

from edgeinfer.catalog.metric import Owner
from edgeinfer.console.dashboard_files import DashboardFiles, PanelQuery
from edgeinfer.console.formatting import NO_VALUE
from edgeinfer.console.frames import Frame, range_frame
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.ranges import TimeRange, parse_duration, rate_interval
from edgeinfer.console.refresh import PanelAnswer, PanelView, Refresher, RefreshRequest
from edgeinfer.console.status import StatusReader
from edgeinfer.monitoring import files, recording
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Binary, Program, cache_folder
from edgeinfer.stack.fetch import find_or_fetch
from edgeinfer.stack.ports import PortPool
from tests.browser.bench import Running
from tests.console.simulation import INSTANCES, openmetrics, owners_of, window_seconds
from tools.grafana_judge import drawn_panels, run

REPORT = Path(__file__).parents[1] / "docs/reports/stopped-sources.md"
RANGES = ("now-1h", "now-24h", "now-30d")
STEP_SECONDS = 15
# A scrape that fails ends a series at once, by a mark that blocks made from text cannot carry; a short look back does
# the same to them.
LOOK_BACK_SECONDS = 40
RATE_WINDOW_SECONDS = 60
# How long after the stop panels are read: one rate window, with the scrape and the look back; and an hour.
MOMENTS = {"a rate window": RATE_WINDOW_SECONDS + LOOK_BACK_SECONDS + STEP_SECONDS, "an hour": 3600}
_BASE = 1_795_000_000 // 3600 * 3600
_LIVE_SECONDS, _SPARSE_SECONDS, _APART_SECONDS = 300, 300, 4 * 3600
_NUMBERS = ("stat", "gauge", "bargauge")
_RENDERERS = ("grafana", "console")
# Prometheus says these itself, whoever is away; and an alert does not measure a source.
_OF_PROMETHEUS = re.compile(r"\b(up|scrape_\w+|ALERTS|history:up:\w+|history:alerts_firing:\w+)\b|vector\(0\)$")
_BRACKETS = re.compile(r"\[([^\]:]+)[\]:]")
_DAY_SECONDS = 86_400
DOCUMENTS = [json.loads(path.read_text("utf-8")) for path in files.dashboard_files()]
_RECORDED = {rule.record.name: rule.record for group in recording.groups() for rule in group.rules}


def stop_of(owner: Owner) -> int:
    """When this source stops."""
    return _BASE + list(Owner).index(owner) * _APART_SECONDS + _LIVE_SECONDS


@contextmanager
def stopped_sources(folder: Path, binaries: Mapping[Program, Binary]) -> Iterator[Running]:
    """A Prometheus that has seen each source stop for an hour while the others continued, in turn."""
    texts = [text for owner in Owner for text in _hours_around(owner)]
    (folder / "data.om").write_text("".join(text.removesuffix("# EOF\n") for text in texts) + "# EOF\n", "utf-8")
    tool = [str(binaries[Program.PROMTOOL].path), "tsdb", "create-blocks-from", "openmetrics", "-q"]
    subprocess.run([*tool, "data.om", "data"], cwd=folder, check=True, timeout=120)
    (folder / "prometheus.yml").write_text("global: {}\n", "utf-8")
    (port,) = PortPool().take(1)
    argv = (
        str(binaries[Program.PROMETHEUS].path),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--query.lookback-delta={LOOK_BACK_SECONDS}s",
    )
    running = Running(argv, port, "/-/ready", folder, folder / "prometheus.log").start()
    try:
        yield running
    finally:
        running.stop()


def _hours_around(owner: Owner) -> Iterator[str]:
    """From hours before a stop to an hour after it: every scrape where panels look closely, else now and then."""
    stop = stop_of(owner)
    window, hour = (stop + seconds for seconds in MOMENTS.values())
    # The last of them has an alert of 45 seconds and, a minute before its end, a deploy.
    fails = (0.1, 0.2) if owner == list(Owner)[-1] else (2, 3)
    pieces = (
        (stop - _APART_SECONDS + 3600 + 2 * _SPARSE_SECONDS, stop - _LIVE_SECONDS, _SPARSE_SECONDS, (2, 3)),
        (stop - _LIVE_SECONDS, window + 2 * STEP_SECONDS, STEP_SECONDS, fails),
        (window + 2 * _SPARSE_SECONDS, hour - _LIVE_SECONDS, _SPARSE_SECONDS, (2, 3)),
        (hour - _LIVE_SECONDS, hour + 2 * STEP_SECONDS, STEP_SECONDS, (2, 3)),
    )
    for start, end, step, failing in pieces:
        yield openmetrics(start, end, failing=failing, step_seconds=step, stops={owner: stop})


class GrafanaRefresher(Refresher):
    """Keeps what Grafana gets: every digit, and no point where there is none.

    Its last point is of the last whole step, where the console's is of now.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.exact: dict[int, dict[str, Any]] = {}

    async def _frames(self, target: PanelQuery, expression: str, time: TimeRange, step: float) -> list[Frame]:
        frames = await super()._frames(target, expression, time, step)
        for frame in frames:
            if not frame.step_seconds:
                columns = [[str(value) for value in row] for row in frame.values.tolist()]
                self.exact[id(frame)] = frame.as_document() | {"columns": columns}
                continue
            whole = TimeRange(time.start // step * step, time.end // step * step)
            answer = await self._range(expression, whole, step)
            document = range_frame(target, answer, whole, step).as_document()
            points = [one["values"] for one in answer]
            self.exact[id(frame)] = document | {
                "columns": [[value for _, value in row] for row in points],
                "times": [[float(moment) for moment, _ in row] for row in points],
            }
        return frames


@dataclass(frozen=True, slots=True)
class Shown:
    """What one series of a panel says at the end of the range.

    Args:
        text: of a number, of the newest point of a line, or of a row of a table.
        last: seconds since 1970 of the last point that is drawn; None for a number.
        source: the processes that it is of.
    """

    text: str
    last: float | None
    source: frozenset[Owner]


@dataclass(frozen=True, slots=True)
class Reading:
    """What both renderers show in one panel.

    Args:
        time: the range that the panel draws.
        step: between points of a line; 0 for the others.
    """

    dashboard: str
    panel: Mapping[str, Any]
    time: TimeRange
    step: float
    shown: Mapping[str, Sequence[Shown]]

    @property
    def owners(self) -> frozenset[Owner]:
        """The processes whose metrics the panel reads."""
        return frozenset().union(*(owners_of(target["expr"]) for target in self.panel["targets"]))

    @property
    def words(self) -> str:
        """What the panel says where there is nothing."""
        return str(self.panel["fieldConfig"]["defaults"].get("noValue") or "No data")

    @property
    def is_drawn_over_time(self) -> bool:
        return self.panel["type"] in ("timeseries", "state-timeline")


async def read(url: str, now: float, start: str) -> list[Reading]:
    """Every panel of every dashboard with a query, over a range up to a moment."""
    async with aiohttp.ClientSession() as http:
        prometheus = Prometheus(http, url)
        status = StatusReader(prometheus, lambda: now)
        refresher = GrafanaRefresher(
            DashboardFiles(files.dashboards_folder()), prometheus, status, lambda: now, STEP_SECONDS
        )
        asked = [(document["title"], *one) for document in DOCUMENTS for one in await _ask(refresher, document, start)]
        await refresher.close()
    cases = [_case(panel, answer, refresher.exact) for _, panel, answer in asked]
    found = run({"theme": "dark", "panels": cases})["panels"]
    return [_reading(*one, rendered, refresher.exact) for one, rendered in zip(asked, found, strict=True)]


async def _ask(
    refresher: Refresher, document: Mapping[str, Any], start: str
) -> list[tuple[Mapping[str, Any], PanelAnswer]]:
    panels = [panel for panel in drawn_panels(document) if panel.get("targets")]
    request = RefreshRequest(start, "now", tuple(PanelView(panel["id"], 1000) for panel in panels))
    answer = await refresher.refresh(document["uid"], request)
    errors = [one.errors for one in answer.panels.values() if one.errors]
    if errors:
        raise RuntimeError(f"{document['title']}: Prometheus refused queries: {errors}")
    return [(panel, answer.panels[panel["id"]]) for panel in panels]


def _case(panel: Mapping[str, Any], answer: PanelAnswer, exact: Mapping[int, Any]) -> dict[str, Any]:
    return {
        "panel": panel,
        "exact": [exact[id(frame)] for frame in answer.frames],
        "wire": [orjson.loads(orjson.dumps(frame.as_document())) for frame in answer.frames],
        "now": [answer.time.start, answer.time.end],
    }


def _reading(
    dashboard: str,
    panel: Mapping[str, Any],
    answer: PanelAnswer,
    rendered: Mapping[str, Any],
    exact: Mapping[int, Any],
) -> Reading:
    asked = {target["refId"]: target["expr"] for target in panel["targets"]}
    frames = {
        "grafana": [exact[id(frame)] for frame in answer.frames],
        "console": [{"ref": frame.ref, "labels": frame.labels} for frame in answer.frames],
    }
    nothing = [frozenset().union(*map(owners_of, asked.values()))]
    shown = {name: _shown(panel, rendered[name], _sources(frames[name], asked) or nothing) for name in _RENDERERS}
    step = max((frame.step_seconds for frame in answer.frames), default=0.0)
    return Reading(dashboard, panel, answer.time, step, shown)


def _sources(frames: Sequence[Mapping[str, Any]], asked: Mapping[str, str]) -> list[frozenset[Owner]]:
    return [_source(labels, asked[frame["ref"]]) for frame in frames for labels in frame["labels"]]


def _source(labels: Mapping[str, str], expression: str) -> frozenset[Owner]:
    """Of one series: its job, its instance, or all that its query reads."""
    if labels.get("job") in set(Owner):
        return frozenset({Owner(labels["job"])})
    return frozenset(owner for owner, instance in INSTANCES.items() if labels.get("instance") == instance) or owners_of(
        expression
    )


def _shown(panel: Mapping[str, Any], rendered: Sequence[Mapping[str, Any]], sources: Sequence[Any]) -> list[Shown]:
    if panel["type"] == "table":
        rows = max((len(column["texts"]) for column in rendered), default=0)
        columns = [column["texts"] for column in rendered if len(column["texts"]) == rows]
        texts = [" ".join(column[row] for column in columns) for row in range(rows)]
        return [Shown(text, None, source) for text, source in zip(texts, sources, strict=False)]
    if panel["type"] in _NUMBERS:
        # Grafana writes its words for nothing as if they were a number.
        return [Shown(one["text"], None, source) for one, source in zip(rendered, sources, strict=False)]
    series = (one["now"] for one in rendered)
    return [Shown(one["text"], one["last"], source) for one, source in zip(series, sources, strict=False)]


# ---- What it says, judged


def reach_seconds(expression: str, step: float, range_seconds: float) -> float:
    """How long after the last sample a query still has a result: its windows, and those of what it reads recorded."""
    lengths = {
        "$__rate_interval": rate_interval(step or STEP_SECONDS, STEP_SECONDS),
        "$__interval": step,
        "$__range": range_seconds,
    }
    windows = [lengths.get(one) or parse_duration(one) or 0.0 for one in _BRACKETS.findall(expression)]
    return max(windows, default=0.0) + _recorded_window([expression])


OLD = "AN OLD NUMBER"
# What a legend reads where its panel has no words: Grafana nothing, the console its dash.
_NOTHING = ("", NO_VALUE)


def verdicts(reading: Reading, stopped: Owner, renderer: str) -> list[str]:
    """What each series of a panel says after this source has stopped, the same said once."""
    found = dict.fromkeys(_verdict(reading, one, stopped) for one in reading.shown[renderer])
    return list(found) or [f"“{reading.words}”"]


def is_silent(reading: Reading, renderer: str) -> bool:
    """Whether a panel says nothing but its words for nothing, or draws nothing at the end of the range."""
    return all(one.text in (reading.words, *_NOTHING) for one in reading.shown[renderer])


def _verdict(reading: Reading, one: Shown, stopped: Owner) -> str:
    expressions = [target["expr"] for target in reading.panel["targets"]]
    if not reading.is_drawn_over_time and one.text in (reading.words, *_NOTHING):
        return f"“{reading.words}”"
    if any(map(_OF_PROMETHEUS.search, expressions)):
        return "continues: Prometheus knows it"
    if one.source != {stopped}:
        return "the other sources continue"
    if reading.is_drawn_over_time:
        return _drawn(reading, one, stopped, expressions)
    if any("$__range" in expression for expression in expressions):
        return "of the whole range"
    window = _recorded_window(expressions)
    return f"of the last {_length(window)}" if reading.time.end - stop_of(stopped) <= window else OLD


def _drawn(reading: Reading, one: Shown, stopped: Owner, expressions: Sequence[str]) -> str:
    """Of a line or a band: no point may be later than its query can see, and after the last it says no value of now."""
    if one.last is None:
        return f"“{reading.words}”"
    if one.last > stop_of(stopped) + _allowed(reading, expressions):
        return OLD
    if one.text not in (reading.words, *_NOTHING):
        return f"newest point, of {_length(max(reading.step, _recorded_window(expressions)))}"
    words = reading.panel["fieldConfig"]["defaults"].get("noValue") or NO_VALUE
    return f"line ends, legend “{words}”" if reading.panel["type"] == "timeseries" else "band ends"


def _recorded_window(expressions: Sequence[str]) -> float:
    found = (window_seconds(record) for name, record in _RECORDED.items() if any(name in one for one in expressions))
    return max(found, default=0.0)


def _allowed(reading: Reading, expressions: Sequence[str]) -> float:
    longest = max(reach_seconds(one, reading.step, reading.time.seconds) for one in expressions)
    return longest + LOOK_BACK_SECONDS + STEP_SECONDS


def _length(seconds: float) -> str:
    for name, size in (("d", _DAY_SECONDS), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {name}"
    return f"{seconds:g} s"


# ---- The report


Readings = Mapping[tuple[Owner, str, str], Sequence[Reading]]


async def read_all(url: str) -> Readings:
    """Every panel after each stop, at each moment and range."""
    return {
        (owner, moment, start): await read(url, stop_of(owner) + seconds, start)
        for owner in Owner
        for moment, seconds in MOMENTS.items()
        for start in RANGES
    }


def old_numbers(readings: Readings) -> list[tuple[str, ...]]:
    """Every place where a number of a stopped source stands as that of now."""
    return [
        (str(owner), moment, start, renderer, one.dashboard, one.panel["title"])
        for (owner, moment, start), found in readings.items()
        for one in found
        for renderer in _RENDERERS
        if OLD in verdicts(one, owner, renderer)
    ]


_HEAD = f"""# What panels say after their source has stopped

Each source is stopped in turn while the others continue.
Every panel of every dashboard that reads it is then drawn over the last hour, 24 hours and 30 days, a rate window \
(one minute, and what a scrape takes) and an hour after the stop: by the console's own classes, and by Grafana's own \
library.
Written by `python -m tools.stopped_sources`; `tests/browser/test_stopped_sources.py` compares it.
The measurements are simulated, Prometheus is real.

| it says | it means |
|---|---|
| “no requests” | the panel's words for nothing are in the place of its number |
| line ends, legend “no requests” | the line is drawn up to the stop, a rate while its window holds samples; the \
legend's last value is the panel's words for nothing, “{NO_VALUE}” where it has none (Grafana then leaves it empty) |
| band ends | no state is drawn after the stop |
| newest point, of 3 h | the last point is computed from this much time, in which the source was still there |
| of the whole range, of the last 30 d | a sum or a share over this time, which stays true |
| the other sources continue | these series are of sources that did not stop, or of several |
| continues: Prometheus knows it | whether a scrape succeeds, and which alerts fire, is known without the source |

A cell says one thing where both renderers say it at all three ranges.
"""


def report(readings: Readings) -> str:
    """The whole list, as Markdown."""
    parts = [_HEAD]
    for owner in Owner:
        parts.append(f"## {owner} stopped\n")
        parts += [_table(readings, owner, document["title"]) for document in DOCUMENTS]
    return "\n".join(parts)


def _table(readings: Readings, owner: Owner, dashboard: str) -> str:
    views = {
        (moment, start): [one for one in readings[owner, moment, start] if one.dashboard == dashboard]
        for moment in MOMENTS
        for start in RANGES
    }
    first = next(iter(views.values()))
    rows = [
        f"| {one.panel['title']} | {one.panel['type']} | {' | '.join(_cell(views, at, owner, m) for m in MOMENTS)} |"
        for at, one in enumerate(first)
        if owner in one.owners
    ]
    others = len(first) - len(rows)
    head = f"### {dashboard}\n\n{others} panels read nothing of it."
    if not rows:
        return head + "\n"
    heads = f"| panel | type | {' | '.join(f'after {moment}' for moment in MOMENTS)} |"
    return "\n".join((head, "", heads, "|---|---|" + "---|" * len(MOMENTS), *rows, ""))


def _cell(views: Mapping[tuple[str, str], Sequence[Reading]], at: int, owner: Owner, moment: str) -> str:
    """What a panel says, with where it says it if it does not say so everywhere."""
    said: dict[str, list[str]] = {}
    for start in RANGES:
        for renderer in _RENDERERS:
            text = "; ".join(verdicts(views[moment, start][at], owner, renderer))
            said.setdefault(text, []).append(f"{renderer} {start.removeprefix('now-')}")
    if len(said) == 1:
        return next(iter(said))
    return "<br>".join(f"{_where(places)}: {text}" for text, places in said.items())


def _where(places: Sequence[str]) -> str:
    lengths = list(dict.fromkeys(place.split()[1] for place in places))
    both = [length for length in lengths if sum(place.endswith(f" {length}") for place in places) == len(_RENDERERS)]
    alone = [place for place in places if place.split()[1] not in both]
    return ", ".join((*both, *alone))


def main() -> int:
    """Write the report."""
    binaries = find_or_fetch(cache_folder(StackSettings.from_environment().cache_home), lambda _: None, (*Program,))
    with TemporaryDirectory() as folder, stopped_sources(Path(folder), binaries) as prometheus:
        readings = asyncio.run(read_all(prometheus.url))
    REPORT.write_text(report(readings), "utf-8")
    old = old_numbers(readings)
    for one in old:
        print("old:", *one, sep=" | ")
    panels = len({(one.dashboard, one.panel["id"]) for found in readings.values() for one in found})
    print(f"{panels} panels, {len(readings)} readings of each in two renderers, {len(old)} old numbers: {REPORT}")
    return bool(old)


if __name__ == "__main__":
    sys.exit(main())
