"""A source stops: no panel of any dashboard keeps showing its last number as that of now, here or in Grafana."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import aiohttp
import pytest

from edgeinfer.catalog.metric import Owner
from edgeinfer.console.dashboard_files import DashboardFiles
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.refresh import Refresher, RefreshRequest
from edgeinfer.console.status import StatusReader
from edgeinfer.monitoring import files
from edgeinfer.stack.binaries import Binary, Program
from tools.stopped_readings import MOMENTS, STEP_SECONDS, Reading, read, stop_of, stopped_sources
from tools.stopped_sources import OLD, RANGES, REPORT, is_silent, old_numbers, report, verdicts

_RENDERERS = ("grafana", "console")
_WHOLE_SECONDS = 900
View = tuple[Owner, str, str]


@dataclass
class Views:
    """Readings of all panels, each made once."""

    url: str
    known: dict[View, list[Reading]] = field(default_factory=dict)

    def get(self, view: View) -> list[Reading]:
        owner, moment, start = view
        if view not in self.known:
            self.known[view] = asyncio.run(read(self.url, stop_of(owner) + MOMENTS[moment], start))
        return self.known[view]


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory, binaries: Mapping[Program, Binary]) -> Iterator[Views]:
    with stopped_sources(tmp_path_factory.mktemp("stopped"), binaries) as prometheus:
        yield Views(prometheus.url)


@pytest.mark.parametrize("start", RANGES)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("stopped", Owner)
def test_a_stopped_source_has_no_number_of_now_and_the_others_have(
    views: Views, stopped: Owner, moment: str, start: str
) -> None:
    found = views.get((stopped, moment, start))
    assert old_numbers({(stopped, moment, start): found}) == []
    # A tile looks at its own minutes and has its words at once; a line of days has a point of hours.
    tiles = [one for one in found if one.owners == {stopped} and one.panel.get("timeFrom")]
    spoken = {said for one in tiles for renderer in _RENDERERS for said in verdicts(one, stopped, renderer)}
    assert all(said.startswith(("“", "of the ")) for said in spoken), spoken
    ended = [one for one in found if one.owners == {stopped} and all(is_silent(one, name) for name in _RENDERERS)]
    if start != "now-30d":
        assert len(ended) >= {Owner.GATEWAY: 9, Owner.SIDECAR: 2, Owner.EXPORTER: 8}[stopped]
    others = [one for one in found if stopped not in one.owners]
    alive = [one for one in others if not all(is_silent(one, name) for name in _RENDERERS)]
    assert len(alive) >= len(others) * 0.8
    assert len(others) >= 50


@pytest.mark.timeout(_WHOLE_SECONDS)
def test_the_report_says_what_every_panel_says(views: Views) -> None:
    asked = [(owner, moment, start) for owner in Owner for moment in MOMENTS for start in RANGES]
    assert report({view: views.get(view) for view in asked}) == REPORT.read_text("utf-8"), (
        "run: python -m tools.stopped_sources"
    )


def test_an_old_number_is_found(views: Views) -> None:
    """A line that continues, and a tile that keeps its number, as they would with 'lastNotNull'."""
    found = views.get((Owner.GATEWAY, "an hour", "now-1h"))
    tile = next(one for one in found if one.panel["title"] == "P95 of phone requests")
    line = next(one for one in found if one.panel["title"] == "Request rate by route")
    for reading, last in ((tile, None), (line, line.time.end)):
        kept = [replace(one, text="25.0 ms", last=last) for one in reading.shown["grafana"]]
        assert OLD in verdicts(replace(reading, shown={"grafana": kept}), Owner.GATEWAY, "grafana")


@pytest.mark.parametrize("days", [1 / 24, 1, 7, 30])
async def test_deploys_and_short_alerts_are_marked_at_every_step(views: Views, days: float) -> None:
    """A step of thirty days lasts two hours, an alert may last less than a minute."""
    step = STEP_SECONDS if days < 1 else 7200
    end = (stop_of(list(Owner)[-1]) + MOMENTS["a rate window"]) // step * step + step
    async with aiohttp.ClientSession() as http:
        server = Prometheus(http, views.url)
        library = DashboardFiles(files.dashboards_folder())
        refresher = Refresher(library, server, StatusReader(server, lambda: end), lambda: end)
        request = RefreshRequest(f"{(end - days * 86_400) * 1000:.0f}", f"{end * 1000:.0f}")
        answer = await refresher.refresh("edgeinfer-history", request)
        await refresher.close()
    assert {one["name"] for one in answer.annotations} == {"Alerts", "Deploys"}
    # One mark each, and not another for each part of the query that finds it.
    deploys = [one["title"] for one in answer.annotations if one["name"] == "Deploys"]
    assert len(set(deploys)) == len(deploys)
