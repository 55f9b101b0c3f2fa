"""Server processes under measurement: started, waited for, their CPU time and memory read from /proc, ended."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeinfer.stack.ports import PortPool

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 30.0


def free_port() -> int:
    """A port without a listener, and that no outgoing connection takes in the meantime."""
    return PortPool().take(1)[0]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_megabytes(pid: int) -> float:
    """Memory of a process that is in RAM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no memory")


@contextmanager
def running(argv: list[str], url: str) -> Iterator[int]:
    """A server that answers 200 at a URL; gives its pid and ends it."""
    process = subprocess.Popen([sys.executable, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, url)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with code {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own server
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"{url} did not answer 200 within {_START_SECONDS:.0f} s")
