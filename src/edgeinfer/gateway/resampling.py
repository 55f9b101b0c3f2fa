"""A window by its times: the newest second of a stream on the model's grid, or the reason why there is none.

Between two samples a value is taken from the cubic through its four nearest samples (Catmull-Rom with true distances
between them), across a hole from the straight line, because a cubic overshoots there. A sensor that is faster than
the model is brought on a multiple of the model's rate first, and a low-pass filter keeps what the model's rate cannot
hold (above half of it) from folding down. A grid point that has a sample on it gets that sample.
"""

import math
from dataclasses import dataclass
from functools import cache
from operator import sub

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import InputError, NotEnoughSamples, UnusableWindow
from edgeinfer.model.window import WINDOW_LENGTH, WINDOW_RATE_HZ

RATE_HZ, LENGTH = WINDOW_RATE_HZ, WINDOW_LENGTH
SPAN_TOLERANCE = 0.5
"""Periods of the model's rate by which a window's samples may miss its beginning."""
_ON_GRID = 0.25
"""Share of a period by which samples may lie off the grid and still be taken as they are."""
_FASTER = 1.3
"""Above this multiple of the model's rate a low-pass filter comes first."""
_MAX_FACTOR = 16
_TAPS_EACH_SIDE = 4  # periods of the model's rate
_NEAR = 0.5
_SAME_TIME = 0.01
_BRIDGED = 2.5
"""A step of more than so many usual steps is bridged by a straight line."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the samples of a window must be; measured on people whom the model never saw (docs/concepts/model.md).

    Args:
        min_rate_hz: least mean rate.
        max_hole_seconds: longest step between two samples that is bridged.
    """

    min_rate_hz: float = 16.0
    max_hole_seconds: float = 0.12


LIMITS = Limits()


class WindowSource(msgspec.Struct, frozen=True):
    """What a window was made from.

    Args:
        end: time of its newest sample, in seconds.
        samples: samples that it was made from.
        span_seconds: time that they cover; each stands for one step of its rate.
        rate_hz: their mean rate.
        interpolated: share of the window's rows with no sample within half a period of the model's rate.
        max_hole_seconds: longest step between two of them.
    """

    end: float
    samples: int
    span_seconds: float
    rate_hz: float
    interpolated: float
    max_hole_seconds: float


Times = NDArray[np.float64]
Values = NDArray[np.float32]


def cut_window(
    times: Times, values: Values, rate_hz: float = RATE_HZ, length: int = LENGTH, limits: Limits = LIMITS
) -> tuple[Values, WindowSource]:
    """The newest window of samples in strictly rising time.

    Args:
        times: (n,) seconds.
        values: (n, channels).
        rate_hz: of the model.
        length: rows of the model's window.
        limits: beyond which there is no window.

    Returns:
        A copy, (length, channels), and what it was made from. Samples that lie on the grid are the window, bit for bit.

    Raises:
        UnusableWindow: the samples do not reach back far enough, come too rarely, or have a hole.
    """
    period = 1.0 / rate_hz
    if len(times) >= length and (found := _on_grid(times[-length:].tolist(), period)) is not None:
        return values[-length:].copy(), found
    newest = _newest(times, period, length)
    source = _source(newest, _interpolated(newest, period, length))
    _check(source, newest, period * (length - 1), period, limits)
    grid = newest[-1] - period * np.arange(length - 1, -1, -1)
    used = values[len(values) - len(newest) :].astype(np.float64)
    return resample(newest, used, grid, source.rate_hz).astype(np.float32), source


def resample(times: Times, values: NDArray[np.float64], grid: Times, sampled_hz: float) -> NDArray[np.float64]:
    """Values at the points of an even grid, (n, channels), of samples that came at this mean rate."""
    period = float(grid[-1] - grid[0]) / (len(grid) - 1)
    if sampled_hz * period > _FASTER:
        return _decimate(times, values, grid, period, sampled_hz)
    return interpolate(times, values, grid)


def _on_grid(times: list[float], period: float) -> WindowSource | None:
    """What a window of these times was made from; None where one of them does not lie on the grid.

    Without numpy: see `edgeinfer.gateway.samples`.
    """
    first, last = times[0], times[-1]
    ahead = list(map(sub, times, _grid(len(times), period)))
    if not -_ON_GRID * period <= min(ahead) - last or not max(ahead) - last <= _ON_GRID * period:
        return None
    step = (last - first) / (len(times) - 1)
    return WindowSource(last, len(times), last - first + step, 1.0 / step, 0.0, max(map(sub, times[1:], times)))


@cache
def _grid(length: int, period: float) -> tuple[float, ...]:
    """The points of a grid that ends at 0."""
    return tuple(-period * back for back in range(length - 1, -1, -1))


def _newest(times: Times, period: float, length: int) -> Times:
    """The samples from the last one at or before the window's beginning on."""
    if not len(times):
        return times
    beginning = times[-1] - period * (length - 1)
    first = int(np.searchsorted(times, beginning + _SAME_TIME * period, side="right")) - 1
    return times[max(0, first) :]


def _source(times: Times, interpolated: float) -> WindowSource:
    if len(times) < 2:  # noqa: PLR2004 - one sample has no rate
        end = float(times[-1]) if len(times) else math.nan
        return WindowSource(end, len(times), 0.0, 0.0, interpolated, 0.0)
    reach = float(times[-1] - times[0])
    step = reach / (len(times) - 1)
    return WindowSource(
        float(times[-1]), len(times), reach + step, 1.0 / step, interpolated, float(np.diff(times).max())
    )


