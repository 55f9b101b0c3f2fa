"""Measurements from the future, as a clock leaves them that was ahead once, before real servers."""

import subprocess
import time
from pathlib import Path

import pytest

from edgeinfer.stack.binaries import Program, cache_folder, find_all
from edgeinfer.stack.folder import prepare
from edgeinfer.stack.inspection import inspect_monitoring
from edgeinfer.stack.repair import Repairs
from edgeinfer.stack.tsdb_files import newest_time
from tests.end_to_end.running_stack import RunningStack, until
from tests.stack.recorded_events import RecordedEvents

pytestmark = pytest.mark.end_to_end
_DAY = 86_400


def with_block(root: Path, days_ahead: float) -> None:
    """A data folder with a block that ends in the future, and when it does."""
    end = int(time.time() + days_ahead * _DAY)
    samples = [f'temperature{{job="past"}} 1 {moment}' for moment in range(end - 3600, end, 60)]
    source = root.parent / "future.om"
    source.write_text("\n".join(["# TYPE temperature gauge", *samples, "# EOF\n"]))
    promtool = find_all(cache_folder(Path("~/.cache")))[Program.PROMTOOL]
    command = [
        str(promtool.path),
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        str(source),
        str(prepare(root).prometheus),
    ]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.timeout(240)
def test_a_clock_that_was_ahead_by_days_stops_no_measurement_and_is_said(tmp_path: Path) -> None:
    with_block(tmp_path / "data", days_ahead=10)
    running = RunningStack(tmp_path / "data", "--no-replay", "--sidecars", "0")
    try:
        said = [event["message"] for event in running.events if event["event"] in ("warning", "damaged")]
        assert any("days ahead of this machine's clock" in one or "still to come" in one for one in said), said
        assert until(lambda: running.query('up{job="prometheus"} == 1') != {}, 40), "measurements are stored"
    finally:
        running.close()


def test_the_doctor_names_both_times_and_what_to_do(tmp_path: Path) -> None:
    with_block(tmp_path / "data", days_ahead=3)
    (found,) = [one for one in inspect_monitoring(tmp_path / "data") if one.subject == "clock"]
    assert "3.0 days ahead of this machine's clock" in found.message
    assert "timedatectl" in found.remedy


@pytest.mark.parametrize("is_synchronized", [True, False])
def test_only_a_clock_that_is_known_to_be_right_moves_what_lies_ahead_of_it(
    *, is_synchronized: bool, tmp_path: Path
) -> None:
    with_block(tmp_path / "data", days_ahead=3)
    folder, reported = prepare(tmp_path / "data"), RecordedEvents()
    repairs = Repairs(folder, reported, is_synchronized=lambda: is_synchronized)
    repairs.look_at_prometheus(repairs.look_at_records())

    newest = newest_time(folder.prometheus)
    assert (newest is None or newest < time.time()) is is_synchronized
    assert bool(repairs.done) is is_synchronized
    assert len(reported.events) > 0
