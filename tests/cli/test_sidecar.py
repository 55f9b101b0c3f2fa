"""What `edgeinfer sidecar` proves before it serves."""

import shutil
from pathlib import Path

import msgspec
import pytest

from edgeinfer.cli.sidecar import make_backend
from edgeinfer.errors import ModelFileError
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.settings import SidecarSettings


def folder_with(tmp_path: Path, **changes: object) -> Path:
    """A copy of the shipped model whose card says something else of the CPU's file."""
    folder = tmp_path / "model"
    shutil.copytree(default_folder(), folder)
    card = msgspec.json.decode((folder / "card.json").read_bytes())
    card["files"]["cpu"].update(changes)
    (folder / "card.json").write_bytes(msgspec.json.encode(card))
    return folder


def test_a_graph_that_does_not_fit_its_card_ends_the_start_and_is_no_service_that_never_gets_ready(
    tmp_path: Path,
) -> None:
    device = msgspec.json.decode((default_folder() / "card.json").read_bytes())["files"]["device"]
    folder = folder_with(tmp_path, **{key: device[key] for key in ("file", "sha256", "size_bytes")})
    with pytest.raises(ModelFileError, match="does not take a window of 100 x 9"):
        make_backend(load_card(folder), SidecarSettings.from_environment({}))


def test_a_truncated_file_ends_the_start(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    (folder / "tcn_vae.onnx").write_bytes(b"\0" * 1000)
    with pytest.raises(ModelFileError, match="has 1000 bytes where the card says 628000"):
        make_backend(load_card(folder), SidecarSettings.from_environment({}))
