"""Times that cannot be seconds, named by what they are: milliseconds, microseconds, nanoseconds, 32-bit floats."""

import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import InvalidSamples

Times = NDArray[np.float64]
_UNITS = (("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9))
# From 1000 Hz to 4 Hz: what a sensor's step may be. In seconds, no model could use such a step in another unit.
_MIN_STEP_SECONDS, _MAX_STEP_SECONDS = 0.001, 0.25
_EPOCH_SECONDS = (978_307_200.0, 4_102_444_800.0)  # the years 2001 to 2100
_COARSE_SECONDS = 0.01
_PLAIN_STEP_SECONDS = 0.5  # as a mean: the median is a second at most then, which no unit is
_REMEDY = "Send t in seconds, as a number of 64 bits."


def name_unit(times: Times) -> str:
    """The unit that times must be in, where it cannot be seconds: "milliseconds", ...; empty where it can.

    Args:
        times: (n,) of one stream, in the order in which they were measured.
    """
    if not len(times):
        return ""
    steps = np.diff(times)
    steps = steps[steps > 0]
    if len(steps):
        step = float(np.median(steps))
        if step <= 1.0:
            return ""
        fits = (unit for unit, factor in _UNITS if _MIN_STEP_SECONDS <= step / factor <= _MAX_STEP_SECONDS)
    else:
        largest = float(np.abs(times).max())
        fits = (unit for unit, factor in _UNITS if _EPOCH_SECONDS[0] <= largest / factor <= _EPOCH_SECONDS[1])
    return next(fits, "")


def check_unit(times: Times) -> None:
    """Refuse an upload whose times cannot be seconds.

    Raises:
        InvalidSamples: naming the unit, or the 32-bit floats; `reason` is "unit" or "resolution".
    """
    unit = name_unit(times)
    if unit:
        fault = f"from {times[0]:.17g} to {times[-1]:.17g} it looks like {unit}"
        raise InvalidSamples("t", fault, _REMEDY, fields={"reason": "unit", "unit": unit})
    if _stands_still(times):
        raise _standing_still(times)


def is_plain(first: float, last: float, count: int) -> bool:
    """Whether rising times are half a second a step at most, as nearly every upload's are.

    Args:
        first: in seconds.
        last: in seconds.
        count: of samples.
    """
    return count > 1 and last - first <= _PLAIN_STEP_SECONDS * (count - 1)


def _stands_still(times: Times) -> bool:
    return len(times) > 1 and int((np.diff(times) == 0).sum()) * 2 > len(times) - 1


def _standing_still(times: Times) -> InvalidSamples:
    equal = int((np.diff(times) == 0).sum()) + 1
    fault = f"{equal} of {len(times)} samples have the t of the one before"
    if is_coarse(times):
        step = np.spacing(np.float32(np.abs(times).max()))
        fault += f"; it looks like a 32-bit float, which at {times[0]:.17g} has steps of {step:g} s"
        return InvalidSamples("t", fault, _REMEDY, fields={"reason": "resolution"})
    return InvalidSamples("t", fault, "Send the time at which each was measured.", fields={"reason": "resolution"})


def is_coarse(times: Times) -> bool:
    """Whether times are what 32-bit floats can hold, at a size at which these are coarser than a sample's step."""
    single = times.astype(np.float32)
    return bool((single == times).all() and np.spacing(np.abs(single).max()) > _COARSE_SECONDS)
