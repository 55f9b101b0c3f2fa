"""The stub identifies itself, is repeatable, and fails as scripted."""

import numpy as np
import pytest

from edgeinfer.backends.stub import Script, StubBackend
from edgeinfer.errors import BackendError
from edgeinfer.model.card import default_folder, load_card

WINDOW = np.random.default_rng(1).normal(0, 2, (100, 9)).astype(np.float32)


def make(script: Script, slept: list[float] | None = None) -> StubBackend:
    slept = [] if slept is None else slept
    backend = StubBackend(load_card(default_folder()), script, sleep=slept.append)
    backend.open()
    return backend


def test_it_says_that_it_is_a_stub() -> None:
    description = make(Script()).open()
    assert description.kind == "stub"
    assert "synthetic" in description.device
    assert description.model_sha256 == ""


def test_the_same_window_gets_the_same_answer_and_another_one_another() -> None:
    backend = make(Script())
    first, again, other = backend.infer(WINDOW), backend.infer(WINDOW), backend.infer(WINDOW + 1)
    assert np.array_equal(first.latent, again.latent)
    assert not np.array_equal(first.latent, other.latent)
    assert first.motif_scores.sum() == pytest.approx(1, abs=1e-5)


def test_its_latency_is_scripted() -> None:
    slept: list[float] = []
    backend = make(Script(median_seconds=0.004, spread=0.5), slept)
    for _ in range(400):
        backend.infer(WINDOW)
    assert np.median(slept) == pytest.approx(0.004, rel=0.15)
    assert np.std(np.log(slept)) == pytest.approx(0.5, rel=0.15)


def test_its_failures_are_scripted_by_class() -> None:
    backend = make(Script(failure_shares={"timeout": 0.3, "communication_closed": 0.1}))
    classes: dict[str, int] = {"timeout": 0, "communication_closed": 0}
    for _ in range(1000):
        try:
            backend.infer(WINDOW)
        except BackendError as failure:
            classes[failure.error_class] += 1
    assert classes["timeout"] == pytest.approx(300, abs=60)
    assert classes["communication_closed"] == pytest.approx(100, abs=40)


def test_it_can_answer_not_a_number() -> None:
    assert np.isnan(make(Script(not_a_number_share=1.0)).infer(WINDOW).latent).any()
