"""Turns recordings into labelled windows: resampled to 100 Hz, one second long, every half second."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.signal import resample_poly

from training.dataset import UNLABELLED, FloatArray, IntArray, LabelledRecording
from training.magnetometer import orientation

RATE_HZ = 100
LENGTH = 100
HOP = 50
MAJORITY = 0.8
"""A window is labelled only if at least this share of its samples agrees."""


@dataclass(frozen=True, slots=True)
class WindowSet:
    """Windows as parallel arrays."""

    motion: FloatArray
    """[N, 100, 6]: accelerometer in m/s², gyroscope in rad/s."""
    quaternions: FloatArray
    """[N, 100, 4]: orientation, from which a magnetometer is simulated."""
    labels: IntArray
    """[N] motif index, or -1."""
    people: IntArray
    """[N] person number."""

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, people: Iterable[int]) -> "WindowSet":
        """Return the windows of the given people."""
        return self._take(np.isin(self.people, list(people)))

    def labelled(self) -> "WindowSet":
        """Return the windows that have a label."""
        return self._take(self.labels != UNLABELLED)

    def _take(self, chosen: np.ndarray) -> "WindowSet":
        return WindowSet(self.motion[chosen], self.quaternions[chosen], self.labels[chosen], self.people[chosen])


def cut_all(recordings: Iterable[LabelledRecording]) -> WindowSet:
    """Cut every recording and join the windows."""
    parts = [cut(recording) for recording in recordings]
    return WindowSet(
        np.concatenate([part.motion for part in parts]),
        np.concatenate([part.quaternions for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.people for part in parts]),
    )


def cut(recording: LabelledRecording) -> WindowSet:
    """Cut one recording into windows at 100 Hz."""
    motion = resample(np.hstack((recording.accelerometer, recording.gyroscope)), recording.rate_hz)
    quaternions = orientation(motion[:, :3], motion[:, 3:], RATE_HZ)
    nearest = np.arange(len(motion)) * recording.rate_hz // RATE_HZ
    starts = np.arange(0, len(motion) - LENGTH + 1, HOP)
    index = starts[:, None] + np.arange(LENGTH)
    labels = np.array([majority(window) for window in recording.labels[nearest][index]], dtype=np.int64)
    people = np.full(len(starts), recording.person, dtype=np.int64)
    return WindowSet(motion[index], quaternions[index], labels, people)


def resample(samples: FloatArray, rate_hz: int) -> FloatArray:
    """Return [N, C] samples at 100 Hz, by a polyphase filter along time."""
    divisor = np.gcd(RATE_HZ, rate_hz)
    # Padding with the edge value keeps gravity from ringing at both ends.
    resampled = resample_poly(samples, RATE_HZ // divisor, rate_hz // divisor, axis=0, padtype="edge")
    return np.ascontiguousarray(resampled, dtype=np.float32)


def majority(labels: IntArray) -> int:
    """Return the label that at least `MAJORITY` of a window's samples share, or -1."""
    values, counts = np.unique(labels, return_counts=True)
    best = int(np.argmax(counts))
    return int(values[best]) if counts[best] >= MAJORITY * len(labels) else UNLABELLED
