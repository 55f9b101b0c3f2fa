"""`edgeinfer up --background`: the terminal comes back once everything is ready, and nothing stays after `down`."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgeinfer.stack import lock, state_file
from edgeinfer.stack.folder import DataFolder
from tests.end_to_end.running_stack import lives, up_command

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]


def run(*command: str) -> tuple[int, str]:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def up(folder: Path, *options: str) -> tuple[int, str]:
    words = [word for word in up_command(folder, "--background", "--no-replay", *options) if word != "--json"]
    return run(*words)


def edgeinfer(*words: str) -> tuple[int, str]:
    return run(sys.executable, "-m", "edgeinfer", *words)


def test_a_stack_in_the_background_is_loaded_seen_and_ended(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "a folder")
    code, said = up(folder.root, "--backend", "stub")
    assert code == 0, said
    record = state_file.read(folder.record)
    assert record is not None
    for address in record.addresses.values():
        assert address in said
    assert f"edgeinfer down --data-folder '{folder.root}'" in said
    assert "gateway: ready after" in (folder.logs / "up.log").read_text()

    code, said = up(folder.root, "--backend", "stub")
    assert (code, f"The stack runs already (process {record.pid})" in said) == (0, True)
    code, said = up(folder.root, "--backend", "onnx")
    assert (code, "a stack with the backend stub runs on it" in said) == (78, True)

    load = ("load-test", "--running-stack", "--own-stack", "--profile", "quick", "--seconds", "5", "--users", "2")
    code, said = edgeinfer(*load, "--data-folder", str(folder.root))
    assert f"Loading the stack that runs on {folder.root}" in said
    assert "client and Prometheus agree" in said
    assert "DISAGREE" not in said

    code, said = edgeinfer("down", "--data-folder", str(folder.root))
    assert (code, said) == (0, f"Ended; the measurements stay in {folder.root}.\n")
    assert lock.holder(folder.lock) is None
    assert not any(lives(one.pid) for one in record.processes)


def test_a_start_that_fails_says_why_and_with_which_code(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = up(tmp_path, "--gateway-port", str(taken.getsockname()[1]))
    assert code == 78, said
    assert "(for the gateway)" in said
    assert lock.holder(DataFolder(tmp_path).lock) is None
