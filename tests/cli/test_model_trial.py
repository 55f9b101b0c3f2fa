"""`edgeinfer doctor --model`: a model of one's own is tried before anything serves it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgeinfer.cli.doctor import create
from edgeinfer.model.card import default_folder, load_card


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model."""
    return Path(shutil.copytree(default_folder(), tmp_path / "model"))


def doctor(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(create(), ["--model", str(folder), *options])


def change(folder: Path, how: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    how(card)
    path.write_text(json.dumps(card), encoding="utf-8")


def test_the_shipped_model_is_tried_on_the_recordings(folder: Path) -> None:
    tried = doctor(folder, "--json")
    assert tried.exit_code == 0, tried.output
    found = {one["subject"]: one for one in json.loads(tried.output)}
    assert list(found) == ["model", "variant cpu", "variant cpu_int8", "variant device", "agreement"]
    assert found["variant cpu"]["verdict"] == "ok"
    assert "500 recorded windows of 100 x 9 at 100 Hz: p50 " in found["variant cpu"]["message"]
    assert "same motif 9" in found["agreement"]["message"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda card: card["window"].update(length=200), "window.length must be 100, got 200"),
        (lambda card: card["window"].update(rate_hz=50), "window.rate_hz must be 100, got 50"),
        (lambda card: (card["motifs"].pop(), card.pop("baseline")), "where the card says (64, 11)"),
        (lambda card: (card.update(latent_size=32), card.pop("baseline")), "where the card says (32, 12)"),
        (lambda card: card["files"]["cpu"].update(sha256="0" * 64), "has SHA-256"),
    ],
)
def test_what_does_not_fit_is_named(folder: Path, how: Callable[[dict[str, Any]], object], words: str) -> None:
    change(folder, how)
    tried = doctor(folder)
    assert tried.exit_code == 1
    assert words in tried.output
    assert "broken" in tried.output


def test_what_the_gateway_would_refuse_is_counted(folder: Path) -> None:
    # Normalized twice, and by next to nothing: the graph's own numbers overflow.
    change(folder, lambda card: card.update(normalization={"mean": [0.0] * 9, "std": [1e-30] * 9}))
    change(folder, lambda card: card["files"]["cpu"].update(input="normalized"))
    tried = doctor(folder)
    assert tried.exit_code == 1
    assert "would be refused, the first: " in tried.output


def test_an_onnx_file_without_a_card_is_given_one_to_begin_with(tmp_path: Path) -> None:
    shutil.copy(default_folder() / "tcn_vae.onnx", tmp_path)
    without = doctor(tmp_path)
    assert (without.exit_code, "--write-card" in without.output) == (1, True)
    written = doctor(tmp_path, "--write-card")
    assert written.exit_code == 0, written.output
    card, shipped = load_card(tmp_path), load_card(default_folder())
    ours, theirs = card.file("cpu"), shipped.file("cpu")
    assert (ours.sha256, ours.size_bytes, ours.input, ours.scores) == (
        theirs.sha256,
        theirs.size_bytes,
        "raw",
        "scores",
    )
    assert (ours.input_tensor, ours.latent_tensor) == (theirs.input_tensor, theirs.latent_tensor)
    assert (card.latent_size, len(card.motifs), card.motifs[11].name) == (64, 12, "motif_11")
    again = doctor(tmp_path, "--write-card")
    assert (again.exit_code, "exists already" in again.output) == (1, True)


def test_a_device_graph_is_known_by_its_shape(tmp_path: Path) -> None:
    shutil.copy(default_folder() / "tcn_vae_device.onnx", tmp_path)
    written = doctor(tmp_path, "--write-card")
    assert written.exit_code == 0, written.output
    assert "cannot fall back" in written.output
    file = load_card(tmp_path).files["device"]
    assert (file.input, file.scores, file.input_tensor.shape) == ("normalized", "logits", (1, 9, 1, 100))


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"no graph")
    tried = doctor(tmp_path, "--write-card")
    assert tried.exit_code == 1
    assert "is not a graph that ONNX Runtime loads" in tried.output
    assert not (tmp_path / "card.json").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    for options in ((), ("--write-card",)):
        tried = doctor(tmp_path / "nowhere", *options)
        assert tried.exit_code == 1
        assert "nowhere" in tried.output


def test_a_card_is_written_for_a_named_folder_only() -> None:
    tried = CliRunner().invoke(create(), ["--write-card"])
    assert tried.exit_code == 2
    assert "--model" in tried.output
