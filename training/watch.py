"""Reads the seglearn smartwatch sessions: shoulder exercises, 6 axes at 50 Hz, BSD-3 by the data's own author.

Source: D. Burns and others, smartwatch shoulder exercise study, arXiv:1802.01489.
"""

import _codecs
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.dataset import GRAVITY, FloatArray, IntArray
from training.fetch import fetch
from training.sources import WATCH

RATE_HZ = 50

_ALLOWED: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _codecs.encode,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.array([0]).__reduce__()[0],
}


@dataclass(frozen=True, slots=True)
class WatchSessions:
    """All sessions as parallel lists."""

    motion: list[FloatArray]
    """Each [N, 6]: accelerometer in m/s², gyroscope in rad/s, at 50 Hz."""
    exercises: IntArray
    exercise_names: list[str]
    people: IntArray
    right_arm: IntArray


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"watch_dataset.npy names {module}.{name}, which is not allowed")
        return _ALLOWED[module, name]


def read(work: Path) -> WatchSessions:
    """Return the sessions in the units of the contract."""
    path, _licence = fetch(WATCH, work)
    with path.open("rb") as stream:
        np.lib.format.read_magic(stream)
        np.lib.format.read_array_header_1_0(stream)
        data: dict[str, Any] = _RestrictedUnpickler(stream).load().item()
    factors = np.array([GRAVITY] * 3 + [1.0] * 3)
    return WatchSessions(
        motion=[np.asarray(series * factors, dtype=np.float32) for series in data["X"]],
        exercises=np.asarray(data["y"], dtype=np.int64),
        exercise_names=[str(name) for name in data["y_labels"]],
        people=np.asarray(data["subject"], dtype=np.int64),
        right_arm=np.asarray(data["side"], dtype=np.int64),
    )
