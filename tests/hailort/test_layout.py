"""How a window is laid out in the input of a compiled network."""

import numpy as np
import pytest

from edgeinfer.errors import ModelFileError
from edgeinfer.hailort.layout import choose_layout

WINDOW = np.arange(900, dtype=np.float32).reshape(100, 9)


@pytest.mark.parametrize("shape", [(1, 100, 9), (100, 1, 9), (100, 9, 1), (100, 9)])
def test_shapes_with_time_before_channels_take_the_window_as_it_lies(shape: tuple[int, ...]) -> None:
    layout = choose_layout(shape)
    buffer = np.zeros(shape, np.float32)
    layout.fill(WINDOW, buffer)
    assert buffer.tobytes() == WINDOW.tobytes()
    assert not layout.was_chosen


@pytest.mark.parametrize("shape", [(1, 9, 100), (9, 1, 100), (9, 100)])
def test_shapes_with_channels_before_time_take_it_transposed(shape: tuple[int, ...]) -> None:
    buffer = np.zeros(shape, np.float32)
    choose_layout(shape).fill(WINDOW, buffer)
    assert buffer.tobytes() == np.ascontiguousarray(WINDOW.T).tobytes()


def test_a_flat_input_is_taken_as_time_major_and_says_that_it_was_a_choice() -> None:
    layout = choose_layout((900,))
    assert (layout.is_channel_major, layout.was_chosen) == (False, True)


def test_an_explicit_choice_wins_over_the_shape() -> None:
    assert choose_layout((900,), "channel_major").is_channel_major
    assert not choose_layout((1, 9, 100), "time_major").is_channel_major


@pytest.mark.parametrize(("shape", "words"), [((1, 100, 6), "not 900 numbers"), ((30, 30), "cannot be distinguished")])
def test_other_shapes_are_refused_with_the_reason(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ModelFileError, match=words):
        choose_layout(shape)
