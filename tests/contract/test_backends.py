"""What every backend promises, asked of each one; a new file in the folder must join."""

import pkgutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import edgeinfer.backends
from edgeinfer.backends.base import Backend
from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.backends.stub import Script, StubBackend
from edgeinfer.catalog.labels import BACKEND_KINDS, HARDWARE_ERROR_CLASSES
from edgeinfer.errors import BackendError
from edgeinfer.model.card import default_folder, load_card
from tests.fakes.hailo_platform.machine import Machine
from tests.hailort.rigs import build_rig

CARD = load_card(default_folder())
WINDOWS = np.random.default_rng(1).normal(0, 2, (8, 100, 9)).astype(np.float32)
FACTORIES: dict[str, Callable[[Path], Backend]] = {
    "onnx": lambda _: OnnxBackend(CARD),
    "onnx int8": lambda _: OnnxBackend(CARD, "cpu_int8"),
    "stub": lambda _: StubBackend(CARD, Script(median_seconds=0.0)),
    "hailort 4": lambda folder: build_rig(Machine("4.23.0"), folder).backend,
    "hailort 5": lambda folder: build_rig(Machine("5.2.0"), folder).backend,
}


@pytest.fixture(params=FACTORIES)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    made = FACTORIES[request.param](tmp_path)
    yield made
    made.close()


def test_every_backend_is_asked() -> None:
    files = {module.name for module in pkgutil.iter_modules(edgeinfer.backends.__path__)} - {"base"}
    assert {name.split()[0] for name in FACTORIES} == files


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
