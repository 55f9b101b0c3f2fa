"""One service of ours as a real process, that a test may kill and start again."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from edgeinfer.stack.ports import PortPool


class ServiceProcess:
    """`edgeinfer <words> --port <free>`.

    Args:
        words: the command and its options.
        environment: in addition to the inherited one.
        log: file that its output is appended to.
    """

    def __init__(self, *words: str, log: Path, environment: dict[str, str] | None = None) -> None:
        self.port = PortPool().take(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "edgeinfer", *words, "--port", str(self.port)]
        self._environment = {**os.environ, **(environment or {})}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; does not wait."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)

    def await_ready(self, seconds: float = 30.0) -> None:
        """Wait until /healthz says 200."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2):  # noqa: S310 - our own loopback address
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(f"not ready within {seconds} s; its log ends with {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL: it gets no time for anything."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def __enter__(self) -> Self:
        self.start()
        self.await_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)
