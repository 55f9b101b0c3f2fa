import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.errors import ModelFileError
from edgeinfer.model.card import CARD_NAME, CHANNELS, IDENTITY, ModelCard, default_folder, load_card

Document = dict[str, Any]
GRAPH = b"not a real graph, but the card does not care"


def minimal_document() -> Document:
    return {
        "name": "tiny",
        "version": "1",
        "files": {
            "cpu": {
                "file": "tiny.onnx",
                "sha256": hashlib.sha256(GRAPH).hexdigest(),
                "size_bytes": len(GRAPH),
                "input": "raw",
                "scores": "scores",
                "input_tensor": {"name": "window", "shape": ["batch", 100, 9]},
                "latent_tensor": {"name": "latent", "shape": ["batch", 2]},
                "scores_tensor": {"name": "motif_scores", "shape": ["batch", 2]},
            }
        },
        "window": {"length": 100, "rate_hz": 100, "channels": list(CHANNELS), "units": ["m/s²"] * 9},
        "latent_size": 2,
        "normalization": {"mean": [0.0] * 9, "std": [1.0] * 9},
        "temperature": 1.0,
        "motifs": [{"name": "motif_00"}, {"name": "motif_01"}],
    }


def distribution() -> Document:
    return {"edges": [0.5], "shares": [0.25, 0.75]}


def baseline() -> Document:
    entry = {"mean": 0.0, "std": 1.0, "distribution": distribution()}
    return {
        "windows": 10,
        "latent": [entry, entry],
        "motif_shares": [0.5, 0.5],
        "confidence": distribution(),
        "latent_norm": distribution(),
    }


def write(folder: Path, document: Document) -> Path:
    (folder / CARD_NAME).write_text(json.dumps(document), encoding="utf-8")
    (folder / "tiny.onnx").write_bytes(GRAPH)
    return folder


def violation(folder: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        load_card(folder)
    assert caught.value.thing == str(folder / CARD_NAME)
    assert caught.value.remedy
    return caught.value.fault


def test_a_minimal_card_is_enough_to_drop_a_model_in(tmp_path: Path) -> None:
    card = load_card(write(tmp_path, minimal_document()))
    assert card.motif_names == ("motif_00", "motif_01")
    assert card.mount_rotation == IDENTITY
    assert card.baseline is None
    assert card.file("cpu").read() == GRAPH


def test_fields_that_the_code_does_not_read_are_kept_as_documentation(tmp_path: Path) -> None:
    card = load_card(write(tmp_path, minimal_document() | {"limits": ["few"]}))
    assert card.documentation == {"limits": ["few"]}


def test_a_baseline_is_read(tmp_path: Path) -> None:
    card = load_card(write(tmp_path, minimal_document() | {"baseline": baseline()}))
    assert card.baseline is not None
    assert card.baseline.latent[1].distribution.shares == (0.25, 0.75)


def test_an_unknown_variant_is_refused_with_the_names_of_the_others(tmp_path: Path) -> None:
    card = load_card(write(tmp_path, minimal_document()))
    with pytest.raises(ModelFileError, match=r"has no variant 'cpu_int8'.*cpu"):
        card.file("cpu_int8")


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    assert violation(tmp_path) == "cannot be read: No such file or directory"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"name": "cut off'])
def test_a_card_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CARD_NAME).write_bytes(content)
    assert "is not a JSON object" in violation(tmp_path)


@pytest.mark.parametrize("field", sorted(minimal_document()))
def test_each_required_field_is_missed_by_name(tmp_path: Path, field: str) -> None:
    document = minimal_document()
    del document[field]
    assert f"missing required field `{field}`" in violation(write(tmp_path, document))


@pytest.mark.parametrize("field", sorted(minimal_document()["files"]["cpu"]))
def test_each_field_of_a_file_is_missed_by_name(tmp_path: Path, field: str) -> None:
    document = minimal_document()
    del document["files"]["cpu"][field]
    assert f"missing required field `{field}`" in violation(write(tmp_path, document))


