"""Makes training batches: simulated or absent magnetometer, turned mountings, gain, noise, soft targets."""

from dataclasses import dataclass

import numpy as np

from training.dataset import FloatArray, IntArray
from training.magnetometer import simulate
from training.windows import WindowSet

TILT_DEGREES = 15.0
GAIN = 0.05
NOISE = np.array([0.1] * 3 + [0.02] * 3 + [0.5] * 3, dtype=np.float32)
"""Standard deviation of added noise in m/s², rad/s, µT."""
MAGNETOMETER_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """One training batch in raw units."""

    windows: FloatArray
    """[B, 100, 9]; an absent magnetometer is zeros."""
    present: FloatArray
    """[B, 9]: 1 where the channel was measured."""
    targets: FloatArray
    """[B, motifs]: the share of each motif in the target; all zero where unlabelled."""
    labels: IntArray
    """[B] motif index, or -1."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What can be predicted from a window, in its own mounting and in an unknown one."""

    known: FloatArray
    """[motifs, motifs]: target shares when the mounting is the nominal one."""
    unknown: FloatArray
    """[motifs, motifs]: target shares when the mounting is random."""


def make_targets(groups: tuple[str, ...]) -> Targets:
    """Build target tables: under a random mounting a posture is only "some posture of its group".

    Which way is up distinguishes sitting from lying; without it, only the group can be known.
    Locomotion keeps its own name, since its pattern over time survives any turn.
    """
    same = np.array([[a == b for b in groups] for a in groups], dtype=np.float32)
    shares = same / same.sum(axis=1, keepdims=True)
    own = np.eye(len(groups), dtype=np.float32)
    moves = np.array([group == "move" for group in groups])
    return Targets(known=own, unknown=np.where(moves[:, None], own, shares).astype(np.float32))


def make_batch(
    source: WindowSet, index: IntArray, targets: Targets, turned_share: float, random: np.random.Generator
) -> Batch:
    """Draw one augmented batch of the windows at `index`."""
    count = len(index)
    labels = source.labels[index]
    present = _presence(count, random)
    windows = with_magnetometer(source.motion[index], source.quaternions[index], random)
    turned = random.random(count) < turned_share
    turns = np.where(turned[:, None, None], random_turns(count, random), small_turns(count, random))
    windows = turn(windows, turns)
    windows *= random.normal(1.0, GAIN, (count, 1, 9)).astype(np.float32)
    windows += random.standard_normal(windows.shape, dtype=np.float32) * NOISE
    windows *= present[:, None, :]
    chosen = np.where(turned[:, None], targets.unknown[labels], targets.known[labels])
    chosen = np.where(labels[:, None] >= 0, chosen, 0.0)
    return Batch(windows, present, chosen.astype(np.float32), labels)


def with_magnetometer(motion: FloatArray, quaternions: FloatArray, random: np.random.Generator) -> FloatArray:
    """Return [B, 100, 9] with a simulated magnetometer in the last three channels."""
    return np.concatenate((motion, simulate(quaternions, random)), axis=2)


def without_magnetometer(motion: FloatArray) -> FloatArray:
    """Return [B, 100, 9] with zeros where a magnetometer would be."""
    return np.concatenate((motion, np.zeros_like(motion[..., :3])), axis=2)


def turn(windows: FloatArray, rotations: FloatArray) -> FloatArray:
    """Turn each of the three sensor triples of [B, 100, 9] by its window's [B, 3, 3] rotation."""
    triples = windows.reshape(len(windows), -1, 3)
    turned: FloatArray = np.matmul(triples, rotations.transpose(0, 2, 1)).reshape(windows.shape)
    return turned


def random_turns(count: int, random: np.random.Generator) -> FloatArray:
    """Return [count, 3, 3] rotations, uniform over all orientations."""
    quaternions = random.standard_normal((count, 4))
    return _matrices(quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True))


def small_turns(count: int, random: np.random.Generator) -> FloatArray:
    """Return [count, 3, 3] rotations about random axes, as a belt slips."""
    vectors = random.normal(0.0, np.radians(TILT_DEGREES), (count, 3)) / 2.0
    quaternions = np.concatenate((np.ones((count, 1)), vectors), axis=1)
    return _matrices(quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True))


def _presence(count: int, random: np.random.Generator) -> FloatArray:
    present = np.ones((count, 9), dtype=np.float32)
    present[random.random(count) >= MAGNETOMETER_SHARE, 6:] = 0.0
    return present


def _matrices(quaternions: np.ndarray) -> FloatArray:
    w, x, y, z = quaternions.T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1).astype(np.float32)
