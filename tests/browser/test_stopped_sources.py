"""A source stops: no panel of any dashboard goes on showing its last number as that of now, here or in Grafana."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import aiohttp
import orjson
import pytest

from edgeinfer.catalog.all import all_metrics
from edgeinfer.catalog.metric import Owner
from edgeinfer.console.dashboard_files import DashboardFiles, Target
from edgeinfer.console.frames import Frame
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.ranges import TimeRange
from edgeinfer.console.refresh import PanelView, Refresher, RefreshRequest
from edgeinfer.console.status import StatusReader
from edgeinfer.monitoring import files
from edgeinfer.stack.binaries import Binary, Program
from edgeinfer.stack.ports import PortPool
from tests.browser.bench import Running
from tests.console.simulation import openmetrics
from tools.grafana_judge import drawn_panels, run
from tools.promql_lint import selectors

_NUMBERS = ("stat", "gauge", "bargauge")
_STEP = 15
# A scrape that fails ends a series at once, by a mark that blocks made from text cannot carry; a short look back does
# the same to them.
_LOOK_BACK_SECONDS = 40
_WINDOW_SECONDS = 60
_BASE = 1_795_000_000 // 3600 * 3600
_LIVE_SECONDS, _AFTER_SECONDS = 300, _WINDOW_SECONDS + _LOOK_BACK_SECONDS + _STEP
_APART_SECONDS = 2 * 3600
_RANGES = ("now-1h", "now-24h", "now-30d")
DOCUMENTS = [json.loads(path.read_text("utf-8")) for path in files.dashboard_files()]
_OWNERS = {metric.name: frozenset(metric.owners) for metric in all_metrics()}
_JOB = re.compile(r'job="([\w-]+)"')
# What these say is of the whole picked range, or of alerts, and stays true when a source stops.
_OF_THE_RANGE = re.compile(r"\$__range|vector\(0\)$|^ALERTS")


def stop_of(place: int) -> int:
    """When the source of this place stops."""
    return _BASE + place * _APART_SECONDS + _LIVE_SECONDS


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, binaries: Mapping[Program, Binary]) -> Iterator[Running]:
    """A Prometheus that has seen each source stop while the others went on, one after the other."""
    folder = tmp_path_factory.mktemp("stopped")
    texts = []
    for place, owner in enumerate(Owner):
        begin, end = stop_of(place) - _LIVE_SECONDS, stop_of(place) + _AFTER_SECONDS + 2 * _STEP
        # The last of them has an alert of 45 seconds and, a minute before its end, a deploy.
        trouble = (0.1, 0.2) if owner == list(Owner)[-1] else (2, 3)
        texts.append(openmetrics(begin, end, trouble=trouble, step_seconds=_STEP, stops={owner: stop_of(place)}))
    (folder / "data.om").write_text("".join(text.removesuffix("# EOF\n") for text in texts) + "# EOF\n", "utf-8")
    tool = [str(binaries[Program.PROMTOOL].path), "tsdb", "create-blocks-from", "openmetrics", "-q"]
    subprocess.run([*tool, "data.om", "data"], cwd=folder, check=True, timeout=60)
    (folder / "prometheus.yml").write_text("global: {}\n", "utf-8")
    (port,) = PortPool().take(1)
    argv = (
        str(binaries[Program.PROMETHEUS].path),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--query.lookback-delta={_LOOK_BACK_SECONDS}s",
    )
    running = Running(argv, port, "/-/ready", folder, folder / "prometheus.log").start()
    yield running
    running.stop()


class RawRefresher(Refresher):
    """Keeps what Prometheus answered, which Grafana draws without filling gaps."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.raw: dict[int, list[list[str]]] = {}

    async def _frames(self, target: Target, expression: str, time: TimeRange, step: float) -> list[Frame]:
        frames = await super()._frames(target, expression, time, step)
        for frame in frames:
            if frame.step_seconds:
                answer = await self._range(expression, time.aligned(step), step)
                self.raw[id(frame)] = [[value for _, value in one["values"]] for one in answer]
            else:
                self.raw[id(frame)] = [[str(value) for value in row] for row in frame.values.tolist()]
        return frames


async def read(url: str, now: float, start: str) -> list[tuple[dict[str, Any], list[str], list[str]]]:
    """Every panel with a number, and what Grafana and the console write in it."""
    cases = []
    async with aiohttp.ClientSession() as http:
        prometheus = Prometheus(http, url)
        clock: Callable[[], float] = lambda: now  # noqa: E731 - a clock that stands still
        library = DashboardFiles(files.dashboards_folder())
        refresher = RawRefresher(library, prometheus, StatusReader(prometheus, clock), clock)
        kept = []
        for document in DOCUMENTS:
            panels = [panel for panel in drawn_panels(document) if panel["type"] in _NUMBERS]
            request = RefreshRequest(start, "now", tuple(PanelView(panel["id"]) for panel in panels))
            kept.append(answer := await refresher.refresh(document["uid"], request))
            assert [one.errors for one in answer.panels.values() if one.errors] == []
            cases += [_case(panel, answer.panels[panel["id"]].frames, refresher.raw) for panel in panels]
        await refresher.close()
    found = run({"theme": "dark", "panels": cases})["panels"]
    return [
        (case["panel"], [one["text"] for one in texts["grafana"]], [one["text"] for one in texts["console"]])
        for case, texts in zip(cases, found, strict=True)
    ]


