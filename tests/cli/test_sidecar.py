"""What `edgeinfer sidecar` proves before it serves."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edgeinfer.cli.sidecar import make_backend, make_rpc_of
from edgeinfer.errors import ModelFileError, PortInUse, SettingsError
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


def test_grpc_that_is_not_installed_ends_the_start_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edgeinfer.sidecar.open_inference.rpc.server", None)
    settings = SidecarSettings.from_environment({"EDGEINFER_SIDECAR_GRPC_PORT": "9001"})
    with pytest.raises(SettingsError, match=r"grpcio is not installed.*requirements-grpc\.lock"):
        make_rpc_of(settings)


def test_without_its_port_nothing_of_grpc_is_imported() -> None:
    program = (
        "import sys, edgeinfer.cli.sidecar as cli; from edgeinfer.settings import SidecarSettings;"
        "assert cli.make_rpc_of(SidecarSettings.from_environment({})) is None;"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'grpc'], sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_port_of_grpc_that_is_taken_ends_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = SidecarSettings.from_environment({"EDGEINFER_SIDECAR_GRPC_PORT": str(port)})
        with pytest.raises(PortInUse, match=f"127.0.0.1:{port}"):
            make_rpc_of(settings)


def test_the_two_ports_of_a_sidecar_differ() -> None:
    with pytest.raises(SettingsError, match="9000 is the port of EDGEINFER_SIDECAR_PORT"):
        SidecarSettings.from_environment({"EDGEINFER_SIDECAR_GRPC_PORT": "9000"})
