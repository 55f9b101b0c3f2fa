import math

import numpy as np
import pytest

from edgeinfer.model.card import IDENTITY, Normalization
from edgeinfer.model.processing import make_mount, make_scale, softmax, to_channels_first, turn

QUARTER_TURN = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
"""Turns x into y and y into -x."""


def random_windows(count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 100, 9), dtype=np.float32)


def test_scaling_subtracts_the_mean_and_divides_by_the_deviation() -> None:
    scale = make_scale(Normalization(mean=tuple(range(9)), std=(2.0,) * 9))
    windows = random_windows()
    np.testing.assert_allclose(scale.apply(windows), (windows - np.arange(9)) / 2.0, rtol=1e-6, atol=1e-6)


def test_scaling_leaves_its_input_alone_and_stays_float32() -> None:
    scale = make_scale(Normalization(mean=(1.0,) * 9, std=(3.0,) * 9))
    windows = random_windows()
    before = windows.copy()
    assert scale.apply(windows).dtype == np.float32
    np.testing.assert_array_equal(windows, before)


def test_an_identity_mount_costs_nothing() -> None:
    windows = random_windows()
    assert make_mount(IDENTITY) is None
    assert turn(windows, None) is windows


def test_a_mount_turns_each_sensor_alike() -> None:
    windows = np.zeros((1, 100, 9), dtype=np.float32)
    windows[..., [0, 3, 6]] = [1.0, 2.0, 3.0]
    turned = turn(windows, make_mount(QUARTER_TURN))
    np.testing.assert_array_equal(turned[0, 0], [0, 1, 0, 0, 2, 0, 0, 3, 0])
    assert turned.dtype == np.float32


def test_a_mount_turns_a_single_window_too() -> None:
    windows = random_windows()
    mount = make_mount(QUARTER_TURN)
    np.testing.assert_array_equal(turn(windows[0], mount), turn(windows, mount)[0])


def test_scores_sum_to_one_even_for_huge_logits() -> None:
    scores = softmax(np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]], dtype=np.float32), 0.5)
    np.testing.assert_allclose(scores.sum(axis=-1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(scores[1], 1.0 / 3.0, rtol=1e-6)


def test_a_lower_temperature_sharpens_the_scores() -> None:
    logits = np.array([1.0, 0.0], dtype=np.float32)
    assert softmax(logits, 1.0)[0] == pytest.approx(1.0 / (1.0 + math.exp(-1.0)), rel=1e-6)
    assert softmax(logits, 0.5)[0] > softmax(logits, 1.0)[0]


def test_channels_first_is_a_view_of_the_same_memory() -> None:
    windows = random_windows()
    image = to_channels_first(windows)
    assert image.shape == (3, 9, 1, 100)
    assert np.shares_memory(image, windows)
    assert image[1, 4, 0, 50] == windows[1, 50, 4]
