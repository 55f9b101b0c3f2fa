"""Closed-loop load from another process: wrk, a C program from Debian's packages."""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

JSON = "application/json"
BINARY = "application/octet-stream"
PROCESS = "/api/v1/analysis/process"
CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True, slots=True)
class Load:
    """What a round of load saw."""

    requests: int
    failures: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests per second over the whole load."""
        return self.requests / self.seconds


def window() -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """A window of six significant digits, as a phone sends it."""
    values = np.random.default_rng(3).normal(0, 10, (100, 9))
    return np.array([[float(f"{value:.6g}") for value in row] for row in values], np.float32)


def body_of(content_type: str) -> bytes:
    """The window as a request's body."""
    if content_type == BINARY:
        return window().astype("<f4").tobytes()
    rows = [[float(f"{value:.6g}") for value in row] for row in window()]
    return json.dumps({"x": rows}).encode()


def samples() -> bytes:
    """The window as the body of the gateway's analysis route."""
    rows = [
        {"t": index / 100, **{name: float(f"{value:.6g}") for name, value in zip(CHANNELS, row, strict=True)}}
        for index, row in enumerate(window())
    ]
    return json.dumps({"samples": rows}).encode()


def run_load(url: str, *, connections: int, seconds: float, content_type: str, body: bytes | None = None) -> Load:
    """Send as fast as answers come, on so many connections; the sidecar's window unless given a body."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is missing. Install it: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        content, script = Path(folder) / "body", Path(folder) / "script.lua"
        content.write_bytes(body_of(content_type) if body is None else body)
        script.write_text(_SCRIPT.format(body=content, kind=content_type))
        argv = [wrk, "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), "--latency", url]
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return _parse(said)


_SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "{kind}"
wrk.headers["Accept"] = "{kind}"
"""


def _parse(said: str) -> Load:
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)", said)
    if total is None:
        raise ValueError(said)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    failures = int(bad[1]) if bad else 0
    failures += sum(int(part) for part in broken.groups()) if broken else 0
    seconds = float(total[2]) * _UNITS[total[3]] / 1e3
    return Load(int(total[1]), failures, seconds, _percentile(said, 50), _percentile(said, 99))


def _percentile(said: str, percent: int) -> float:
    found = re.search(rf"\b{percent}%\s+([\d.]+)(us|ms|s|m)", said)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")
