"""What the host does around a graph that takes normalized windows or gives logits: numpy, float32, few copies."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeinfer.model.description import IDENTITY, Normalization, Rotation

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scale:
    """A z-score ready to apply: the division is done once."""

    mean: FloatArray
    """[channels]."""
    inverse_std: FloatArray
    """[channels]."""

    def apply(self, windows: FloatArray) -> FloatArray:
        """Return normalized windows [..., channels] in a new array; the input is left alone."""
        normalized: FloatArray = np.subtract(windows, self.mean)
        normalized *= self.inverse_std
        return normalized


def make_scale(normalization: Normalization) -> Scale:
    """Convert the card's mean and standard deviation to float32, inverted to save a division per value."""
    return Scale(
        mean=np.array(normalization.mean, dtype=np.float32),
        inverse_std=np.float32(1.0) / np.array(normalization.std, dtype=np.float32),
    )


def make_mount(rotation: Rotation) -> FloatArray | None:
    """Return the [3, 3] matrix to multiply row vectors by, or None where nothing needs turning."""
    if rotation == IDENTITY:
        return None
    return np.ascontiguousarray(np.array(rotation, dtype=np.float32).T)


def turn(windows: FloatArray, mount: FloatArray | None) -> FloatArray:
    """Turn each triple (accelerometer, gyroscope, magnetometer) of windows [..., 9] into the model's frame."""
    if mount is None:
        return windows
    turned: FloatArray = np.matmul(windows.reshape(-1, 3), mount).reshape(windows.shape)
    return turned


def softmax(logits: FloatArray, temperature: float) -> FloatArray:
    """Return scores [..., motifs] that sum to 1; a temperature below 1 sharpens them."""
    scores: FloatArray = np.divide(logits, np.float32(temperature), dtype=np.float32)
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


def to_channels_first(windows: FloatArray) -> FloatArray:
    """Return a [B, channels, 1, time] view of [B, time, channels]; the memory stays as it is.

    A Hailo input is laid out channels last, which is exactly the memory of [time, channels]:
    there, pass the normalized window unchanged, and keep this for ONNX Runtime.
    """
    return windows.transpose(0, 2, 1)[:, :, None, :]
