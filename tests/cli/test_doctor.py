"""`edgeinfer doctor` as a person calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeinfer.cli.doctor import create


def doctor(tmp_path: Path, *options: str, **environment: str) -> Result:
    return CliRunner().invoke(create(), ["--data-folder", str(tmp_path / "data"), *options], env=environment)


def test_everything_that_is_needed_is_reported_as_json(tmp_path: Path) -> None:
    # The whole command, as a process: what is found here is also what a person sees.
    command = [sys.executable, "-m", "edgeinfer", "doctor", "--data-folder", str(tmp_path / "data"), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    diagnostics = {diagnostic["subject"]: diagnostic for diagnostic in json.loads(result.stdout)}
    assert {"python", "edgeinfer", "model", "recordings", "prometheus", "data folder"} <= set(diagnostics)
    assert diagnostics["model"]["verdict"] == "ok"
    assert "hashes match" in diagnostics["model"]["message"]
    bad = [diagnostic for diagnostic in diagnostics.values() if diagnostic["verdict"] in ("missing", "broken")]
    assert result.returncode == bool(bad)


def test_a_damaged_model_is_found_by_its_hash_and_the_exit_code_says_so(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    shipped = Path(__file__).parents[2] / "src" / "edgeinfer" / "model" / "default"
    for file in shipped.iterdir():
        if file.is_file():
            content = bytearray(file.read_bytes())
            if file.suffix == ".onnx":
                content[len(content) // 2] ^= 1
            (model / file.name).write_bytes(content)

    result = doctor(tmp_path, "--only", "model", EDGEINFER_MODEL_FOLDER=str(model))

    assert result.exit_code == 1
    assert result.stdout.startswith("broken   model: ")
    assert "SHA-256" in result.stdout


@pytest.mark.parametrize("subject", ["python", "recordings", "hailo", "folder"])
def test_one_subject_can_be_looked_at_alone(subject: str, tmp_path: Path) -> None:
    result = doctor(tmp_path, "--only", subject)

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()


def test_missing_binaries_on_a_system_without_apt_are_missing(tmp_path: Path) -> None:
    result = doctor(tmp_path, "--only", "prometheus", PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))

    assert result.exit_code == 1
    assert "missing  prometheus: " in result.stdout


def test_a_fetch_that_fails_is_reported_with_the_other_ways(tmp_path: Path) -> None:
    options = ("--fetch", "--only", "python")
    result = doctor(tmp_path, *options, PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))

    assert result.exit_code == 1
    assert "broken   fetch: " in result.stdout
    assert "docker" in result.stdout


def test_each_part_of_a_data_folder_is_inspected_and_nothing_is_changed(tmp_path: Path) -> None:
    state = tmp_path / "data" / "stack.json"
    state.parent.mkdir()
    state.write_bytes(b"\0" * 64)

    result = doctor(tmp_path, "--only", "folder")

    assert result.exit_code == 1
    assert f"broken   stack record: {state} cannot be read" in result.stdout
    assert "sets it aside" in result.stdout
    assert state.read_bytes() == b"\0" * 64
