"""Starts as processes: one that cannot work ends with 78, and one that may work later goes ahead."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.stack.ports import PortPool
from tests.end_to_end.service_process import ServiceProcess
from tests.fakes.hailo_platform.hef import write_hef
from tests.hailort.bad_hefs import BAD_HEFS

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.end_to_end
CONFIGURATION = 78


def fake(folder: Path, **chip: Any) -> dict[str, str]:
    """The environment of a machine with a fake HailoRT 4.23."""
    script = folder / "chip.json"
    script.write_text(json.dumps({"version": "4.23.0", **chip}))
    return {"PYTHONPATH": str(ROOT / "tests/fakes/site"), "FAKE_HAILO": str(script)}


def sidecar(folder: Path, hef: Path, environment: dict[str, str], port: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "edgeinfer", "sidecar", "--backend", "hailort", "--hef", str(hef)]
    return subprocess.Popen(
        [*command, "--port", str(port)],
        env=os.environ | environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bad_hef(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (bad,) = (one for one in BAD_HEFS if one.name == name)
        path = folder / "net.hef"
        path.write_bytes(bad.content(folder, "4.23.0"))
        return path

    return write


def good_hef(folder: Path) -> Path:
    return write_hef(folder / "net.hef")


ENDS: list[tuple[str, Callable[[Path], Path], dict[str, Any], str, str]] = [
    ("0 bytes", bad_hef("0 bytes"), {}, "is empty", "Copy the file again"),
    ("damaged", bad_hef("a flipped byte in the data"), {}, "does not have the CRC-32", "Copy the file again"),
    ("two inputs", bad_hef("two inputs"), {}, "where one window is due", "Compile the model of this card"),
    ("numpy", good_hef, {"knows_numpy_2": False}, "would read every window as empty", "pip install 'numpy<2'"),
]


def test_a_start_that_cannot_work_ends_with_78_and_says_what_to_do(tmp_path: Path) -> None:
    ports = PortPool().take(len(ENDS))
    started = []
    for (name, write, chip, fault, remedy), port in zip(ENDS, ports, strict=True):
        folder = tmp_path / name
        folder.mkdir()
        started.append((name, sidecar(folder, write(folder), fake(folder, **chip), port), fault, remedy))
    for name, process, fault, remedy in started:
        _, said = process.communicate(timeout=60)
        assert process.returncode == CONFIGURATION, (name, said)
        error, hint = said.strip().splitlines()[-2:]
        assert error.startswith("error: "), said
        assert fault in error
        assert hint.startswith("hint: ")
        assert remedy in hint
        assert not (tmp_path / name / "hailort.log").exists()


def test_a_port_that_is_taken_ends_with_78_and_names_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = sidecar(tmp_path, good_hef(tmp_path), fake(tmp_path), taken.getsockname()[1])
        _, said = process.communicate(timeout=60)
        assert process.returncode == CONFIGURATION, said
        assert f"process {os.getpid()}" in said
        with socket.create_connection(taken.getsockname()):  # it is still there for its owner
            pass


def status(service: ServiceProcess) -> dict[str, Any]:
    with urllib.request.urlopen(f"{service.url}/status", timeout=20) as answer:  # noqa: S310  # loopback
        found: dict[str, Any] = json.load(answer)
    return found


def until(holds: Callable[[], bool], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


def test_a_chip_that_another_process_holds_is_taken_when_that_lets_it_go(tmp_path: Path) -> None:
    """HailoRT 4.23: status 73 with an explicit id, as Frigate or a demo on the same chip."""
    environment = fake(tmp_path, chip={"owner": "other"}, change=1)
    settings = {"EDGEINFER_SIDECAR_BACKEND": "hailort", "HEF_PATH": str(good_hef(tmp_path))}
    service = ServiceProcess("sidecar", log=tmp_path / "log", environment=environment | settings)
    service.start()
    try:
        until(lambda: "DEVICE_IN_USE" in str(status(service)))
        assert "Stop the process that holds the chip" in (tmp_path / "log").read_text()
        fake(tmp_path, chip={"owner": None}, change=2)
        service.await_ready()
    finally:
        service.__exit__(None, None, None)


def test_a_library_without_its_native_part_is_named_by_the_doctor(tmp_path: Path) -> None:
    """HailoRT 4.23: the wheel of another Python imports up to its native part."""
    package = tmp_path / "site/hailo_platform"
    (package / "pyhailort").mkdir(parents=True)
    (package / "__init__.py").write_text("from hailo_platform.pyhailort.pyhailort import HEF\n")
    (package / "pyhailort/__init__.py").touch()
    (package / "pyhailort/pyhailort.py").write_text("import hailo_platform.pyhailort._pyhailort as _pyhailort\n")
    (package / "pyhailort/_pyhailort.cpython-39-aarch64-linux-gnu.so").touch()
    command = [sys.executable, "-m", "edgeinfer", "doctor", "--only", "hailo"]
    environment = {"PYTHONPATH": str(tmp_path / "site"), "EDGEINFER_SIDECAR_BACKEND": "hailort"}
    done = subprocess.run(
        command, env=os.environ | environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    here = ".".join(map(str, sys.version_info[:2]))
    assert f"is installed, and its native part is for Python 3.9; this is Python {here}" in done.stdout
