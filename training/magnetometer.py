"""Simulates a magnetometer for recordings that have none, from the orientation of the sensor.

Orientation comes from accelerometer and gyroscope (VQF, six-axis).
An earth field with random heading, dip and strength is turned into the sensor frame;
a constant hard-iron offset and white noise are added.
The model thereby learns to tolerate a magnetometer; it gains nothing from it.
"""

import numpy as np
from vqf import VQF

from training.dataset import FloatArray

DIP_DEGREES = (45.0, 75.0)
STRENGTH_MICROTESLA = (35.0, 60.0)
HARD_IRON_MICROTESLA = 8.0
NOISE_MICROTESLA = 0.5


def orientation(accelerometer: FloatArray, gyroscope: FloatArray, rate_hz: int) -> FloatArray:
    """Return [N, 4] unit quaternions (w, x, y, z) that turn the sensor frame into one with z up."""
    estimate = VQF(1.0 / rate_hz).updateBatch(
        np.ascontiguousarray(gyroscope, dtype=np.float64),
        np.ascontiguousarray(accelerometer, dtype=np.float64),
    )
    return np.asarray(estimate["quat6D"], dtype=np.float32)


def simulate(quaternions: FloatArray, random: np.random.Generator) -> FloatArray:
    """Return [B, T, 3] µT for [B, T, 4] orientations, one earth field and offset per item of B."""
    count = len(quaternions)
    field = _earth_fields(count, random)[:, None, :]
    offset = random.normal(0.0, HARD_IRON_MICROTESLA, (count, 1, 3)).astype(np.float32)
    measured = _into_sensor_frame(quaternions, field) + offset
    noise = random.standard_normal(measured.shape, dtype=np.float32) * np.float32(NOISE_MICROTESLA)
    return np.asarray(measured + noise, dtype=np.float32)


def _earth_fields(count: int, random: np.random.Generator) -> FloatArray:
    heading = random.uniform(0.0, 2.0 * np.pi, count)
    dip = np.radians(random.uniform(*DIP_DEGREES, count))
    strength = random.uniform(*STRENGTH_MICROTESLA, count)
    level = strength * np.cos(dip)
    parts = (level * np.cos(heading), level * np.sin(heading), -strength * np.sin(dip))
    return np.stack(parts, axis=1).astype(np.float32)


def _into_sensor_frame(quaternions: FloatArray, vectors: FloatArray) -> FloatArray:
    # v' = v - 2w (q x v) + 2 q x (q x v): the rotation by the conjugate quaternion.
    scalar, axis = quaternions[..., :1], quaternions[..., 1:]
    first = np.cross(axis, vectors)
    return np.asarray(vectors - 2.0 * scalar * first + 2.0 * np.cross(axis, first), dtype=np.float32)
