"""A gateway and a sidecar on a faked chip, as real processes, while each failure of HailoRT is injected in turn."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import recorded_windows
from edgeinfer.stack.ports import PortPool
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import default_chip

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.end_to_end

CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
WINDOWS = list(recorded_windows(["walking-upper-leg"], length=100, hop=50))
# Call, status and the class that has to be counted: once.
FAILURES = [
    ("run_async", 82, "backpressure"),
    ("run_async", 6, "misuse"),
    ("run_async", 3, "memory_allocation_error"),
    ("run_async", 48, "unsupported_feature"),
    ("run_async", 26, "hef_invalid"),
    ("wait_for_async_ready", 4, "timeout"),
    ("job.wait", 4, "timeout"),
    ("completion", 87, "timeout"),
    ("completion", 18, "execution_failed"),
    ("completion", 63, "communication_closed"),
    ("run_async", 62, "communication_closed"),
    ("run_async", 36, "hailort_init_failure"),
    ("run_async", 76, "version_mismatch"),
    ("run_async", 97, "device_in_use"),
]


class Pair:
    """A gateway before a sidecar, and the knobs of its chip."""

    def __init__(self, folder: Path, version: str) -> None:
        self._script = folder / "chip.json"
        self._changes = 0
        self.tell(version=version)
        card = load_card(default_folder())
        chip = default_chip(version)
        hef = write_hef(folder / "net.hef", architecture=chip.architecture, program=f"onnx:{card.file('device').path}")
        sidecar, gateway = PortPool().take(2)
        self.sidecar, self.gateway = f"http://127.0.0.1:{sidecar}", f"http://127.0.0.1:{gateway}"
        fake = {"PYTHONPATH": str(ROOT / "tests/fakes/site"), "FAKE_HAILO": str(self._script)}
        device = {"EDGEINFER_SIDECAR_BACKEND": "hailort", "HEF_PATH": str(hef)}
        calm = {"EDGEINFER_GATEWAY_CIRCUIT_FAILURES": "1000", "BACKEND_TIMEOUT_MS": "5000"}
        upstream = {"MODEL_BACKEND_URL": f"{self.sidecar}/infer"}
        self.processes = [
            _start(["sidecar", "--port", str(sidecar)], fake | device, folder / "sidecar.log"),
            _start(["gateway", "--port", str(gateway)], calm | upstream, folder / "gateway.log"),
        ]

    def tell(self, **document: Any) -> None:
        """Change the chip; a number keeps two equal documents apart."""
        self._changes += 1
        temporary = self._script.with_suffix(".new")
        temporary.write_text(json.dumps({**document, "change": self._changes}))
        temporary.replace(self._script)
        if self._changes > 1:
            _until(self._is_applied)

    def _is_applied(self) -> bool:
        applied = self._script.with_suffix(".applied")
        return applied.exists() and applied.read_text() == str(self._changes)

    def process(self, number: int) -> dict[str, Any]:
        """One recorded window through the gateway."""
        window = WINDOWS[number % len(WINDOWS)]
        rows = [{"t": at / 100, **dict(zip(CHANNELS, map(float, row), strict=True))} for at, row in enumerate(window)]
        body = json.dumps({"samples": rows}).encode()
        request = urllib.request.Request(  # noqa: S310  # loopback
            f"{self.gateway}/api/v1/analysis/process", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  # loopback
            found: dict[str, Any] = json.load(answer)
        return found

    def until_served(self) -> None:
        """Wait for a window that the chip answered."""
        _until(lambda: self.process(0)["source"] == "sidecar")

    def counted(self) -> dict[str, float]:
        """Hardware errors by class, without the zeros."""
        with urllib.request.urlopen(f"{self.sidecar}/metrics", timeout=10) as answer:  # noqa: S310  # loopback
            text = answer.read().decode()
        found = re.findall(r'^hailo_hardware_errors_total\{error_class="(\w+)"\} (\S+)$', text, re.MULTILINE)
        return {name: float(value) for name, value in found if float(value)}


def _start(words: list[str], environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", "from edgeinfer.cli.main import main; main()", *words]
    with log.open("wb") as file:
        return subprocess.Popen(command, env=os.environ | environment, stderr=file)


def _until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


@pytest.fixture(params=["4.23.0", "5.2.0"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    running = Pair(tmp_path, request.param)
    yield running
    for process in running.processes:
        process.kill()
        process.wait()


def test_each_failure_is_counted_once_answered_by_fallback_and_mended_without_a_restart(pair: Pair) -> None:
    pair.until_served()
    for number, (call, code, error_class) in enumerate(FAILURES):
        before = pair.counted()
        pair.tell(inject=[[call, code, 1]])
        answer = pair.process(number)
        case = f"{call} {code}"
        assert (answer["source"], answer["backend"]) == ("fallback", "cpu"), case
        assert len(answer["latent"]) == 64, case
        pair.until_served()
        moved = {name: value - before.get(name, 0.0) for name, value in pair.counted().items()}
        assert {name: value for name, value in moved.items() if value} == {error_class: 1.0}, case
    assert [process.poll() for process in pair.processes] == [None, None]


def test_an_unplugged_chip_is_replaced_by_the_cpu_and_taken_back_when_it_returns(pair: Pair) -> None:
    pair.until_served()
    served = pair.process(1)
    assert (served["source"], served["backend"]) == ("sidecar", "hailo")
    pair.tell(chip={"present": False})
    _until(lambda: pair.process(1)["source"] == "fallback")
    fallback = pair.process(1)
    # The same model on the CPU: not invented numbers.
    assert max(abs(one - other) for one, other in zip(served["latent"], fallback["latent"], strict=True)) < 1e-3
    pair.tell(chip={"present": True})
    pair.until_served()
