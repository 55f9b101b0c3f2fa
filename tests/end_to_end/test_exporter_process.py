"""The exporter as a real process on a faked chip, supervised as systemd would."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.stack.ports import PortPool

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.end_to_end


class Exporter:
    """A running exporter, its chip and its manager's socket."""

    def __init__(self, folder: Path, version: str, **chip: Any) -> None:
        self._script = folder / "chip.json"
        self._changes = 0
        self.log = folder / "log"
        self.script(version=version, chip=chip)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(folder / "notify"))
        self.manager.settimeout(20)
        port = PortPool().take(1)[0]
        self.address = f"http://127.0.0.1:{port}"
        environment = os.environ | {
            "PYTHONPATH": str(ROOT / "tests/fakes/site"),
            "FAKE_HAILO": str(self._script),
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "1000000",
            "EDGEINFER_EXPORTER_INTERVAL_SECONDS": "1",
        }
        program = "from edgeinfer.cli.main import main; main()"
        command = [sys.executable, "-c", program, "exporter", "--port", str(port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stderr=log)

    def script(self, **document: Any) -> None:
        """Change the chip; a number keeps two equal documents apart."""
        self._changes += 1
        self._script.write_text(json.dumps({**document, "change": self._changes}))

    def end(self) -> None:
        """End it at once, and its manager's socket with it."""
        self.manager.close()
        self.process.kill()
        self.process.wait()

    def logged(self) -> list[dict[str, Any]]:
        """Its log, without the server's own lines."""
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]
        return [line for line in lines if not line["logger"].startswith("uvicorn")]

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=10) as answer:  # noqa: S310  # loopback
            text: str = answer.read().decode()
        return text

    def until(self, holds: Callable[[str], bool]) -> str:
        """The metrics once they are as they should be."""
        deadline = time.monotonic() + 20
        while True:
            text = self.metrics()
            if holds(text):
                return text
            assert time.monotonic() < deadline, text
            time.sleep(0.1)


@pytest.fixture(params=["4.23.0", "5.2.0"])
def exporter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Exporter]:
    running = Exporter(tmp_path, request.param)
    yield running
    running.end()


def test_a_chip_is_reported_lost_and_found_without_a_restart(exporter: Exporter) -> None:
    assert exporter.manager.recv(100) == b"READY=1"
    warm = 'hailo_hardware_temperature_celsius{chip_id="0001:01:00.0"} 48.5'
    exporter.until(lambda text: warm in text)
    exporter.script(chip={"present": False})
    gone = exporter.until(lambda text: 'hailo_hailort_status{device_id="0001:01:00.0"} 0.0' in text)
    assert "hailo_hardware_temperature_celsius{" not in gone
    exporter.script(chip={"present": True})
    exporter.until(lambda text: warm in text)
    assert exporter.manager.recv(100) == b"WATCHDOG=1"
    exporter.process.send_signal(signal.SIGTERM)
    # uvicorn ends by the signal it was sent, which systemd takes for a clean end.
    assert exporter.process.wait(20) in (0, -signal.SIGTERM)
    exporter.manager.setblocking(False)
    heard = set()
    while True:
        try:
            heard.add(exporter.manager.recv(100))
        except BlockingIOError:
            break
    assert heard == {b"WATCHDOG=1", b"STOPPING=1"}


def test_without_a_chip_nothing_is_counted_and_each_collector_says_so_once_until_one_appears(tmp_path: Path) -> None:
    running = Exporter(tmp_path, "4.23.0", present=False)
    try:
        assert running.manager.recv(100) == b"READY=1"
        running.until(lambda text: "hailo_devices_found 0.0" in text)
        for _ in range(8):  # watchdog notifications, twice a second: at a turn a second, four lines and four errors
            assert running.manager.recv(100) == b"WATCHDOG=1"
        text = running.metrics()
        assert [line for line in text.splitlines() if line.startswith("hailo_collector_errors_total{")] == []
        assert [line for line in text.splitlines() if re.match(r"hailo_sensor_read_errors_total.* [^0]", line)] == []
        silent = [line["collector"] for line in running.logged()]
        assert sorted(silent) == sorted(set(silent))
        assert {line["message"] for line in running.logged()} <= {"nothing to read here; looking again now and then"}
        running.script(chip={"present": True})
        running.until(lambda text: 'hailo_hardware_temperature_celsius{chip_id="0001:01:00.0"} 48.5' in text)
    finally:
        running.end()
