"""A gateway and a sidecar on a faked chip, as real processes, and the knobs of that chip."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import recorded_windows
from edgeinfer.stack.ports import PortPool
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import default_chip

ROOT = Path(__file__).parents[2]
CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
WINDOWS = list(recorded_windows(["walking-upper-leg"], length=100, hop=50))


class Pair:
    """A gateway before a sidecar, and the knobs of its chip."""

    def __init__(self, folder: Path, version: str) -> None:
        self._script = folder / "chip.json"
        self._changes = 0
        self.script(version=version)
        card = load_card(default_folder())
        chip = default_chip(version)
        hef = write_hef(folder / "net.hef", architecture=chip.architecture, program=f"onnx:{card.file('device').path}")
        sidecar, gateway = PortPool().take(2)
        self.sidecar, self.gateway = f"http://127.0.0.1:{sidecar}", f"http://127.0.0.1:{gateway}"
        fake = {"PYTHONPATH": str(ROOT / "tests/fakes/site"), "FAKE_HAILO": str(self._script)}
        device = {
            "EDGEINFER_SIDECAR_BACKEND": "hailort",
            "HEF_PATH": str(hef),
            # No frame runs out of time but where it is asked to.
            "EDGEINFER_HAILO_TIMEOUT_MS": "10000",
        }
        # A health check sends a window of its own, which could take the failure that another is to get.
        steady = {
            "EDGEINFER_GATEWAY_CIRCUIT_FAILURES": "1000",
            "EDGEINFER_GATEWAY_HEALTH_INTERVAL_SECONDS": "3600",
            "BACKEND_TIMEOUT_MS": "10000",
        }
        upstream = {"MODEL_BACKEND_URL": f"{self.sidecar}/infer"}
        self.processes = [
            _start(["sidecar", "--port", str(sidecar)], fake | device, folder / "sidecar.log"),
            _start(["gateway", "--port", str(gateway)], steady | upstream, folder / "gateway.log"),
        ]

    def close(self) -> None:
        """End both processes."""
        for process in self.processes:
            process.kill()
            process.wait()

    def script(self, **document: Any) -> None:
        """Change the chip; a number keeps two equal documents apart."""
        self._changes += 1
        temporary = self._script.with_suffix(".new")
        temporary.write_text(json.dumps({**document, "change": self._changes}))
        temporary.replace(self._script)
        if self._changes > 1:
            until(self._is_applied)

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
        """Wait for a window that the chip answered, and for the last health check that sends one of its own."""
        until(lambda: self.process(0)["source"] == "sidecar")
        # A check that found the sidecar still loading is repeated in seconds, until one finds everything healthy.
        until(self._is_healthy)

    def _is_healthy(self) -> bool:
        with urllib.request.urlopen(f"{self.gateway}/health/detailed", timeout=10) as answer:  # noqa: S310  # loopback
            return bool(json.load(answer)["status"] == "healthy")

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


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


def difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest between two answers' latents."""
    return max(abs(float(first) - float(second)) for first, second in zip(one["latent"], other["latent"], strict=True))
