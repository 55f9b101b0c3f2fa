"""The seam for data: whatever yields `LabelledRecording` objects can train this model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

UNLABELLED = -1
GRAVITY = 9.80665
"""Standard gravity in m/s², the factor from g."""


@dataclass(frozen=True, slots=True)
class LabelledRecording:
    """One uninterrupted recording of one person, in the units of the contract."""

    person: int
    rate_hz: int
    accelerometer: FloatArray
    """[N, 3] m/s², gravity included."""
    gyroscope: FloatArray
    """[N, 3] rad/s."""
    labels: IntArray
    """[N] motif index, or UNLABELLED."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A source of recordings: its motif names, its people, and how to read it."""

    key: str
    """Names its files in the working folder."""
    name: str
    motifs: tuple[tuple[str, str, str], ...]
    """(name, group, description) per motif index; the group is move, static or transition."""
    test_people: frozenset[int]
    """Never used for training or for any choice."""
    validation_people: frozenset[int]
    """Every choice is made on these."""
    read: Callable[[Path], Iterable[LabelledRecording]]
    """Reads the recordings, given a working folder for downloads."""
    documentation: Mapping[str, Any]
    """What the card says about purpose, mounting, data, licence and limits."""
