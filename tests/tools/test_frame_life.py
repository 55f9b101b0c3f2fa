"""Minutes of a chip's life with frames in flight: through the red zone, and unplugged; everything adds up."""

import pytest

from tools.frame_life import CALLERS, live


@pytest.mark.parametrize(
    ("moments", "lost"),
    [(range(1700, 1860, 5), "thermal_throttling"), (range(2600, 2860, 5), "communication_closed")],
)
def test_everything_adds_up(moments: range, lost: str) -> None:
    life = live(moments, windows=3)
    assert life.violations() == []
    sums = life.sums
    assert sums.sent == CALLERS + len(moments) * CALLERS * 3
    assert sums.right > CALLERS
    assert sums.not_ready + sums.failed_windows > 0
    assert life.counted_by_sidecar()[lost] > 0


def test_a_sum_that_is_wrong_is_said() -> None:
    life = live(range(0, 50, 5), windows=2)
    life.sums.wrong += 1
    life.sums.counted["timeout"] += 1
    assert life.violations() == ["no window got a wrong answer", "each failure is counted once, by its class"]
