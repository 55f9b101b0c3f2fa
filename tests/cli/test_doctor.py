"""`edgeinfer doctor` as a person calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def doctor(tmp_path: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgeinfer", "doctor", "--data-folder", str(tmp_path / "data"), *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=50, env={**os.environ, **environment}
    )


def test_everything_that_is_needed_is_reported_as_json(tmp_path: Path) -> None:
    reported = doctor(tmp_path, "--json")

    diagnostics = {diagnostic["subject"]: diagnostic for diagnostic in json.loads(reported.stdout)}
    assert {"python", "edgeinfer", "model", "recordings", "prometheus", "data folder"} <= set(diagnostics)
    assert diagnostics["model"]["verdict"] == "ok"
    assert "hashes match" in diagnostics["model"]["message"]
    bad = [diagnostic for diagnostic in diagnostics.values() if diagnostic["verdict"] in ("missing", "broken")]
    assert reported.returncode == bool(bad)


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

    reported = doctor(tmp_path, "--only", "model", EDGEINFER_MODEL_FOLDER=str(model))

    assert reported.returncode == 1
    assert reported.stdout.startswith("broken   model: ")
    assert "SHA-256" in reported.stdout


@pytest.mark.parametrize("subject", ["python", "recordings", "hailo", "folder"])
def test_one_subject_can_be_looked_at_alone(subject: str, tmp_path: Path) -> None:
    reported = doctor(tmp_path, "--only", subject)

    assert reported.returncode == 0, reported.stdout + reported.stderr
    assert reported.stdout.splitlines()


def test_missing_binaries_on_a_system_without_apt_are_missing(tmp_path: Path) -> None:
    reported = doctor(tmp_path, "--only", "prometheus", PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))

    assert reported.returncode == 1
    assert "missing  prometheus: " in reported.stdout


def test_a_fetch_that_fails_is_reported_with_the_other_ways(tmp_path: Path) -> None:
    options = ("--fetch", "--only", "python")
    reported = doctor(tmp_path, *options, PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))

    assert reported.returncode == 1
    assert "broken   fetch: " in reported.stdout
    assert "docker" in reported.stdout


def test_each_part_of_a_data_folder_is_inspected_and_nothing_is_changed(tmp_path: Path) -> None:
    state = tmp_path / "data" / "stack.json"
    state.parent.mkdir()
    state.write_bytes(b"\0" * 64)

    reported = doctor(tmp_path, "--only", "folder")

    assert reported.returncode == 1
    assert f"broken   stack record: {state} cannot be read" in reported.stdout
    assert "sets it aside" in reported.stdout
    assert state.read_bytes() == b"\0" * 64
