"""What the newest values of a stream say about its sensor: units, axes that are stuck or missing, saturation."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

_MIN_ROWS = 100
_IN_G = (0.3, 3.0)
"""m/s²: gravity in g reads about 1, and about 9.8 in the unit of the contract."""
_MAX_TURN = 35.0
"""rad/s: 2000 degrees a second, the widest range of usual gyroscopes; degrees pass it with any movement."""
_TURNING_SHARE = 0.05
_STUCK_RATIO = 1e-6
_FLAT_ROWS = 5
_FULL_SCALES = np.array((19.0, 19.0, 19.0, 4.3, 4.3, 4.3), np.float32)
"""m/s² and rad/s: the smallest usual full scales are 2 g and 250 degrees a second."""
_ACCELERATION, _TURN, _FIELD = slice(0, 3), slice(3, 6), slice(6, 9)


def value_problems(values: Values) -> tuple[str, ...]:
    """The problems of the newest samples, (n, 9) in the order of the contract; none of fewer than 100 samples.

    A magnetometer of zeros is reported as absent, which is allowed.
    """
    if len(values) < _MIN_ROWS:
        return ()
    return tuple(_problems(np.ascontiguousarray(values.T)))


def _problems(axes: Values) -> Iterator[str]:
    """Most streams are judged by the extremes of their axes; the samples are looked at again where these say so.

    Args:
        axes: (9, n), each axis in one piece of memory, where numpy finds an extreme in a twentieth of the time.
    """
    low, high = axes.min(axis=1), axes.max(axis=1)
    extremes = np.maximum(-low, high)
    is_missing = [not extremes[part].any() for part in (_ACCELERATION, _TURN, _FIELD)]
    if is_missing[0]:
        yield "accelerometer_missing"
    elif _is_in_g(axes[_ACCELERATION]):
        yield "acceleration_in_g"
    if is_missing[1]:
        yield "gyroscope_missing"
    elif extremes[_TURN].max() > _MAX_TURN and _turns_in_degrees(axes[_TURN]):
        yield "gyroscope_in_degrees"
    # A sensor that is missing altogether is another problem than an axis that never changes.
    is_stuck = high - low < _STUCK_RATIO
    if (is_stuck[_ACCELERATION].any() and not is_missing[0]) or (is_stuck[_TURN].any() and not is_missing[1]):
        yield "axis_stuck"
    if any(
        _is_saturated(axes[axis], extremes[axis])
        for axis in np.flatnonzero(extremes[: len(_FULL_SCALES)] >= _FULL_SCALES)
    ):
        yield "saturated"
    if is_missing[2]:
        yield "magnetometer_absent"


def _is_in_g(acceleration: Values) -> bool:
    squares = (acceleration * acceleration).sum(axis=0)
    if 2 * np.count_nonzero(squares >= _IN_G[1] ** 2) > len(squares):  # then so is the median
        return False
    return bool(_IN_G[0] < np.median(np.sqrt(squares)) < _IN_G[1])


def _turns_in_degrees(turn: Values) -> bool:
    return float((np.abs(turn).max(axis=0) > _MAX_TURN).mean()) > _TURNING_SHARE


def _is_saturated(axis: Values, extreme: np.float32) -> bool:
    """Whether an axis stays at its own extreme for several samples.

    A sensor in motion touches its highest value once, a saturated one rests there.
    """
    at_extreme = np.abs(axis) >= extreme
    edges = np.flatnonzero(np.diff(np.concatenate(([0], at_extreme.astype(np.int8), [0]))))
    return len(edges) > 0 and int((edges[1::2] - edges[::2]).max()) >= _FLAT_ROWS
