"""The CPU backend: files that do not fit fail before the first request."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import pytest

from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.errors import BackendError, ModelFileError
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import recorded_windows
from edgeinfer.recordings.reader import list_recordings

WINDOW = np.random.default_rng(1).normal(0, 2, (100, 9)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_folder(), tmp_path / "model"))


def rewrite_card(folder: Path, variant: str, **changes: object) -> None:
    path = folder / "card.json"
    card = msgspec.json.decode(path.read_bytes())
    card["files"][variant].update(changes)
    path.write_bytes(msgspec.json.encode(card))


@pytest.mark.parametrize("variant", ["cpu", "cpu_int8"])
def test_both_variants_answer(variant: str) -> None:
    backend = OnnxBackend(load_card(default_folder()), variant)
    description = backend.open()
    answer = backend.infer(WINDOW)
    assert (description.kind, description.latent_dimensions, description.motif_count) == ("cpu", 64, 12)
    assert answer.latent.shape == (64,)
    assert answer.motif_scores.sum() == pytest.approx(1, abs=1e-5)


def test_a_missing_file_is_reported(folder: Path) -> None:
    (folder / "tcn_vae.onnx").unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        OnnxBackend(load_card(folder)).open()


def test_a_truncated_file_is_reported(folder: Path) -> None:
    content = (folder / "tcn_vae.onnx").read_bytes()
    (folder / "tcn_vae.onnx").write_bytes(content[:1000])
    with pytest.raises(ModelFileError, match="1000 bytes"):
        OnnxBackend(load_card(folder)).open()


def test_a_file_that_is_no_graph_is_reported(folder: Path) -> None:
    content = b"not a graph"
    (folder / "tcn_vae.onnx").write_bytes(content)
    rewrite_card(folder, "cpu", sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        OnnxBackend(load_card(folder)).open()


def test_a_graph_of_another_shape_is_reported(folder: Path) -> None:
    card = msgspec.json.decode((folder / "card.json").read_bytes())
    device = card["files"]["device"]
    rewrite_card(folder, "cpu", file=device["file"], sha256=device["sha256"], size_bytes=device["size_bytes"])
    with pytest.raises(ModelFileError, match="does not take a window"):
        OnnxBackend(load_card(folder)).open()


def test_asking_before_opening_is_misuse() -> None:
    with pytest.raises(BackendError) as caught:
        OnnxBackend(load_card(default_folder())).infer(WINDOW)
    assert caught.value.error_class == "misuse"


def test_closing_twice_and_opening_again_works() -> None:
    backend = OnnxBackend(load_card(default_folder()))
    backend.open()
    backend.close()
    backend.close()
    backend.open()
    assert backend.infer(WINDOW).latent.size == 64


def test_a_mount_rotation_turns_the_window(folder: Path) -> None:
    path = folder / "card.json"
    card = msgspec.json.decode(path.read_bytes())
    card["mount_rotation"] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    path.write_bytes(msgspec.json.encode(card))
    turned, plain = OnnxBackend(load_card(folder)), OnnxBackend(load_card(default_folder()))
    turned.open()
    plain.open()
    by_hand = WINDOW.reshape(-1, 3) @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32)
    expected = plain.infer(np.ascontiguousarray(by_hand.reshape(100, 9))).latent
    np.testing.assert_allclose(turned.infer(WINDOW).latent, expected, atol=1e-5)


@pytest.mark.parametrize(
    "failure",
    [MemoryError(), RuntimeError("[ONNXRuntimeError] : 1 : FAIL : Exception during loading: std::bad_alloc")],
)
def test_lack_of_memory_is_no_fault_of_the_file_and_may_pass(failure: Exception) -> None:
    failures = [failure]

    def load(content: bytes) -> onnxruntime.InferenceSession:
        if failures:
            raise failures.pop()
        return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    backend = OnnxBackend(load_card(default_folder()), load=load)
    with pytest.raises(BackendError) as reported:
        backend.open()
    assert reported.value.error_class == "memory_allocation_error"
    assert backend.open().kind == "cpu"


@pytest.mark.parametrize("variant", ["cpu", "cpu_int8"])
@pytest.mark.parametrize("size", [2, 5, 16])
def test_windows_of_one_run_get_bit_for_bit_what_each_gets_alone_over_all_recordings(variant: str, size: int) -> None:
    backend = OnnxBackend(load_card(default_folder()), variant)
    backend.open()
    names = [info.name for info in list_recordings()]
    windows = list(recorded_windows(names, length=100, hop=100))
    assert len(windows) > 1000
    for start in range(0, len(windows), size):
        part = windows[start : start + size]
        for window, batched in zip(part, backend.infer_batch(part), strict=True):
            alone = backend.infer(window)
            assert np.array_equal(alone.latent, batched.latent)
            assert np.array_equal(alone.motif_scores, batched.motif_scores)
            assert (alone.batch_size, batched.batch_size) == (1, len(part))


def test_a_graph_with_a_batch_axis_of_its_own_takes_several_windows() -> None:
    backend = OnnxBackend(load_card(default_folder()))
    assert backend.max_batch == 1
    backend.open()
    assert backend.max_batch > 1


def test_a_card_with_a_fixed_batch_axis_stays_single(folder: Path) -> None:
    card = msgspec.json.decode((folder / "card.json").read_bytes())
    tensors = card["files"]["cpu"]["input_tensor"]
    tensors["shape"][0] = 1
    rewrite_card(folder, "cpu", input_tensor=tensors)
    backend = OnnxBackend(load_card(folder))
    backend.open()
    assert backend.max_batch == 1
    assert backend.infer(WINDOW).batch_size == 1


class Session:
    """ONNX Runtime's session with other results for more than one window."""

    def __init__(self, content: bytes, change: Callable[[list[Any]], list[Any]]) -> None:
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self._change = change

    def run(self, names: list[str], feed: dict[str, Any]) -> list[Any]:
        outputs = self._session.run(names, feed)
        return self._change(outputs) if len(next(iter(feed.values()))) > 1 else outputs


def mixes_windows(outputs: list[Any]) -> list[Any]:
    return [output + 1e-3 * output.mean(axis=0) for output in outputs]


def answers_one(outputs: list[Any]) -> list[Any]:
    return [output[:1] for output in outputs]


def refuses(_: list[Any]) -> list[Any]:
    raise RuntimeError("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: window")


@pytest.mark.parametrize("change", [mixes_windows, answers_one, refuses])
def test_a_graph_whose_windows_are_not_independent_stays_single(change: Callable[[list[Any]], list[Any]]) -> None:
    def load(content: bytes) -> Any:
        return Session(content, change)

    backend = OnnxBackend(load_card(default_folder()), load=load)
    backend.open()
    assert backend.max_batch == 1
