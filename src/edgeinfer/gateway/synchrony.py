"""How well two sensors move together: windowed normalized cross-correlation with a search over lags."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgeinfer.gateway.resampling import LIMITS, resample
from edgeinfer.gateway.samples import SAMPLE_SECONDS
from edgeinfer.gateway.sessions import Session
from edgeinfer.gateway.stream import Stream

WINDOW_SAMPLES = 500
LAG_SAMPLES = 50
MIN_COMPARED = 100
PAIR = 2
# The newest samples of two streams on one clock are seconds apart at most, however their uploads are delayed.
_TWO_CLOCKS_SECONDS = 10.0
# Below this share of its level, a magnitude's movement is rounding.
_STILL = 1e-6
_MIN_INDEPENDENT = 4.0


@dataclass(frozen=True, slots=True)
class Synchrony:
    """Comparison of two streams.

    Args:
        r: correlation at the best lag, in [-1, 1].
        lag_seconds: at least 0.
        leader: role whose movement comes first; empty where neither does.
        window_seconds: length of the part that was compared.
        confidence: in [0, 1], see `confidence_of`.
        reason: why there is no answer: "one_stream", "too_short", "hole", "rate" or "two_clocks"; else empty.
        fault: the same in words.
    """

    r: float
    lag_seconds: float
    leader: str
    window_seconds: float
    confidence: float
    reason: str = ""
    fault: str = ""


def nothing_to_compare(reason: str, fault: str) -> Synchrony:
    return Synchrony(0.0, 0.0, "", 0.0, 0.0, reason, fault)


def measure(first: Stream, second: Stream) -> Synchrony:
    """Synchrony of the newest part that two streams share, by magnitude of acceleration.

    The magnitude does not depend on how a sensor is turned. Both are brought on one 100 Hz grid as windows are;
    the newest 5 s without a hole are compared, at lags up to 0.5 s either way.
    """
    shared = _shared_part(first, second)
    if isinstance(shared, Synchrony):
        return shared
    one, other = (_magnitude_at(stream, shared) for stream in (first, second))
    lags = min(LAG_SAMPLES, (len(one) - MIN_COMPARED) // 2)
    correlations = cross_correlations(one, other, lags)
    best = _best(correlations)
    lag = best - lags
    r = float(correlations[best])
    compared = len(one) - 2 * lags
    confidence = confidence_of(r, one, other, compared, len(correlations))
    leader = "" if lag == 0 or r == 0 else (first.role if lag > 0 else second.role)
    lag_seconds = abs(lag) * SAMPLE_SECONDS if r else 0.0
    return Synchrony(r, lag_seconds, leader, len(one) * SAMPLE_SECONDS, confidence)


def _best(correlations: NDArray[np.float64]) -> int:
    """Index of the strongest correlation; of equals, the one nearest to no lag."""
    centre = len(correlations) // 2
    strength = np.round(np.abs(correlations), 9)
    candidates = np.flatnonzero(strength == strength.max())
    return int(candidates[np.argmin(np.abs(candidates - centre))])


def cross_correlations(one: NDArray[np.float64], other: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Pearson's r of the middle of `one` with equally long pieces of `other`, for lags from -lags to +lags.

    A positive lag means that `other` follows `one`. Each piece has its own mean and deviation taken out
    (windowed cross-correlation: Boker, Xu, Rotondo & King, Psychological Methods 7, 2002), so r does not
    depend on scale or offset; a piece without movement has r = 0.

    Returns:
        (2 * lags + 1,) in [-1, 1].
    """
    length = len(one) - 2 * lags
    middle = one[lags : lags + length]
    # Without its level, the differences of squares below lose no digits.
    pieces = sliding_window_view(other - other.mean(), length)
    middle = middle - middle.mean()
    means = pieces.mean(axis=1)
    products = pieces @ middle
    deviations = np.sqrt(np.maximum((pieces * pieces).sum(axis=1) - length * means * means, 0.0))
    own = math.sqrt(float(middle @ middle))
    moving = (deviations > _STILL * math.sqrt(length) * np.abs(other).max(initial=1e-30)) & (
        own > _STILL * math.sqrt(length) * np.abs(one).max(initial=1e-30)
    )
    correlations = np.divide(products, deviations * own, out=np.zeros_like(products), where=moving)
    clipped: NDArray[np.float64] = np.clip(correlations, -1.0, 1.0)
    return clipped


