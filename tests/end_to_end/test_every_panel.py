"""Every query of every panel draws finite, plausible numbers from the real Prometheus, while things go wrong."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeinfer.recordings.reader import load_recording
from tests.end_to_end.panel_station import Answer, PanelStation, panel_station
from tests.end_to_end.running_stack import kill, until

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]

TABLE = Path("build/every-panel.md")
# Query of a panel that may be empty here, and why.
MAY_BE_EMPTY: dict[tuple[str, str], str] = {
    ("Throttling level", "announced_throttling"): "only a Hailo-10H announces throttling states",
    ("Clock", "announced_clock"): "the chip announces a clock only when it changes it",
    ("Frames in flight", "frames_in_flight"): "only a sidecar with a chip has frames in flight",
    ("Answers by status", "5.."): "failures are drawn only where there are some, and the fallback answers here",
    ("Collectors that failed", ""): "every collector of these processes reads, most of the time",
}
BOUNDS = {
    "percentunit": (-100.0, 1.0001),
    "s": (0.0, 3600.0),
    "celsius": (0.0, 130.0),
    "hertz": (0.0, 1e9),
    "watt": (0.0, 30.0),
    "bytes": (0.0, 1e13),
    "reqps": (0.0, 1e5),
    "suffix:/s": (0.0, 1e6),
    # A sample has the time at which its scrape began: what was read during a slow scrape is later than it.
    "dthms": (-30.0, 3600.0),
}
_NAMES = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelStation]:
    with panel_station(tmp_path_factory.mktemp("panels")) as running:
        yield running


def _samples() -> list[dict[str, float]]:
    recording = load_recording("walking-upper-leg")
    rows = recording.samples[:100].tolist()
    return [{"t": number / recording.rate_hz, **dict(zip(_NAMES, row, strict=True))} for number, row in enumerate(rows)]


def _ask(station: PanelStation, windows: list[dict[str, float]], times: int, pause: float = 0.0) -> None:
    for _ in range(times):
        station.stack.ask("POST", "/api/v1/analysis/process", {"samples": windows})
        time.sleep(pause)


def _live(station: PanelStation) -> None:
    """What phones do in a minute, with faults: bad bodies, a killed sidecar, a chip that gets hot and falls silent."""
    windows = _samples()
    _, session = station.stack.ask("POST", "/api/v1/analysis/start", {})
    times = {"sessionId": session["sessionId"], "windowStart": 0, "windowEnd": 1}
    station.stack.ask("PUT", "/api/v1/analysis/stream", times | {"samples": windows, "activity": "walking"})
    # A sensor in g whose clock is an hour behind: it must be seen while its stream is new.
    behind = [sample | {"t": time.time() - 3600 + sample["t"], "ax": 0, "ay": 0, "az": 1} for sample in windows]
    sick = {"sessionId": session["sessionId"], "role": "sick", "samples": behind}
    station.stack.ask("PUT", "/api/v1/analysis/stream", sick)
    station.stack.ask("GET", f"/api/v1/analysis/motifs?sessionId={session['sessionId']}&role=default")
    assert until(lambda: math.isfinite(station.value("max(edgeinfer_stream_problem)")), 60, pause=1)
    # Only this state of the chip has a power meter: Prometheus must have seen it, and a step of the graphs too.
    assert until(lambda: math.isfinite(station.value("max(hailo_hardware_power_watts)")), 90, pause=1)
    time.sleep(6)
    station.chip_becomes("throttled")
    for _ in range(2):
        _ask(station, windows, 20, 0.1)
        station.stack.ask("GET", f"/api/v1/analysis/motifs?sessionId={session['sessionId']}")
        station.stack.ask("POST", "/api/v1/analysis/process", {"samples": []})
        station.stack.ask("GET", "/api/v1/analysis/motifs?sessionId=unknown")
        kill(next(pid for name, pid in station.stack.pids().items() if name.startswith("sidecar")))
        _ask(station, windows, 10, 0.5)
    station.chip_becomes("critical")
    # Drift takes at most one answer in fifty milliseconds and some hundred of them; CPU needs two readings.
    _ask(station, windows, 300, 0.06)
    assert until(lambda: station.learn_drift_baseline() == 0, 60, pause=2)
    station.chip_becomes("silent-sensor")
    _ask(station, windows, 100, 0.1)
    station.stack.ask("POST", "/api/v1/analysis/stop", {"sessionId": session["sessionId"]})
    # What comes last: a busy machine takes its time to follow the baseline, to scrape and to record it.
    assert until(lambda: math.isfinite(station.value("max(history:hailo_latent_drift_score:max5m)")), 90, pause=1)
    time.sleep(5)


def test_every_query_of_every_panel_draws_plausible_numbers(station: PanelStation) -> None:
    _live(station)
    answers = station.answers()
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(_table(answers), encoding="utf-8")
    assert len(answers) > 170
    empty = [f"{one.panel}: {one.query}" for one in answers if not one.values and not _may_be_empty(one)]
    assert empty == []
    assert [f"{one.panel}: {one.query}" for one in answers if not all(map(math.isfinite, one.values))] == []
    assert [f"{one.panel}: {one.last} {one.unit}" for one in answers if not _plausible(one)] == []


def test_the_parts_of_a_call_add_up_to_the_whole(station: PanelStation) -> None:
    inside, outside = "hailo_sidecar_stage_duration_seconds_sum", "edgeinfer_network_duration_seconds_sum"
    parts = f"sum(increase({inside}[20s])) + sum(increase({outside}[20s]))"
    share = f"({parts}) / sum(increase(hailo_inference_duration_seconds_sum[20s]))"
    # Long enough for whatever went before to be out of the window.
    for _ in range(25):
        _ask(station, _samples(), 20, 0.05)
    assert station.value(share) == pytest.approx(1.0, abs=0.15)


def _may_be_empty(answer: Answer) -> bool:
    return any(answer.panel == panel and word in answer.query for panel, word in MAY_BE_EMPTY)


def _plausible(answer: Answer) -> bool:
    low, high = BOUNDS.get(answer.unit, (-math.inf, math.inf))
    return all(low <= value <= high for value in answer.values)


def _table(answers: list[Answer]) -> str:
    rows = [
        f"| {one.dashboard} | {one.panel} | `{one.query.replace('|', chr(92) + '|')}` | {one.series} "
        f"| {len(one.values)} | "
        f"{'' if one.last is None else format(one.last, '.6g')} |"
        for one in answers
    ]
    return "\n".join(
        ["| dashboard | panel | query | series | points | last value |", "|---|---|---|---|---|---|", *rows, ""]
    )
