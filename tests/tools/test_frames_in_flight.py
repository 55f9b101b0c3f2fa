"""The benchmark of frames in flight measures what it says: one against several, in one run."""

from benchmarks.frames_in_flight import run, summary


def test_several_in_flight_give_a_multiple_of_the_rate_in_one_short_run() -> None:
    cells = run(1, 0.4, (1, 16))
    assert summary(cells)["rate_at_16_callers"] > 2  # 3 and more in a run that is long enough
    one, several = (cells[name][16].as_document()["mean_frames_in_flight"] for name in cells)
    assert one == 1.0
    assert several > 4
    assert all(min(cell.seconds) >= 0.003 for by_callers in cells.values() for cell in by_callers.values())