Change = Callable[[Document], object]
WRONG_VALUES: list[tuple[str, Change]] = [
    ("files names no variant", lambda d: d.update(files={})),
    ("files.cpu.file must be a plain file name", lambda d: d["files"]["cpu"].update(file="../other.onnx")),
    ("files.cpu.file must be a plain file name", lambda d: d["files"]["cpu"].update(file="")),
    ("files.cpu.sha256 must be 64", lambda d: d["files"]["cpu"].update(sha256="abc")),
    ("files.cpu.size_bytes must be above 0", lambda d: d["files"]["cpu"].update(size_bytes=0)),
    ("Invalid enum value 'half'", lambda d: d["files"]["cpu"].update(input="half")),
    ("window.channels must be", lambda d: d["window"].update(channels=list(reversed(CHANNELS)))),
    ("window.units must have 9 entries, got 1", lambda d: d["window"].update(units=["m/s²"])),
    ("window.length must be 100, got 50", lambda d: d["window"].update(length=50)),
    ("window.rate_hz must be 100, got 50", lambda d: d["window"].update(rate_hz=50)),
    ("normalization.mean must have 9 entries, got 3", lambda d: d["normalization"].update(mean=[0, 0, 0])),
    ("normalization.std must have 9 entries, got 10", lambda d: d["normalization"].update(std=[1.0] * 10)),
    ("normalization.std must be above 0", lambda d: d["normalization"].update(std=[0.0] + [1.0] * 8)),
    ("Expected `float`, got `str`", lambda d: d["normalization"].update(mean=["0"] * 9)),
    ("latent_size must be above 0", lambda d: d.update(latent_size=0)),
    ("Expected `int`, got `float`", lambda d: d.update(latent_size=2.5)),
    ("temperature must be above 0", lambda d: d.update(temperature=0)),
    ("Expected `float`, got `null`", lambda d: d.update(temperature=None)),
    ("motifs must each have a name", lambda d: d.update(motifs=[])),
    ("motifs must each have a name", lambda d: d.update(motifs=[{"name": ""}])),
    ("motifs must have different names", lambda d: d.update(motifs=[{"name": "a"}, {"name": "a"}])),
    ("mount_rotation must be a rotation", lambda d: d.update(mount_rotation=[[2, 0, 0], [0, 1, 0], [0, 0, 1]])),
    ("mount_rotation mirrors", lambda d: d.update(mount_rotation=[[-1, 0, 0], [0, 1, 0], [0, 0, 1]])),
    ("`array` of length 3", lambda d: d.update(mount_rotation=[[1, 0, 0], [0, 1, 0]])),
    ("baseline.windows must be above 0", lambda d: d.update(baseline=baseline() | {"windows": 0})),
    ("baseline.latent must have 2 entries, got 0", lambda d: d.update(baseline=baseline() | {"latent": []})),
    ("baseline.motif_shares must have 2", lambda d: d.update(baseline=baseline() | {"motif_shares": [1]})),
    (
        "baseline.confidence must have one share more than edges",
        lambda d: d.update(baseline=baseline() | {"confidence": {"edges": [1], "shares": [1]}}),
    ),
    (
        "baseline.confidence.edges must rise",
        lambda d: d.update(baseline=baseline() | {"confidence": {"edges": [1, 0], "shares": [0, 0, 1]}}),
    ),
    (
        "baseline.latent_norm.shares must be at least 0 and sum to 1",
        lambda d: d.update(baseline=baseline() | {"latent_norm": {"edges": [1], "shares": [1, 1]}}),
    ),
]


@pytest.mark.parametrize(("fault", "change"), WRONG_VALUES)
def test_each_wrong_value_is_refused_by_name(tmp_path: Path, fault: str, change: Change) -> None:
    document = minimal_document()
    change(document)
    assert fault in violation(write(tmp_path, document))


def file_failure(card: ModelCard) -> str:
    with pytest.raises(ModelFileError) as caught:
        card.file("cpu").read()
    assert caught.value.thing == str(card.file("cpu").path)
    assert "restore" in caught.value.remedy.lower()
    return caught.value.fault


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    card = load_card(write(tmp_path, minimal_document()))
    (tmp_path / "tiny.onnx").unlink()
    assert file_failure(card) == "cannot be read: No such file or directory"


def test_a_truncated_model_file_is_named_with_both_sizes(tmp_path: Path) -> None:
    card = load_card(write(tmp_path, minimal_document()))
    (tmp_path / "tiny.onnx").write_bytes(GRAPH[:10])
    assert file_failure(card) == f"has 10 bytes where the card says {len(GRAPH)}"


def test_a_changed_model_file_is_named_with_both_hashes(tmp_path: Path) -> None:
    card = load_card(write(tmp_path, minimal_document()))
    (tmp_path / "tiny.onnx").write_bytes(GRAPH.swapcase())
    assert hashlib.sha256(GRAPH).hexdigest() in file_failure(card)


def test_the_shipped_card_describes_the_shipped_files() -> None:
    card = load_card(default_folder())
    assert set(card.files) == {"cpu", "cpu_int8", "device"}
    for file in card.files.values():
        assert len(file.read()) <= 1_000_000


def test_the_shipped_card_fits_the_contract() -> None:
    card = load_card(default_folder())
    assert (card.window.length, card.window.rate_hz) == (100, 100.0)
    assert (card.latent_size, len(card.motifs)) == (64, 12)
    assert {motif.group for motif in card.motifs} == {"move", "static", "transition"}
    assert card.normalization.mean[6:] == (0.0, 0.0, 0.0)
    assert card.baseline is not None


def test_the_shipped_model_met_its_goals_on_people_never_seen() -> None:
    results = load_card(default_folder()).documentation["results"]
    figures = results["test_people"]["nominal"]
    assert figures["accuracy"] >= 0.90
    assert figures["macro_f1"] >= 0.78
    assert len(results["seeds"]) >= 3
    assert max(row["macro_f1"] for row in results["baselines_on_test_people"]) < figures["macro_f1"]


def test_the_shipped_card_says_nothing_of_dogs_and_states_both_licence_facts() -> None:
    text = (default_folder() / CARD_NAME).read_text(encoding="utf-8")
    assert "dog" not in text.lower()
    assert "CC BY 4.0" in text
    assert "commercial use is prohibited" in text
