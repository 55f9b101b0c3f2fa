"""What every panel says after its source has stopped, in the console and by Grafana's own library, as a report.

    python -m tools.stopped_sources

It writes docs/reports/stopped-sources.md, ends with 1 where a panel shows an old number as that of now, and takes some
minutes. Prometheus is real; what it holds is simulated from the catalog.
"""

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from edgeinfer.catalog.metric import Owner
from edgeinfer.console.formatting import NO_VALUE
from edgeinfer.console.ranges import parse_duration, rate_interval
from edgeinfer.monitoring import recording
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder
from edgeinfer.stack.fetch import find_or_fetch
from tests.console.simulation import window_seconds
from tools.stopped_readings import (
    DOCUMENTS,
    LOOK_BACK_SECONDS,
    MOMENTS,
    RENDERERS,
    STEP_SECONDS,
    Reading,
    Shown,
    read,
    stop_of,
    stopped_sources,
)

REPORT = Path(__file__).parents[1] / "docs/reports/stopped-sources.md"
RANGES = ("now-1h", "now-24h", "now-30d")
# Prometheus says these itself, whoever is away; and an alert does not measure a source.
_OF_PROMETHEUS = re.compile(r"\b(up|scrape_\w+|ALERTS|history:up:\w+|history:alerts_firing:\w+)\b|vector\(0\)$")
_BRACKETS = re.compile(r"\[([^\]:]+)[\]:]")
_DAY_SECONDS = 86_400
_RECORDED = {rule.record.name: rule.record for group in recording.groups() for rule in group.rules}


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
        for renderer in RENDERERS
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
        for renderer in RENDERERS:
            text = "; ".join(verdicts(views[moment, start][at], owner, renderer))
            said.setdefault(text, []).append(f"{renderer} {start.removeprefix('now-')}")
    if len(said) == 1:
        return next(iter(said))
    return "<br>".join(f"{_where(places)}: {text}" for text, places in said.items())


def _where(places: Sequence[str]) -> str:
    lengths = list(dict.fromkeys(place.split()[1] for place in places))
    both = [length for length in lengths if sum(place.endswith(f" {length}") for place in places) == len(RENDERERS)]
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
