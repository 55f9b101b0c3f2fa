"""How a (100, 9) window is laid out in the input of a compiled network, whose axes only its compiler knew."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import ModelFileError
from edgeinfer.model.window import WINDOW_SHAPE

LENGTH, CHANNELS = WINDOW_SHAPE
LayoutChoice = Literal["auto", "time_major", "channel_major"]
_SETTING = "EDGEINFER_HEF_LAYOUT"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the samples of a window go.

    Args:
        shape: of the network's input.
        is_channel_major: whether the window is transposed first.
        was_chosen: whether the shape left a choice that a person should confirm by the setting.
    """

    shape: tuple[int, ...]
    is_channel_major: bool
    was_chosen: bool

    def fill(self, window: NDArray[np.float32], buffer: NDArray[np.float32]) -> None:
        """Write a (100, 9) window into a C-contiguous buffer of this shape."""
        if self.is_channel_major:
            buffer.reshape(CHANNELS, LENGTH)[:] = window.T
        else:
            buffer.reshape(LENGTH, CHANNELS)[:] = window


def choose_layout(shape: tuple[int, ...], choice: LayoutChoice = "auto") -> Layout:
    """Find the layout from the input's shape, or take the one that was chosen.

    (1, 100, 9), (100, 1, 9), (100, 9, 1) and (100, 9) hold the window as it is in memory;
    (1, 9, 100) and its like need it transposed. (900,) is ambiguous: time-major is assumed, and reported.

    Raises:
        ModelFileError: the input does not take 900 numbers, or its axes are not 100 and 9.
    """
    if int(np.prod(shape)) != LENGTH * CHANNELS:
        raise ModelFileError(
            "the HEF's input",
            f"has shape {shape}, which is not {LENGTH * CHANNELS} numbers",
            "Compile a model that takes windows of 100 samples of 9 channels.",
        )
    if choice != "auto":
        return Layout(shape, choice == "channel_major", was_chosen=False)
    axes = [size for size in shape if size != 1]
    if axes == [LENGTH, CHANNELS]:
        return Layout(shape, is_channel_major=False, was_chosen=False)
    if axes == [CHANNELS, LENGTH]:
        return Layout(shape, is_channel_major=True, was_chosen=False)
    if axes == [LENGTH * CHANNELS]:
        return Layout(shape, is_channel_major=False, was_chosen=True)
    raise ModelFileError(
        "the HEF's input",
        f"has shape {shape}, where 100 samples of 9 channels cannot be distinguished",
        f"Set {_SETTING} to time_major or channel_major.",
    )
