import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgeinfer.gateway.drift import DriftMeter, DriftWindow, publish, stability_index
from edgeinfer.model.card import Baseline, Distribution, LatentBaseline
from tests.gateway.rigs import Clock, make_rig

EDGES = (-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816)
DECILES = Distribution(EDGES, (0.1,) * 10)
BASELINE = Baseline(
    windows=10_000,
    latent=tuple(LatentBaseline(0.0, 1.0, DECILES) for _ in range(4)),
    motif_shares=(0.5, 0.3, 0.2),
    confidence=DECILES,
    latent_norm=DECILES,
)


def test_answers_like_the_baseline_show_no_drift() -> None:
    random = np.random.default_rng(1)
    latents = random.normal(size=(2000, 4)).astype(np.float32)
    tops = random.choice(3, size=2000, p=(0.5, 0.3, 0.2))
    drift = DriftMeter(BASELINE, minimum=500).measure(latents, tops)
    assert drift is not None
    assert drift.latent < 0.05
    assert drift.motifs < 0.05
    assert drift.answers == 2000


def test_shifted_answers_show_a_large_drift() -> None:
    random = np.random.default_rng(1)
    latents = random.normal(loc=1.0, size=(2000, 4)).astype(np.float32)
    drift = DriftMeter(BASELINE, minimum=500).measure(latents, np.zeros(2000, np.int64))
    assert drift is not None
    assert drift.latent > 0.25
    assert drift.motifs > 0.25


def test_too_few_answers_tell_nothing() -> None:
    latents, tops = np.zeros((499, 4), np.float32), np.zeros(499, np.int64)
    assert DriftMeter(BASELINE, minimum=500).measure(latents, tops) is None


def test_the_index_of_a_known_example() -> None:
    expected, found = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    by_hand = (0.25 - 0.5) * np.log(0.25 / 0.5) + (0.75 - 0.5) * np.log(0.75 / 0.5)
    assert stability_index(expected, found) == pytest.approx(by_hand)


@given(arrays(np.float64, 5, elements=st.floats(0, 1)), arrays(np.float64, 5, elements=st.floats(0, 1)))
def test_the_index_is_never_negative_and_always_finite(one: np.ndarray, other: np.ndarray) -> None:
    index = stability_index(one, other)
    assert np.isfinite(index)
    assert index >= 0
    assert stability_index(one, one) == 0


def test_the_window_keeps_the_newest_in_fixed_memory() -> None:
    window = DriftWindow(4, size=10, clock=Clock(), spacing_seconds=0)
    for index in range(25):
        window.add(np.full(4, index, np.float32), index % 3)
    latents, tops = window.copy()
    assert len(window) == 10
    assert sorted(latents[:, 0]) == list(range(15, 25))
    assert len(tops) == 10


def test_under_load_answers_are_taken_at_a_distance() -> None:
    clock = Clock()
    window = DriftWindow(4, size=100, clock=clock, spacing_seconds=0.5)
    for _ in range(100):
        window.add(np.zeros(4, np.float32), 0)
        clock.now += 0.1
    assert len(window) == 20


def test_metrics_are_absent_until_there_is_something_to_tell_and_after() -> None:
    rig = make_rig()
    meter = DriftMeter(BASELINE, minimum=10)
    assert rig.value("hailo_latent_drift_score") is None
    publish(meter.measure(np.zeros((10, 4), np.float32), np.zeros(10, np.int64)), rig.instruments)
    assert (rig.value("hailo_latent_drift_score") or 0) > 0.25
    assert (rig.value("hailo_motif_drift_score") or 0) > 0.25
    publish(None, rig.instruments)
    assert rig.value("hailo_latent_drift_score") is None
    assert rig.value("hailo_motif_drift_score") is None
