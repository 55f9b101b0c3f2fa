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
_FULL_SCALES = (19.0, 4.3)
"""m/s² and rad/s: the smallest usual full scales are 2 g and 250 degrees a second."""


def value_problems(values: Values) -> tuple[str, ...]:
    """The problems of the newest samples, (n, 9) in the order of the contract; none of fewer than 100 samples.

    A magnetometer of zeros is reported as absent, which is allowed.
    """
    if len(values) < _MIN_ROWS:
        return ()
    return tuple(_problems(values[:, :3], values[:, 3:6], values[:, 6:]))


def _problems(acceleration: Values, turn: Values, field: Values) -> Iterator[str]:
    if not acceleration.any():
        yield "accelerometer_missing"
    elif _IN_G[0] < float(np.median(np.linalg.norm(acceleration, axis=1))) < _IN_G[1]:
        yield "acceleration_in_g"
    if not turn.any():
        yield "gyroscope_missing"
    elif float((np.abs(turn).max(axis=1) > _MAX_TURN).mean()) > _TURNING_SHARE:
        yield "gyroscope_in_degrees"
    if _has_stuck_axis(acceleration) or _has_stuck_axis(turn):
        yield "axis_stuck"
    if any(_is_saturated(part, scale) for part, scale in zip((acceleration, turn), _FULL_SCALES, strict=True)):
        yield "saturated"
    if not field.any():
        yield "magnetometer_absent"


def _has_stuck_axis(part: Values) -> bool:
    """Whether an axis never changes; a sensor that is missing altogether is another problem."""
    return bool(part.any() and (np.ptp(part, axis=0) < _STUCK_RATIO).any())


def _is_saturated(part: Values, full_scale: float) -> bool:
    """Whether an axis stays at its own extreme for several samples, beyond what small sensors measure."""
    for axis in part.T:
        extreme = float(np.abs(axis).max())
        if extreme < full_scale:
            continue
        at_extreme = np.abs(axis) >= extreme
        # Runs: a sensor in motion touches its highest value once, a saturated one rests there.
        edges = np.flatnonzero(np.diff(np.concatenate(([0], at_extreme.astype(np.int8), [0]))))
        if len(edges) and int((edges[1::2] - edges[::2]).max()) >= _FLAT_ROWS:
            return True
    return False
