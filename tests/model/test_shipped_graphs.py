"""Holds the shipped graphs to the trained network: its outputs are stored, so that no test needs torch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from edgeinfer.model.card import ModelCard, default_folder, load_card
from edgeinfer.model.processing import make_scale, softmax, to_channels_first

FloatArray = npt.NDArray[np.float32]
PARITY = 1e-4


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return load_card(default_folder())


@pytest.fixture(scope="module")
def stored() -> dict[str, FloatArray]:
    with np.load(Path(__file__).parent / "data" / "torch_outputs.npz", allow_pickle=False) as file:
        return {name: file[name] for name in ("windows", "latent", "logits")}


def session_of(card: ModelCard, variant: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(card.file(variant).read(), options, providers=["CPUExecutionProvider"])


def run(card: ModelCard, variant: str, windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    latent, scores = session_of(card, variant).run(["latent", "motif_scores"], {"window": windows})
    return latent, scores


def test_the_cpu_graph_equals_the_trained_network(card: ModelCard, stored: dict[str, FloatArray]) -> None:
    latent, scores = run(card, "cpu", stored["windows"])
    assert np.abs(latent - stored["latent"]).max() < PARITY
    assert np.abs(scores - softmax(stored["logits"], card.temperature)).max() < PARITY


def test_the_device_graph_with_the_host_around_it_equals_the_cpu_graph(
    card: ModelCard, stored: dict[str, FloatArray]
) -> None:
    expected = run(card, "cpu", stored["windows"])
    session = session_of(card, "device")
    images = to_channels_first(make_scale(card.normalization).apply(stored["windows"]))
    for i in range(len(images)):
        image = np.ascontiguousarray(images[i : i + 1])
        latent, logits = session.run(["latent", "motif_logits"], {"window": image})
        assert np.abs(latent.reshape(-1) - expected[0][i]).max() < PARITY
        assert np.abs(softmax(logits.reshape(-1), card.temperature) - expected[1][i]).max() < PARITY


def test_the_int8_graph_points_the_same_way_as_the_float_graph(card: ModelCard, stored: dict[str, FloatArray]) -> None:
    exact, _scores = run(card, "cpu", stored["windows"])
    reduced, _scores = run(card, "cpu_int8", stored["windows"])
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(reduced, axis=1)
    cosine = (exact * reduced).sum(axis=1) / lengths
    assert cosine.mean() >= 0.999
    # The swings of a watch run out of the calibrated ranges: the card says by how much.
    assert cosine.min() >= 0.98


def test_the_int8_graph_held_its_gate_on_people_never_seen(card: ModelCard) -> None:
    report = card.documentation["int8"]["on_test_people"]
    for case in ("without_magnetometer", "with_magnetometer"):
        assert report[case]["cosine_mean"] >= 0.999
        assert report[case]["cosine_p1"] >= 0.99
        assert report[case]["motif_agreement"] >= 0.98
        assert report[case]["accuracy_drop"] <= 0.01


@pytest.mark.parametrize("variant", ["cpu", "cpu_int8"])
def test_a_window_alone_gives_what_it_gives_in_a_batch(
    card: ModelCard, stored: dict[str, FloatArray], variant: str
) -> None:
    together = run(card, variant, stored["windows"])
    session = session_of(card, variant)
    for i in range(len(stored["windows"])):
        latent, scores = session.run(["latent", "motif_scores"], {"window": stored["windows"][i : i + 1]})
        np.testing.assert_allclose(latent[0], together[0][i], atol=1e-5)
        np.testing.assert_allclose(scores[0], together[1][i], atol=1e-5)


@pytest.mark.parametrize("variant", ["cpu", "cpu_int8"])
def test_scores_are_shares(card: ModelCard, stored: dict[str, FloatArray], variant: str) -> None:
    latent, scores = run(card, variant, stored["windows"])
    assert np.isfinite(latent).all()
    assert scores.min() >= 0.0
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)


def test_each_graph_has_the_tensors_that_the_card_names(card: ModelCard) -> None:
    for variant, file in card.files.items():
        session = session_of(card, variant)
        (window,) = session.get_inputs()
        assert (window.name, tuple(window.shape)) == (file.input_tensor.name, file.input_tensor.shape)
        found = {output.name: tuple(output.shape) for output in session.get_outputs()}
        assert found == {spec.name: spec.shape for spec in (file.latent_tensor, file.scores_tensor)}


def test_the_device_graph_holds_only_what_its_compiler_takes(card: ModelCard) -> None:
    graph = onnx.load_from_string(card.file("device").read()).graph
    assert {node.op_type for node in graph.node} == {"Conv", "Relu", "Add", "GlobalAveragePool"}


def test_a_missing_magnetometer_is_zero_after_normalization(card: ModelCard) -> None:
    windows = np.zeros((1, 100, 9), dtype=np.float32)
    assert not make_scale(card.normalization).apply(windows)[..., 6:].any()
