"""Reads the sp-sw-har recordings: a phone in a trouser pocket, five activities in turn, CC BY 4.0 by the authors.

Source: M. Matey-Sanz, S. Casteleyn, C. Granell, "Dataset of inertial measurements of smartphones and smartwatches
for human activity recognition", Data in Brief 51 (2023), doi:10.1016/j.dib.2023.109809.
A person sits, stands up, walks, turns, walks back, turns, and sits down; repeated some ten times.
The data are no package: `folder` is a checkout of the authors' repository.
"""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.dataset import FloatArray, IntArray

RATE_HZ = 100
REPOSITORY = "GeoTecINIT/sp-sw-har-dataset"
COMMIT = "1408d85a512a53861de7bc4729dee283fff2ea9d"
LICENCE = "CC-BY-4.0"
PEOPLE = ("s03", "s04", "s08", "s09", "s11", "s13")
"""The first six, in order of their number, who wore the phone in one way throughout: `back_inv` in the source's words,
the way in which the model does best."""
REPETITIONS = 5
SHA256 = "0325a02593422fab32c94eea7e7839cd94b89c8d278a0b87577cd48dd27a15ab"
"""Of all files that are read, one after another."""

ACTIVITIES = {
    "SEATED": "sitting",
    "STANDING_UP": "sit_to_stand",
    "WALKING": "walking",
    "TURNING": "turning",
    "SITTING_DOWN": "stand_to_sit",
}
"""The source's labels, by the names of our motifs where there is one; there is none for turning."""
_COLUMNS = ("x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro")


@dataclass(frozen=True, slots=True)
class PocketSession:
    """The repetitions of one person, one after another."""

    person: str
    samples: FloatArray
    """[N, 6] in m/s² and rad/s at 100 Hz, turned so that +x points up while walking."""
    labels: IntArray
    """[N] index into the values of `ACTIVITIES`."""


def read(folder: Path) -> Iterator[PocketSession]:
    """Yield one session for each of `PEOPLE`; raises ValueError if the files are not those of `COMMIT`."""
    digest = hashlib.sha256()
    for person in PEOPLE:
        parts = []
        for number in range(1, REPETITIONS + 1):
            content = (folder / "DATA" / person / f"{person}_{number:02d}_sp.csv").read_bytes()
            digest.update(content)
            parts.append(_repetition(content.decode()))
        samples, labels = zip(*parts, strict=True)
        yield PocketSession(person, np.concatenate(samples), np.concatenate(labels))
    if digest.hexdigest() != SHA256:
        raise ValueError(f"the recordings of {REPOSITORY} hash to {digest.hexdigest()}, expected {SHA256}")


def _repetition(text: str) -> tuple[FloatArray, IntArray]:
    rows = list(csv.DictReader(text.splitlines()))
    times = np.array([float(row["timestamp"]) for row in rows]) / 1000
    values = np.array([[float(row[name]) for name in _COLUMNS] for row in rows])
    names = list(ACTIVITIES)
    labels = np.array([names.index(row["label"]) for row in rows])
    # Android gives some samples one millisecond twice: the first of them counts.
    is_first = np.diff(times, prepend=-np.inf) > 0
    times, values, labels = times[is_first], values[is_first], labels[is_first]
    grid = np.arange(times[0], times[-1], 1 / RATE_HZ)
    even = np.stack([np.interp(grid, times, values[:, axis]) for axis in range(values.shape[1])], axis=1)
    labels = labels[np.searchsorted(times, grid).clip(max=len(times) - 1)]
    return _turned(even, labels == names.index("WALKING")).astype(np.float32), labels


def _turned(samples: FloatArray, is_walking: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> FloatArray:
    """Turn so that gravity points along +x while walking, and the back of the phone along +z: the model's frame."""
    up = samples[is_walking, :3].mean(axis=0)
    up /= np.linalg.norm(up)
    out = np.array([0.0, 0.0, -1.0])
    out -= up * (out @ up)
    out /= np.linalg.norm(out)
    rotation = np.stack([up, np.cross(out, up), out])
    return np.hstack((samples[:, :3] @ rotation.T, samples[:, 3:] @ rotation.T))
