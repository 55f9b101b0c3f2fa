"""What every panel says after its source has stopped, in the console and by Grafana's own library.

Prometheus is real; what it holds is simulated from the catalog.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from edgeinfer.catalog.metric import Owner
from edgeinfer.console.dashboard_files import DashboardFiles, PanelQuery
from edgeinfer.console.frames import Frame, range_frame
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.ranges import TimeRange
from edgeinfer.console.refresh import PanelAnswer, PanelView, Refresher, RefreshRequest
from edgeinfer.console.status import StatusReader
from edgeinfer.monitoring import files
from edgeinfer.stack.binaries import Binary, Program
from edgeinfer.stack.ports import PortPool
from tests.browser.bench import Running
from tests.console.simulation import INSTANCES, openmetrics, owners_of
from tools.grafana_judge import drawn_panels, run

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
RENDERERS = ("grafana", "console")
DOCUMENTS = [json.loads(path.read_text("utf-8")) for path in files.dashboard_files()]


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
    shown = {name: _shown(panel, rendered[name], _sources(frames[name], asked) or nothing) for name in RENDERERS}
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
