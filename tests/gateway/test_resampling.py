"""A window is what its times say, or it is refused with the reason."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgeinfer.errors import InputError, NotEnoughSamples, UnusableWindow
from edgeinfer.gateway.resampling import LIMITS, cut_window


def swing(times: NDArray[np.float64], hertz: float = 2.0) -> NDArray[np.float32]:
    """Nine channels of one movement at these times."""
    phases = np.arange(9) / 9
    return np.sin(2 * np.pi * (hertz * times[:, None] + phases)).astype(np.float32)


def reason_of(failure: InputError) -> Any:
    return failure.fields["reason"]


@pytest.mark.parametrize("start", [0.0, 1000.0, 1.7e9, -3.0])
def test_at_the_models_rate_the_window_is_the_samples_bit_for_bit(start: float) -> None:
    times = np.round(start + np.arange(250) / 100, 4)
    values = swing(times - start)
    window, source = cut_window(times, values)
    assert window.tobytes() == values[-100:].tobytes()
    assert (source.samples, source.interpolated) == (100, 0.0)
    assert source.span_seconds == pytest.approx(1.0, abs=1e-5)
    assert source.rate_hz == pytest.approx(100, rel=1e-3)
    window[:] = 0
    assert values[-1].any(), "the window is a copy"


@pytest.mark.parametrize(
    ("rate", "error"), [(25, 0.02), (50, 0.005), (99.3, 0.001), (120, 0.001), (200, 0.003), (1000, 0.003)]
)
def test_another_rate_gives_the_same_movement_at_the_models_rate(rate: float, error: float) -> None:
    times = 50 + np.arange(int(3 * rate)) / rate
    window, source = cut_window(times, swing(times))
    grid = times[-1] - np.arange(99, -1, -1) / 100
    assert np.abs(window - swing(grid)).max() < error
    assert source.rate_hz == pytest.approx(rate)
    assert source.span_seconds == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(("rate", "share"), [(50, 0.5), (25, 0.75), (200, 0.0)])
def test_the_share_of_interpolated_rows_is_stated(rate: int, share: float) -> None:
    times = np.arange(3 * rate) / rate
    assert cut_window(times, swing(times))[1].interpolated == pytest.approx(share, abs=0.011)


def test_jitter_with_true_times_is_taken_out() -> None:
    random = np.random.default_rng(1)
    times = np.sort(np.arange(300) / 100 + random.uniform(-0.01, 0.01, 300))
    window, _ = cut_window(times, swing(times))
    straight = np.abs(swing(times)[-100:] - swing(times[-1] - np.arange(99, -1, -1) / 100)).max()
    assert np.abs(window - swing(times[-1] - np.arange(99, -1, -1) / 100)).max() < straight / 3


def test_what_is_too_fast_for_the_models_rate_does_not_fold_down() -> None:
    times = np.arange(600) / 200
    folded = swing(times, 70.0)[::2][-100:]
    window, _ = cut_window(times, swing(times, 70.0))
    assert np.abs(folded).max() > 0.9, "every second sample alone shows a movement of 30 Hz"
    assert np.sqrt((window[10:90] ** 2).mean()) < 0.1


@pytest.mark.parametrize(("hertz", "kept"), [(5.0, 0.99), (20.0, 0.97), (30.0, 0.9)])
def test_the_filter_keeps_what_the_models_rate_can_hold(hertz: float, kept: float) -> None:
    times = np.arange(600) / 200
    window, _ = cut_window(times, swing(times, hertz))
    expected = swing(times[-1] - np.arange(99, -1, -1) / 100, hertz)
    assert np.sqrt((window[10:90] ** 2).mean()) > kept * np.sqrt((expected[10:90] ** 2).mean())


def test_a_level_stays_a_level_to_the_last_row() -> None:
    for rate in (20, 50, 99, 160, 400):
        times = np.arange(3 * rate) / rate
        window, _ = cut_window(times, np.full((len(times), 9), 9.81, np.float32))
        assert window == pytest.approx(9.81, abs=1e-5)


@pytest.mark.parametrize(
    ("times", "kind", "reason"),
    [
        (np.arange(99) / 100, NotEnoughSamples, "too_short"),
        (np.empty(0), NotEnoughSamples, "too_short"),
        (np.array([5.0]), NotEnoughSamples, "too_short"),
        (np.arange(150) / 200, NotEnoughSamples, "too_short"),
        (np.arange(60) / 12, UnusableWindow, "rate"),
        (np.concatenate((np.arange(100) / 100, 1.15 + np.arange(40) / 100)), UnusableWindow, "hole"),
    ],
)
def test_what_makes_no_window_is_refused_with_what_was_seen(
    times: NDArray[np.float64], kind: type[InputError], reason: str
) -> None:
    with pytest.raises(kind) as refused:
        cut_window(times, swing(times))
    assert reason_of(refused.value) == reason
    assert refused.value.fields["seen"]["samples"] <= len(times)  # type: ignore[index]  # an object by its annotation


def test_a_hole_is_bridged_by_a_straight_line_that_overshoots_nothing() -> None:
    times = np.concatenate((np.arange(150) / 100, 1.59 + np.arange(50) / 100))
    values = np.repeat(100 * times.clip(max=1.49)[:, None], 9, axis=1).astype(np.float32)
    window, source = cut_window(times, values)
    assert source.max_hole_seconds == pytest.approx(0.1)
    assert window.max() <= 149.1
    assert cut_window(times[::2], values[::2])[0].max() <= 149.1


def test_a_hole_before_the_newest_second_does_not_matter() -> None:
    times = np.concatenate((np.arange(100) / 100, 600 + np.arange(100) / 100))
    window, source = cut_window(times, swing(times))
    assert source.max_hole_seconds == pytest.approx(0.01)
    assert len(window) == 100


@given(
    st.lists(st.floats(1e-4, 0.3), min_size=0, max_size=400),
    st.sampled_from([0.0, 1e5, 1.7e9]),
)
def test_every_window_spans_its_second_without_a_hole_or_is_refused(steps: list[float], start: float) -> None:
    times = np.unique(start + np.cumsum(np.array([0.0, *steps])))
    values = swing(times - start)
    try:
        window, source = cut_window(times, values)
    except (NotEnoughSamples, UnusableWindow):
        return
    used = times[-source.samples :]
    assert 0.985 - 1e-5 <= used[-1] - used[0] <= 0.99 + LIMITS.max_hole_seconds + 1e-3
    assert np.diff(used).max() <= LIMITS.max_hole_seconds + 1e-3
    assert source.rate_hz >= LIMITS.min_rate_hz
    assert window.shape == (100, 9)
    assert np.isfinite(window).all()
    assert np.abs(window).max() <= 1.5, "a cubic that overshoots"
