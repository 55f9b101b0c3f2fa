"""A gateway in a process of its own, for what only a process shows."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeinfer.stack.ports import PortPool

Start = Callable[..., "GatewayProcess"]


class GatewayProcess:
    """A real `edgeinfer gateway` on a free port of loopback."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.log = folder / "gateway.log"
        self.port = PortPool().take(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "edgeinfer", "gateway", "--port", str(self.port)],
                stderr=log,
                env={"PATH": "/usr/bin:/bin", **self.environment},
            )

    def again(self) -> None:
        """Start another one in its place, after it ended."""
        self.process = self._start()
        self.wait_until_it_serves()

    def wait_until_it_serves(self) -> None:
        for _ in range(600):
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended: {self.log.read_text()}")
            try:
                with urllib.request.urlopen(self.url + "/healthz", timeout=2):  # noqa: S310 - our own loopback
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise AssertionError(f"the gateway does not serve: {self.log.read_text()}")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def start_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start gateways that end with the module."""
    started: list[GatewayProcess] = []

    def start(*, waits: bool = True, **environment: str) -> GatewayProcess:
        gateway = GatewayProcess(tmp_path_factory.mktemp("gateway"), environment)
        started.append(gateway)
        if waits:
            gateway.wait_until_it_serves()
        return gateway

    yield start
    for gateway in started:
        gateway.end()