def _interpolated(times: Times, period: float, length: int) -> float:
    if not len(times):
        return 1.0
    grid = times[-1] - period * np.arange(length - 1, -1, -1)
    after = np.searchsorted(times, grid).clip(1, len(times) - 1) if len(times) > 1 else np.zeros(length, np.intp)
    distance = np.minimum(np.abs(grid - times[after - 1]), np.abs(times[after] - grid))
    return float(np.mean(distance > (_NEAR + 1e-6) * period))


def _check(source: WindowSource, times: Times, reach_needed: float, period: float, limits: Limits) -> None:
    reach = float(times[-1] - times[0]) if len(times) else 0.0
    if len(times) > 1 and source.max_hole_seconds > limits.max_hole_seconds + _SAME_TIME * period:
        raise _unusable("hole", f"a hole of {source.max_hole_seconds:.3g} s is in its newest second", source)
    if reach < reach_needed - SPAN_TOLERANCE * period:
        seen = f"{len(times)} samples span {reach:.3g} s of the {reach_needed:.3g} s that make a window"
        raise _unusable("too_short", seen, source)
    if source.rate_hz < limits.min_rate_hz:
        fault = f"its samples come at {source.rate_hz:.3g} Hz, less than {limits.min_rate_hz:g} Hz"
        raise _unusable("rate", fault, source)


def _unusable(reason: str, fault: str, source: WindowSource) -> InputError:
    error = NotEnoughSamples if reason == "too_short" else UnusableWindow
    return error("window", fault, _REMEDIES[reason], fields={"reason": reason, "seen": seen_of(source)})


_REMEDIES = {
    "too_short": "Stream more samples, then ask again.",
    "hole": "Stream another second without a hole, then ask again.",
    "rate": f"Sample at {LIMITS.min_rate_hz:g} Hz or faster; 100 Hz is best.",
}


def seen_of(source: WindowSource) -> dict[str, float]:
    """What answers say about a window's origin; what is unknown is left out."""
    seen: dict[str, float] = {"samples": source.samples, "span_ms": round(1000 * source.span_seconds)}
    if source.rate_hz:
        seen |= {"rate_hz": round(source.rate_hz, 2), "longest_hole_ms": round(1000 * source.max_hole_seconds)}
    return seen


def interpolate(times: Times, values: NDArray[np.float64], grid: Times) -> NDArray[np.float64]:
    """Values at the points of a grid, (n, channels); what lies outside gets the nearest sample."""
    if len(times) == 1:
        return np.repeat(values, len(grid), axis=0)
    right = np.searchsorted(times, grid, side="left").clip(1, len(times) - 1)
    left = right - 1
    step = times[right] - times[left]
    place = ((grid - times[left]) / step).clip(0.0, 1.0)[:, None]
    slopes = _slopes(times, values)
    is_hole = (step > _BRIDGED * np.median(np.diff(times)))[:, None]
    first, second = values[left], values[right]
    straight = first + place * (second - first)
    square, cube = place * place, place * place * place
    width = step[:, None]
    cubic = (
        (2 * cube - 3 * square + 1) * first
        + (cube - 2 * square + place) * width * slopes[left]
        + (3 * square - 2 * cube) * second
        + (cube - square) * width * slopes[right]
    )
    result: NDArray[np.float64] = np.where(is_hole, straight, cubic)
    return result


def _slopes(times: Times, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slope at each sample, from the parabola through it and its two adjacent samples."""
    steps = np.diff(times)[:, None]
    rises = np.diff(values, axis=0) / steps
    slopes = np.empty_like(values)
    slopes[0], slopes[-1] = rises[0], rises[-1]
    slopes[1:-1] = (steps[1:] * rises[:-1] + steps[:-1] * rises[1:]) / (steps[1:] + steps[:-1])
    return slopes


def _decimate(
    times: Times, values: NDArray[np.float64], grid: Times, period: float, rate_hz: float
) -> NDArray[np.float64]:
    """Values at the grid, without what is faster than half the model's rate."""
    factor = min(_MAX_FACTOR, max(2, round(rate_hz * period)))
    side = _TAPS_EACH_SIDE * factor
    fine = grid[0] + period / factor * np.arange(-side, (len(grid) - 1) * factor + side + 1)
    inside = interpolate(times, values, fine.clip(times[0], times[-1]))
    # Beyond both ends the movement continues as it came, turned about the last value: a flat end would bend it.
    inside = _turned_ends(inside, fine, times)
    taps = _low_pass(factor)
    pieces = np.lib.stride_tricks.sliding_window_view(inside, len(taps), axis=0)[::factor]
    return pieces @ taps


def _turned_ends(values: NDArray[np.float64], fine: Times, times: Times) -> NDArray[np.float64]:
    before = int(np.searchsorted(fine, times[0] - 1e-9))
    after = len(fine) - int(np.searchsorted(fine, times[-1] + 1e-9))
    if before:
        values[:before] = 2 * values[before] - values[2 * before : before : -1]
    if after:
        end = len(values) - after
        values[end:] = 2 * values[end - 1] - values[end - 2 : end - 2 - after : -1]
    return values


@cache
def _low_pass(factor: int) -> NDArray[np.float64]:
    """A windowed sinc (Hamming) that ends at half the model's rate, for samples at `factor` times it."""
    side = _TAPS_EACH_SIDE * factor
    places = np.arange(-side, side + 1) / factor
    taps = np.sinc(places) * np.hamming(len(places))
    gain_one: NDArray[np.float64] = taps / taps.sum()
    return gain_one
