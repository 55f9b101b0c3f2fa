"""What every backend promises, asked of each one; a new file in the folder must join."""

import importlib
import importlib.util
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeinfer.backends.base import Backend, BatchBackend
from edgeinfer.catalog.backends import backend_files, backend_names
from edgeinfer.catalog.labels import BACKEND_KINDS, HARDWARE_ERROR_CLASSES
from edgeinfer.errors import BackendError
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.settings import SidecarSettings

CARD = load_card(default_folder())
WINDOWS = np.random.default_rng(1).normal(0, 2, (8, 100, 9)).astype(np.float32)


def factories_of(name: str) -> dict[str, Callable[[Path], Backend]]:
    """How a backend is made here, by what the test is called.

    A backend that needs a fake has a file of its own name in tests/contract/rigs, whose `rigs()` gives these; every
    other is made as the sidecar makes it, with the settings' defaults.
    """
    rigs = f"tests.contract.rigs.{name}"
    if importlib.util.find_spec(rigs):
        found: dict[str, Callable[[Path], Backend]] = importlib.import_module(rigs).rigs()
        return found
    create = importlib.import_module(f"edgeinfer.backends.{name}").create
    return {name: lambda _: create(CARD, SidecarSettings.from_environment({}))}


FACTORIES = {title: make for name in backend_names() for title, make in factories_of(name).items()}


@pytest.fixture(params=FACTORIES)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    made = FACTORIES[request.param](tmp_path)
    made.close()  # some are made open
    yield made
    made.close()


def test_every_backend_is_asked() -> None:
    assert {name.split()[0] for name in FACTORIES} == {"hailort", "onnx", "stub"} | set(backend_names())


def test_every_backend_says_what_it_is_in_a_constant_and_a_docstring() -> None:
    for backend in backend_files():
        assert backend.kind in BACKEND_KINDS, backend.name
        assert backend.summary, backend.name


def test_before_it_is_open_it_says_so(backend: Backend) -> None:
    with pytest.raises(BackendError) as caught:
        backend.infer(WINDOWS[0])
    assert caught.value.error_class in HARDWARE_ERROR_CLASSES
    assert caught.value.remedy


def test_it_says_what_it_is(backend: Backend) -> None:
    description = backend.open()
    assert description.kind in BACKEND_KINDS
    assert description.device
    assert description.runtime
    assert (description.model_name, description.model_version) == (CARD.name, CARD.version)
    assert (description.latent_dimensions, description.motif_count) == (CARD.latent_size, len(CARD.motifs))
    assert backend.parallelism >= 1


def test_windows_of_one_run_are_answered_as_each_alone(backend: Backend) -> None:
    backend.open()
    if not isinstance(backend, BatchBackend):
        return  # it computes one at a time
    assert backend.max_batch >= 1
    part = list(WINDOWS[: backend.max_batch])
    for window, batched in zip(part, backend.infer_batch(part), strict=True):
        alone = backend.infer(window)
        np.testing.assert_allclose(batched.latent, alone.latent, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(batched.motif_scores, alone.motif_scores, rtol=1e-5, atol=1e-5)
        assert batched.batch_size == len(part)


def test_an_answer_keeps_the_models_contract(backend: Backend) -> None:
    backend.open()
    for window in WINDOWS:
        answer = backend.infer(window)
        assert answer.latent.shape == (CARD.latent_size,)
        assert answer.motif_scores.shape == (len(CARD.motifs),)
        assert answer.latent.dtype == answer.motif_scores.dtype == np.float32
        assert np.isfinite(answer.latent).all()
        assert (answer.motif_scores >= 0).all()
        assert answer.motif_scores.sum() == pytest.approx(1, abs=1e-4)
        assert min(answer.preprocess_seconds, answer.execute_seconds, answer.postprocess_seconds) >= 0
        assert answer.batch_size >= 1


def test_the_window_is_left_alone_and_may_be_read_only(backend: Backend) -> None:
    backend.open()
    window = WINDOWS[0].copy()
    window.flags.writeable = False
    backend.infer(window)
    assert np.array_equal(window, WINDOWS[0])


def test_an_answer_is_not_changed_by_the_next(backend: Backend) -> None:
    backend.open()
    first = backend.infer(WINDOWS[0])
    kept = first.latent.copy(), first.motif_scores.copy()
    backend.infer(WINDOWS[1])
    assert np.array_equal(first.latent, kept[0])
    assert np.array_equal(first.motif_scores, kept[1])


def test_threads_get_the_answers_to_their_own_windows(backend: Backend) -> None:
    backend.open()
    alone = [backend.infer(window).latent for window in WINDOWS]
    together: dict[int, np.ndarray] = {}

    def work(offset: int) -> None:
        for number in range(offset, len(WINDOWS), 2):
            together[number] = backend.infer(WINDOWS[number]).latent

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for number, latent in enumerate(alone):
        assert np.allclose(together[number], latent, rtol=1e-5, atol=1e-6), number


def test_it_can_be_closed_twice_and_opened_again(backend: Backend) -> None:
    backend.close()
    backend.open()
    before = backend.infer(WINDOWS[0]).latent
    backend.close()
    backend.close()
    with pytest.raises(BackendError):
        backend.infer(WINDOWS[0])
    backend.open()
    assert np.allclose(backend.infer(WINDOWS[0]).latent, before, rtol=1e-5, atol=1e-6)