def confidence_of(
    r: float, one: NDArray[np.float64], other: NDArray[np.float64], compared: int, lags_tried: int
) -> float:
    """Probability that the best lag of two unrelated streams of this kind would correlate less than this.

    Neighbouring samples are alike, so `compared` of them say less than so many independent ones: their
    effective number is compared / (1 + 2 * sum of the products of both autocorrelations) (Bartlett, 1946).
    With it, Fisher's transform of r is normal for unrelated streams (Fisher, 1921). Taking the best of
    several lags is allowed for by Sidak's correction (1967), where the lags count as many as are independent.

    Returns:
        0 (no better than chance, or no data) to 1.
    """
    independent = compared / _redundancy(one, other)
    if independent < _MIN_INDEPENDENT or r == 0:
        return 0.0
    z = math.atanh(min(abs(r), 1 - 1e-12)) * math.sqrt(independent - 3)
    below_at_one_lag = math.erf(z / math.sqrt(2))
    tries = max(1.0, lags_tried * independent / compared)
    return float(below_at_one_lag**tries)


def _redundancy(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    products = _autocorrelation(one) * _autocorrelation(other)
    # Far lags are mostly noise that sums up: a quarter of the length is the usual cut.
    return max(1.0, 1.0 + 2.0 * float(products[1 : len(products) // 4].sum()))


def _autocorrelation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean()
    size = 2 * len(values)
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    sums = np.fft.irfft(power, size)[: len(values)]
    result: NDArray[np.float64] = sums / sums[0] if sums[0] > 0 else np.zeros(len(values))
    return result


def _shared_part(first: Stream, second: Stream) -> "NDArray[np.float64] | Synchrony":
    """Times at 100 Hz, newest 5 s at most, at which both streams have values; else why there are none."""
    pair = (first.current.times, second.current.times)
    if not all(len(times) for times in pair):
        return nothing_to_compare("too_short", "a stream has no samples yet")
    newest = tuple(float(times[-1]) for times in pair)
    if abs(newest[0] - newest[1]) > _TWO_CLOCKS_SECONDS:
        fault = f"the newest t of {first.role} is {newest[0]:.3f}, that of {second.role} {newest[1]:.3f}"
        return nothing_to_compare("two_clocks", fault)
    end = min(newest)
    begins = tuple(_begin_without_hole(times, end) for times in pair)
    count = min(WINDOW_SAMPLES, math.floor((end - max(begins)) / SAMPLE_SECONDS + 1 + 1e-6))
    if count < MIN_COMPARED:
        return _too_little(pair, begins, end)
    grid = np.float64(end) - SAMPLE_SECONDS * np.arange(count - 1, -1, -1, dtype=np.float64)
    for stream, times in zip((first, second), pair, strict=True):
        if (rate := _rate_on(times, grid)) < LIMITS.min_rate_hz:
            fault = f"the samples of {stream.role} come at {rate:.3g} Hz, less than {LIMITS.min_rate_hz:g} Hz"
            return nothing_to_compare("rate", fault)
    return grid


def _too_little(pair: tuple[NDArray[np.float64], ...], begins: tuple[float, ...], end: float) -> Synchrony:
    shared = max(0.0, end - max(begins))
    fault = f"the streams share {shared:.3g} s without a hole, not {(MIN_COMPARED - 1) * SAMPLE_SECONDS:.3g} s"
    has_hole = any(begin > times[0] for begin, times in zip(begins, pair, strict=True))
    return nothing_to_compare("hole" if has_hole else "too_short", fault)


def _begin_without_hole(times: NDArray[np.float64], end: float) -> float:
    before = times[times <= end + LIMITS.max_hole_seconds]
    if not len(before):
        return end + SAMPLE_SECONDS
    holes = np.flatnonzero(np.diff(before) > LIMITS.max_hole_seconds)
    return float(before[holes[-1] + 1]) if len(holes) else float(before[0])


def _rate_on(times: NDArray[np.float64], grid: NDArray[np.float64]) -> float:
    first, last = np.searchsorted(times, (grid[0], grid[-1]), side="right")
    used = times[max(0, int(first) - 1) : int(last)]
    return (len(used) - 1) / float(used[-1] - used[0]) if len(used) > 1 else 0.0


def _magnitude_at(stream: Stream, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    current = stream.current
    acceleration = current.values[:, :3].astype(np.float64)
    magnitude = np.sqrt((acceleration * acceleration).sum(axis=1))
    result: NDArray[np.float64] = resample(current.times, magnitude[:, None], grid, _rate_on(current.times, grid))[:, 0]
    return result


def measure_session(session: Session) -> Synchrony:
    """Synchrony of the two streams of a session; without an answer, r and confidence are 0, and `reason` says why."""
    streams = list(session.streams.values())
    if len(streams) != PAIR:
        return nothing_to_compare("one_stream", f"the session has {len(streams)} of the two streams that are compared")
    return measure(streams[0], streams[1])