def _case(panel: Mapping[str, Any], frames: list[Frame], raw: Mapping[int, list[list[str]]]) -> dict[str, Any]:
    documents = [orjson.loads(orjson.dumps(frame.as_document())) for frame in frames]
    exact = [one | {"columns": raw[id(frame)]} for one, frame in zip(documents, frames, strict=True)]
    return {"panel": panel, "exact": exact, "wire": documents}


def owners_of(panel: Mapping[str, Any]) -> frozenset[Owner]:
    """The processes whose series a panel reads."""
    return frozenset().union(*(_owners(target["expr"]) for target in panel["targets"]))


def _owners(expression: str) -> frozenset[Owner]:
    jobs = {Owner(job) for job in _JOB.findall(expression)}
    found: set[Owner] = set(jobs)
    for node in selectors(expression):
        name = re.sub("_(bucket|sum|count)$", "", node.name)
        # Recorded series are about what the gateway saw.
        found |= jobs or _OWNERS.get(name) or _OWNERS.get(node.name) or {Owner.GATEWAY}
    return frozenset(found)


def is_of_now(panel: Mapping[str, Any]) -> bool:
    return not any(_OF_THE_RANGE.search(target["expr"]) or "up{" in target["expr"] for target in panel["targets"])


def words(panel: Mapping[str, Any]) -> str:
    return str(panel["fieldConfig"]["defaults"]["noValue"])


@pytest.mark.parametrize("start", _RANGES)
@pytest.mark.parametrize("place", range(len(Owner)), ids=list(Owner))
async def test_after_a_rate_window_a_stopped_source_has_no_number_and_the_others_have(
    prometheus: Running, place: int, start: str
) -> None:
    stopped = list(Owner)[place]
    asked = [
        (panel, owners_of(panel) == {stopped}, (grafana, console or [words(panel)]))
        for panel, grafana, console in await read(prometheus.url, stop_of(place) + _AFTER_SECONDS, start)
        if is_of_now(panel) and (stopped not in owners_of(panel) or owners_of(panel) == {stopped})
    ]
    # The console says the words of a panel that has no series in its place.
    wrong = [
        (panel["title"], texts)
        for panel, is_silent, both in asked
        for texts in both
        if (set(texts) <= {words(panel)}) != is_silent
    ]
    assert wrong == []
    silent = sum(is_silent for _, is_silent, _ in asked)
    assert silent >= {Owner.GATEWAY: 8, Owner.SIDECAR: 2, Owner.EXPORTER: 5}[stopped]
    assert len(asked) - silent >= 8


@pytest.mark.parametrize("start", _RANGES)
async def test_an_hour_after_everything_stopped_no_panel_has_a_number_of_now(prometheus: Running, start: str) -> None:
    found = await read(prometheus.url, stop_of(len(Owner) - 1) + 3600, start)
    wrong = [
        (panel["title"], texts)
        for panel, grafana, console in found
        if is_of_now(panel)
        for texts in (grafana, console or [words(panel)])
        if not set(texts) <= {words(panel)}
    ]
    assert wrong == []
    assert len(found) > 30


@pytest.mark.parametrize("days", [1 / 24, 1, 7, 30])
async def test_deploys_and_short_alerts_are_marked_at_every_step(prometheus: Running, days: float) -> None:
    """A step of thirty days lasts two hours, an alert may last less than a minute."""
    step = 15 if days < 1 else 7200
    end = (stop_of(len(Owner) - 1) + _AFTER_SECONDS) // step * step + step
    async with aiohttp.ClientSession() as http:
        server = Prometheus(http, prometheus.url)
        library = DashboardFiles(files.dashboards_folder())
        refresher = Refresher(library, server, StatusReader(server, lambda: end), lambda: end)
        request = RefreshRequest(f"{(end - days * 86_400) * 1000:.0f}", f"{end * 1000:.0f}")
        answer = await refresher.refresh("edgeinfer-history", request)
        await refresher.close()
    assert {one["name"] for one in answer.annotations} == {"Alerts", "Deploys"}
    # One mark each, and not another for each part of the query that finds it.
    deploys = [one["title"] for one in answer.annotations if one["name"] == "Deploys"]
    assert len(set(deploys)) == len(deploys)
