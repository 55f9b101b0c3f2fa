"""The overview in a terminal, from the shipped dashboards' own queries."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner
from rich.console import Console

from edgeinfer.cli._screen import fitted, render, sparkline
from edgeinfer.cli.top import create
from edgeinfer.console.dashboard_files import DashboardFiles
from edgeinfer.console.overview import SECTIONS, Overview, OverviewLine, read_overview
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.refresh import Refresher
from edgeinfer.console.status import StatusReader
from edgeinfer.monitoring.files import dashboards_folder
from tests.console.conftest import NOW
from tests.console.fake_prometheus import FakePrometheus, running, series

END = NOW // 5 * 5


@pytest.fixture
async def fake() -> AsyncIterator[FakePrometheus]:
    async with running(FakePrometheus()) as found:
        yield found


async def overview_of(fake: FakePrometheus, folder: Path) -> Overview:
    async with aiohttp.ClientSession() as http:
        prometheus = Prometheus(http, fake.url)
        library = DashboardFiles(folder)
        refresher = Refresher(library, prometheus, StatusReader(prometheus, lambda: NOW), lambda: NOW)
        return await read_overview(library, refresher)


def text_of(overview: Overview, width: int = 100) -> str:
    console = Console(width=width, record=True, color_system=None)
    with console.capture() as captured:
        console.print(render(overview, width))
    return captured.get()


def test_every_pick_is_a_panel_of_a_shipped_dashboard() -> None:
    library = DashboardFiles(dashboards_folder())
    picks = [pick for picks in SECTIONS.values() for pick in picks]
    titles = {pick: [panel.title for panel in library.get(pick.uid).panels.values()] for pick in picks}
    assert [pick for pick in picks if pick.title not in titles[pick]] == []


async def test_a_value_reads_as_in_the_browser_and_errors_that_do_not_happen_are_left_out(
    fake: FakePrometheus, tmp_path: Path
) -> None:
    panels: list[dict[str, Any]] = [
        {"id": 1, "type": "stat", "title": "P95 latency", "fieldConfig": {"defaults": {"unit": "s"}}},
        {"id": 2, "type": "timeseries", "title": "Errors by class", "fieldConfig": {"defaults": {"unit": "cps"}}},
    ]
    for panel, query in zip(panels, ("latency", "errors"), strict=True):
        panel["targets"] = [{"refId": "A", "expr": query, "legendFormat": "{{error_type}}"}]
    dashboard = {"uid": "hailo-sidecar-monitoring", "title": "Main", "panels": panels}
    (tmp_path / "main.json").write_text(json.dumps(dashboard), "utf-8")
    fake.series["count(up)"] = [series([(END, "1")])]
    fake.series["latency"] = [series([(END - 10, "0.02"), (END, "0.0385")])]
    fake.series["errors"] = [series([(END, "0.5")], error_type="timeout"), series([(END, "0")], error_type="http_4xx")]
    text = text_of(await overview_of(fake, tmp_path)).replace("\u202f", " ")
    assert "38.5 ms" in text
    assert "timeout" in text
    assert "http_4xx" not in text
    assert "no dashboard has this panel" in text


async def test_a_narrow_terminal_gets_no_line_that_is_too_long(fake: FakePrometheus) -> None:
    fake.series["count(up)"] = [series([(END, "1")])]
    text = text_of(await overview_of(fake, dashboards_folder()), width=40)
    assert max(len(line) for line in text.splitlines()) <= 40


async def test_what_fires_stands_before_what_is_about_to(fake: FakePrometheus) -> None:
    library = DashboardFiles(dashboards_folder())
    panel = next(one for one in library.get("edgeinfer-slo").panels.values() if one.title == "Alerts now")
    states = {
        "B": ("warning", "pending"),
        "C": ("ticket", "firing"),
        "D": ("critical", "firing"),
        "A": ("x", "pending"),
    }
    fake.series["count(up)"] = [series([(END, "1")])]
    fake.series[panel.targets[0].expression] = [
        series([(END, "1")], alertname=name, severity=severity, alertstate=state)
        for name, (severity, state) in states.items()
    ]
    alerts = (await overview_of(fake, dashboards_folder())).sections["Alerts"]
    assert [one.name for one in alerts] == ["D", "C", "B", "A"]


def readings(count: int, name: str = "Errors by class: timeout") -> tuple[OverviewLine, ...]:
    return tuple(OverviewLine(f"{name} {number}", 1.0, "1/s", history=(1.0, 2.0)) for number in range(count))


def test_a_low_terminal_shows_some_of_every_section_and_says_how_much_is_left_out() -> None:
    sections = {"Service": readings(6, "Success"), "Errors": readings(30), "Chip": (), "Alerts": readings(2, "Hot")}
    overview = Overview(NOW, {"prometheus": "ok", "firing": {"critical": 2}}, sections)
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(render(overview, 80, 20, is_live=True))
    lines = captured.get().splitlines()
    assert len(lines) == 20
    assert "2 alerts firing" in lines[0]
    assert next(line for line in lines if line.startswith("Errors")).startswith("Errors and 24 more")
    assert sum("Success" in line for line in lines) == 6
    assert sum("Hot" in line for line in lines) == 2
    assert max(map(len, lines)) <= 80


def test_sections_that_fit_are_shown_whole() -> None:
    sections = {"Service": readings(3), "Alerts": readings(1)}
    assert fitted(sections, 6) == sections
    assert [len(one) for one in fitted(sections, 5).values()] == [2, 1]


def test_a_gap_in_the_history_stays_a_gap() -> None:
    assert sparkline((0.0, None, 7.0), 10) == "▁ █"
    assert sparkline((1.0, None), 10) == ""


def test_what_does_not_change_is_no_line_at_the_bottom() -> None:
    assert sparkline((1.0, 1.0), 10) == "▄▄"


async def test_prometheus_that_is_away_is_all_there_is_to_say(fake: FakePrometheus) -> None:
    fake.raw["count(up)"] = (503, b"not yet")
    text = text_of(await overview_of(fake, dashboards_folder()))
    assert "it is starting" in text
    assert "P95" not in text


def test_without_a_terminal_one_snapshot_is_printed_and_the_exit_code_shows_it(unused_tcp_port: int) -> None:
    done = CliRunner().invoke(create(), ["--prometheus", f"http://127.0.0.1:{unused_tcp_port}", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["status"]["prometheus"] == "unreachable"
