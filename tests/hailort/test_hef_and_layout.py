"""What is known of a HEF before a device sees it, and how a window lies in it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from edgeinfer.errors import ModelFileError
from edgeinfer.hailort.hef import check_architecture, check_hef
from edgeinfer.hailort.layout import choose_layout
from tests.fakes.hailo_platform.hef import write_hef

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


@pytest.mark.parametrize(("shape", "words"), [((1, 100, 6), "not 900 numbers"), ((30, 30), "cannot be told apart")])
def test_other_shapes_are_refused_with_the_reason(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ModelFileError, match=words):
        choose_layout(shape)


def test_a_good_hef_is_hashed(tmp_path: Path) -> None:
    path = write_hef(tmp_path / "net.hef")
    assert check_hef(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"PK\x03\x04 a zip", "begins with 50 4b 03 04 instead of 01 48 45 46"),
        (b"\x01HEF\x00\x00\x00\x09rest", "format 9"),
    ],
)
def test_what_is_no_hef_is_told_by_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "net.hef"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=words):
        check_hef(path)


def test_a_missing_hef_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="HEF_PATH"):
        check_hef(tmp_path / "net.hef")


def test_a_manifest_pins_hash_and_chip(tmp_path: Path) -> None:
    path = write_hef(tmp_path / "net.hef")
    manifest = tmp_path / "net.hef.json"
    manifest.write_text(json.dumps({"architecture": "HAILO8"}))
    hef = check_hef(path)
    check_architecture(hef, "HAILO8")
    check_architecture(hef, "unknown")
    with pytest.raises(ModelFileError, match="compiled for HAILO8, and the chip is a HAILO8L"):
        check_architecture(hef, "HAILO8L")
    manifest.write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(ModelFileError, match="its manifest says"):
        check_hef(path)
    manifest.write_text(json.dumps({"arch": "HAILO8"}))
    with pytest.raises(ModelFileError, match="not a manifest"):
        check_hef(path)


def test_a_hailo_8_runs_what_was_compiled_for_an_8l(tmp_path: Path) -> None:
    path = write_hef(tmp_path / "net.hef")
    (tmp_path / "net.hef.json").write_text(json.dumps({"architecture": "HAILO8L"}))
    check_architecture(check_hef(path), "HAILO8")
