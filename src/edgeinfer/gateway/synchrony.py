"""How well two sensors move together: windowed normalized cross-correlation with a search over lags."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgeinfer.gateway.samples import SAMPLE_SECONDS
from edgeinfer.gateway.sessions import Session
from edgeinfer.gateway.stream import Stream

WINDOW_SAMPLES = 500
LAG_SAMPLES = 50
MIN_COMPARED = 100
PAIR = 2
# A longer hole in a stream is not bridged by interpolation.
_GAP_SECONDS = 0.05
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
    """

    r: float
    lag_seconds: float
    leader: str
    window_seconds: float
    confidence: float


NOTHING_TO_COMPARE = Synchrony(0.0, 0.0, "", 0.0, 0.0)


def measure(first: Stream, second: Stream) -> Synchrony:
    """Synchrony of the newest part that two streams share, by magnitude of acceleration.

    The magnitude does not depend on how a sensor is turned. Both are brought on one 100 Hz grid by
    linear interpolation; the newest 5 s without a hole are compared, at lags up to 0.5 s either way.
    """
    pair = _common_grid(first, second)
    if pair is None:
        return NOTHING_TO_COMPARE
    one, other = pair
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


def _common_grid(first: Stream, second: Stream) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Both magnitudes at the same times, 100 Hz, newest 5 s at most; None where they share too little."""
    if not len(first) or not len(second):
        return None
    end = min(first.newest_seconds, second.newest_seconds)
    start = max(_start_without_gap(first, end), _start_without_gap(second, end))
    count = min(WINDOW_SAMPLES, math.floor((end - start) / SAMPLE_SECONDS + 1 + 1e-6))
    if count < MIN_COMPARED:
        return None
    grid = np.float64(end) - SAMPLE_SECONDS * np.arange(count - 1, -1, -1, dtype=np.float64)
    return _magnitude_at(first, grid), _magnitude_at(second, grid)


def _start_without_gap(stream: Stream, end: float) -> float:
    times = stream.times[stream.times <= end + _GAP_SECONDS]
    if not len(times):
        return end + SAMPLE_SECONDS
    holes = np.flatnonzero(np.diff(times) > _GAP_SECONDS)
    return float(times[holes[-1] + 1]) if len(holes) else float(times[0])


def _magnitude_at(stream: Stream, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    acceleration = stream.values[:, :3].astype(np.float64)
    magnitude = np.sqrt((acceleration * acceleration).sum(axis=1))
    result: NDArray[np.float64] = np.interp(grid, stream.times, magnitude)
    return result


def measure_session(session: Session) -> Synchrony:
    """Synchrony of the two streams of a session; with one stream, r and confidence are 0."""
    streams = list(session.streams.values())
    if len(streams) != PAIR:
        return NOTHING_TO_COMPARE
    return measure(streams[0], streams[1])
