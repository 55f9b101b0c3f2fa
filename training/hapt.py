"""Reads the raw UCI HAPT recordings from a pinned archive, without running any code stored in it.

Source: J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita, "Transition-Aware Human Activity
Recognition Using Smartphones", Neurocomputing 171 (2016).
30 people, a phone on the waist, accelerometer in g and gyroscope in rad/s at 50 Hz.
"""

import _codecs
import gzip
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from training.dataset import GRAVITY, Dataset, IntArray, LabelledRecording
from training.fetch import fetch
from training.sources import HAPT

RATE_HZ = 50
MOTIFS = (
    ("walking", "move", "Walking on level ground"),
    ("walking_upstairs", "move", "Walking up stairs"),
    ("walking_downstairs", "move", "Walking down stairs"),
    ("sitting", "static", "Sitting still"),
    ("standing", "static", "Standing still"),
    ("lying", "static", "Lying still"),
    ("stand_to_sit", "transition", "Changing from standing to sitting"),
    ("sit_to_stand", "transition", "Changing from sitting to standing"),
    ("sit_to_lie", "transition", "Changing from sitting to lying"),
    ("lie_to_sit", "transition", "Changing from lying to sitting"),
    ("stand_to_lie", "transition", "Changing from standing to lying"),
    ("lie_to_stand", "transition", "Changing from lying to standing"),
)

DOCUMENTATION = {
    "purpose": "Turns one second of inertial data into a 64-number summary and scores of 12 motifs of human "
    "activity: a real workload to serve, observe and replay with.",
    "not_for": [
        "animals: no animal was recorded",
        "medical, safety or surveillance decisions",
        "posture motifs with a sensor that is not worn at the waist in the stated mounting",
        "discovering new motifs: the twelve are the labels of the training data",
    ],
    "mount": {
        "frame": "Phone on the waist as in the training data: +x points up when standing, where the accelerometer "
        "reads about (9.8, -1.6, -0.3) m/s².",
        "rotation": "mount_rotation turns a sensor's axes into this frame: model = rotation x sensor, for "
        "accelerometer, gyroscope and magnetometer alike.",
        "without_it": "In an unknown mounting only the group (move, static, transition) and the kind of locomotion "
        "can be reported; which posture is not identifiable.",
    },
    "data": {
        "name": "UCI HAPT (raw recordings)",
        "archive": HAPT.requirement,
        "archive_sha256": HAPT.archive_sha256,
        "people": 30,
        "sensors": "accelerometer and gyroscope of a phone on the waist, 50 Hz, resampled to 100 Hz",
        "windows": "1 s every 0.5 s; labelled when at least 80 % of the samples agree",
        "licence": [
            "A derived copy of the 12-class data is marked CC BY 4.0 and names UCI as its origin; this is second-hand.",
            'The README of the sibling release UCI HAR 1.0 (2012) says "Any commercial use is prohibited".',
            "The archive that it is read from here states no licence.",
            "The recordings are not shipped; they are fetched for training only.",
        ],
        "citation": "J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita: Transition-Aware Human Activity "
        "Recognition Using Smartphones. Neurocomputing 171, 2016.",
    },
    "limits": [
        "people, not animals; 30 healthy adults, 19 to 48 years by the data's authors, in a scripted protocol",
        "one phone model on the waist; motif names hold for that mounting only",
        "recorded at 50 Hz: nothing above 25 Hz was ever in the training data",
        "a window of 1 s is shorter than most transitions, whose motifs are the weakest",
        "sitting and standing are often confused",
        "the device graph was not compiled or run on a Hailo device",
        "reconstruction is coarse",
    ],
}


class _Frame:
    """Replaces a pandas object: keeps what the pickle gives it and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _new_index(_kind: object, parts: dict[str, Any]) -> dict[str, Any]:
    return parts


def _reconstruct_frame(_kind: object, _base: object, _state: object) -> _Frame:
    return _Frame()


# The pickle names exactly these twelve; whatever else a changed file might name is refused.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("copy_reg", "_reconstructor"): _reconstruct_frame,
    ("__builtin__", "object"): object,
    ("__builtin__", "slice"): slice,
    ("_codecs", "encode"): _codecs.encode,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.array([0]).__reduce__()[0],
    ("pandas.core.frame", "DataFrame"): _Frame,
    ("pandas.core.internals.managers", "BlockManager"): _Frame,
    ("pandas.core.indexes.base", "_new_Index"): _new_index,
    ("pandas.core.indexes.base", "Index"): _Frame,
    ("pandas.core.indexes.range", "RangeIndex"): _Frame,
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"HAPT.pkl.gz names {module}.{name}, which is not allowed")
        return _ALLOWED[module, name]


def read(work: Path) -> Iterator[LabelledRecording]:
    """Yield the 61 recordings; labels are motif indexes, -1 where there is no label."""
    (path,) = fetch(HAPT, work)
    with gzip.open(path, "rb") as stream:
        people: dict[int, list[_Frame]] = _RestrictedUnpickler(stream).load()
    for person, frames in people.items():
        for frame in frames:
            yield _recording(person, frame)


def _recording(person: int, frame: _Frame) -> LabelledRecording:
    _axes, blocks, *_rest = frame.state["_data"].state
    motion, numbers = blocks
    return LabelledRecording(
        person=person,
        rate_hz=RATE_HZ,
        accelerometer=np.ascontiguousarray(motion[:3].T * GRAVITY, dtype=np.float32),
        gyroscope=np.ascontiguousarray(motion[3:].T, dtype=np.float32),
        labels=_motif_indexes(numbers[1]),
    )


def _motif_indexes(labels: IntArray) -> IntArray:
    # The data counts activities from 1; -1 stays "unlabelled".
    return np.where(labels > 0, labels - 1, -1).astype(np.int64)


DATASET = Dataset(
    key="hapt",
    name="UCI HAPT",
    motifs=MOTIFS,
    test_people=frozenset({2, 4, 9, 10, 12, 13, 18, 20, 24}),
    # Every fifth of the 21 remaining people in order of their number: a rule, not a choice by result.
    validation_people=frozenset({7, 16, 23, 29}),
    read=read,
    documentation=DOCUMENTATION,
)
