"""Synchrony against a brute-force reference, and what must not change it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.stream import Stream
from edgeinfer.gateway.synchrony import confidence_of, cross_correlations, measure

Signal = NDArray[np.float64]


def smooth_noise(seed: int, length: int = 600) -> Signal:
    noise = np.random.default_rng(seed).normal(size=length + 20)
    return np.convolve(noise, np.hanning(9), "same")[10 : 10 + length]


def seconds(first: int, end: int) -> Signal:
    return np.arange(first, end, dtype=np.float64) * 0.01


def stream_of(role: str, magnitude: Signal, first_seconds: float = 0.0) -> Stream:
    values = np.zeros((len(magnitude), 9), np.float32)
    values[:, 0] = magnitude
    stream = Stream(role)
    stream.append(Batch(seconds(0, len(magnitude)) + first_seconds, values))
    return stream


def brute_force(one: Signal, other: Signal, lags: int) -> list[float]:
    length = len(one) - 2 * lags
    middle = one[lags : lags + length]
    found = []
    for lag in range(2 * lags + 1):
        piece = other[lag : lag + length]
        found.append(float(np.corrcoef(middle, piece)[0, 1]))
    return found


@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(130, 500))
@settings(max_examples=50)
def test_correlations_equal_the_brute_force_ones(seed: int, lags: int, length: int) -> None:
    lags = min(lags, (length - 100) // 2)
    one, other = smooth_noise(seed, length), smooth_noise(seed + 1, length)
    assert cross_correlations(one, other, lags) == pytest.approx(brute_force(one, other, lags), abs=1e-9)


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-50, 50))
@settings(max_examples=50)
def test_scale_and_offset_change_nothing(seed: int, scale: float, offset: float) -> None:
    one, other = smooth_noise(seed), smooth_noise(seed + 7)
    plain = cross_correlations(one, other, 50)
    assert cross_correlations(one, scale * other + offset, 50) == pytest.approx(plain, abs=1e-6)
    assert confidence_of(0.3, one, scale * other + offset, 500, 101) == pytest.approx(
        confidence_of(0.3, one, other, 500, 101), abs=1e-6
    )


@given(st.integers(0, 1000), st.integers(-50, 50))
@settings(max_examples=50, deadline=None)
def test_a_delayed_copy_is_found_at_its_lag(seed: int, delay: int) -> None:
    movement = 10 + smooth_noise(seed, 700)
    dog = stream_of("dog", movement[100:600])
    handler = stream_of("handler", movement[100 - delay : 600 - delay])
    found = measure(dog, handler)
    assert found.r == pytest.approx(1.0, abs=1e-5)
    assert found.lag_seconds == pytest.approx(abs(delay) / 100)
    assert found.leader == ("" if delay == 0 else "dog" if delay > 0 else "handler")
    assert found.confidence > 0.99


@given(st.integers(0, 100_000), st.integers(0, 700), st.integers(0, 700))
@settings(max_examples=60, deadline=None)
def test_all_values_are_within_their_bounds(seed: int, first: int, second: int) -> None:
    found = measure(
        stream_of("a", smooth_noise(seed, 800)[:first]), stream_of("b", smooth_noise(seed + 1, 800)[:second])
    )
    assert -1 <= found.r <= 1
    assert found.lag_seconds >= 0
    assert 0 <= found.confidence <= 1
    assert found.window_seconds <= 5.0


def test_unrelated_streams_are_rarely_trusted() -> None:
    trusted = [
        measure(stream_of("a", 10 + smooth_noise(seed)), stream_of("b", 10 + smooth_noise(seed + 5000))).confidence
        for seed in range(200)
    ]
    assert sum(confidence > 0.95 for confidence in trusted) <= 0.15 * 200
    assert np.median(trusted) < 0.8


def test_swapping_the_streams_keeps_strength_and_swaps_the_leader() -> None:
    movement = 10 + smooth_noise(3, 700)
    dog, handler = stream_of("dog", movement[100:600]), stream_of("handler", movement[80:580])
    one, other = measure(dog, handler), measure(handler, dog)
    assert one.lag_seconds == other.lag_seconds == pytest.approx(0.2)
    assert one.leader == other.leader == "dog"


def test_a_still_sensor_shows_nothing() -> None:
    found = measure(stream_of("a", np.full(600, 9.81)), stream_of("b", 10 + smooth_noise(1)))
    assert (found.r, found.lag_seconds, found.confidence, found.leader) == (0.0, 0.0, 0.0, "")


def test_streams_that_share_no_time_are_not_compared() -> None:
    one, other = stream_of("a", smooth_noise(1), 0.0), stream_of("b", smooth_noise(1), 100.0)
    assert measure(one, other).reason == "two_clocks"


def test_too_short_streams_are_not_compared() -> None:
    found = measure(stream_of("a", smooth_noise(1, 99)), stream_of("b", smooth_noise(1, 600)))
    assert found.reason == "too_short"


def test_nothing_is_compared_across_a_hole() -> None:
    movement = 10 + smooth_noise(5, 700)
    whole = stream_of("a", movement)
    holed = stream_of("b", movement[:300])
    values = np.zeros((250, 9), np.float32)
    values[:, 0] = movement[450:]
    holed.append(Batch(seconds(450, 700), values))
    found = measure(whole, holed)
    assert found.window_seconds == pytest.approx(2.5)
    assert found.r == pytest.approx(1.0, abs=1e-5)


def test_different_clock_phases_are_brought_on_one_grid() -> None:
    times = np.arange(600) * 0.01
    wave = 10 + np.sin(times * 9) + np.sin(times * 23.7)
    later = 10 + np.sin((times + 0.004) * 9) + np.sin((times + 0.004) * 23.7)
    found = measure(stream_of("a", wave), stream_of("b", later, 0.004))
    assert found.r > 0.9999
    assert found.lag_seconds == 0


def at_rate(role: str, movement: Signal, rate: float, count: int, first_seconds: float = 0.0) -> Stream:
    """A stream that samples a 100 Hz movement at another rate, by straight lines between its points."""
    times = np.arange(count) / rate
    values = np.zeros((count, 9), np.float32)
    values[:, 0] = 10 + np.interp(times, seconds(0, len(movement)), movement)
    stream = Stream(role)
    stream.append(Batch(times + first_seconds, values))
    return stream


@pytest.mark.parametrize("rate", [25, 50, 200])
def test_streams_of_different_rates_are_compared(rate: int) -> None:
    movement = np.convolve(smooth_noise(5, 700), np.hanning(21), "same")
    found = measure(at_rate("a", movement, 100, 600), at_rate("b", movement, rate, 6 * rate))
    assert found.r == pytest.approx(1, abs=0.02)
    assert (found.lag_seconds, found.reason) == (0, "")


def no_answer(first: Stream, second: Stream) -> tuple[str, float, float, bool]:
    found = measure(first, second)
    return found.reason, found.r, found.confidence, bool(found.fault)


def test_synchrony_says_why_it_has_no_answer() -> None:
    movement = smooth_noise(6)
    whole = at_rate("a", movement, 100, 600)
    holed = stream_of("b", movement[:550])
    holed.append(Batch(seconds(570, 600), np.ones((30, 9), np.float32)))
    assert no_answer(whole, at_rate("b", movement, 10, 60)) == ("rate", 0.0, 0.0, True)
    assert no_answer(whole, holed) == ("hole", 0.0, 0.0, True)
    assert no_answer(whole, at_rate("b", movement, 100, 600, 1.7e9)) == ("two_clocks", 0.0, 0.0, True)
    assert no_answer(whole, at_rate("b", movement, 100, 50)) == ("too_short", 0.0, 0.0, True)
    assert no_answer(whole, Stream("b")) == ("too_short", 0.0, 0.0, True)


def test_a_role_that_arrives_late_is_compared_from_its_first_second_on() -> None:
    movement = smooth_noise(8, 800)
    dog, handler = at_rate("dog", movement, 100, 600), Stream("handler")
    reasons = []
    for first in range(400, 600, 50):
        handler.append(Batch(seconds(first, first + 50), dog.values[first : first + 50]))
        reasons.append(measure(dog, handler).reason)
    found = measure(dog, handler)
    assert reasons == ["too_short", "", "", ""]
    assert found.window_seconds == pytest.approx(2.0)
    assert found.lag_seconds == 0
    assert found.r == pytest.approx(1)
