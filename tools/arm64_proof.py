"""The sidecar on an emulated ARM processor: its answers to a recorded session equal those of this machine.

Run as `python -m tools.arm64_proof`; it fetches qemu and an ARM Python of Debian, and the wheels of the runtime lock
for that processor, installs nothing, and ends with 1 if an answer differs by more than 1e-5.
"""

import json
import platform
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgeinfer.parity import recorded_windows
from edgeinfer.stack.ports import PortPool
from tools.debian_packages import DebianPackages, PackagesUnavailable

_RECORDING = "walking-upper-leg"
_RELEASE, _PYTHON = "trixie", "3.13"  # qemu 10; with the 7.2 of Debian 12 it did not work
_LIBRARIES = (
    "libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3t64", "libffi8", "libsqlite3-0", "libbz2-1.0",
    "liblzma5", "libuuid1", "libzstd1",
)  # fmt: skip
_TOLERANCE = 1e-5
_START_SECONDS = 300.0
ROOT = Path(__file__).parents[1]


@contextmanager
def sidecar(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """A sidecar on a free port, ready; gives its address."""
    port = PortPool().take(1)[0]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        words = [*command, "-m", "edgeinfer", "sidecar", "--port", str(port)]
        process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _is_ready(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    sys.exit(f"error: the sidecar did not start: {log.read().decode()[-2000:]}")
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def _is_ready(url: str) -> bool:
    try:
        return bool(_ask(f"{url}/healthz")["ok"])
    except (OSError, urllib.error.URLError):
        return False


def _ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read())


def emulated() -> tuple[list[str], dict[str, str]]:
    """Command and environment of an ARM Python with our packages."""
    qemu = DebianPackages(_RELEASE).fetch(["qemu-user"]) / "usr/bin/qemu-aarch64"
    python = [f"{name}{_PYTHON}{part}" for name, part in (("python", ""), ("python", "-minimal"))]
    python += [f"libpython{_PYTHON}-minimal", f"libpython{_PYTHON}-stdlib"]
    packages = DebianPackages(_RELEASE, "arm64")
    root = packages.fetch([*python, *_LIBRARIES])
    site = root.parent / "site"
    _install(site)
    environment = {"PYTHONPATH": f"{site}:{ROOT / 'src'}", "HOME": str(root), "PATH": "/usr/bin:/bin"}
    return [str(qemu), "-L", str(root), str(root / f"usr/bin/python{_PYTHON}")], environment


def _install(site: Path) -> None:
    """The wheels for that processor, and the package's own name and version."""
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(site), "--python-version", _PYTHON]
    uv += ["--python-platform", "aarch64-manylinux_2_36"]
    lock = ["--only-binary", ":all:", "--require-hashes", "-r", str(ROOT / "requirements-runtime.lock")]
    subprocess.run([*uv, *lock], check=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
        wheel = str(next(Path(folder).glob("*.whl")))
        subprocess.run([*uv, "--no-deps", "--reinstall", wheel], check=True)


def compare(here: str, there: str, windows: list[Any]) -> float:
    """The largest difference between two sidecars' answers."""
    largest = 0.0
    for window in windows:
        body = {"x": window.tolist()}
        mine, theirs = _ask(f"{here}/infer", body), _ask(f"{there}/infer", body)
        for part in ("latent", "motif_scores"):
            largest = max(largest, float(np.abs(np.subtract(mine[part], theirs[part])).max()))
    return largest


def main() -> int:
    """Compare; the exit code."""
    windows = list(recorded_windows([_RECORDING], length=100, hop=300))
    try:
        command, environment = emulated()
    except PackagesUnavailable as failure:
        print(f"NOT TESTED on ARM: {failure}")
        return 0
    said = "import platform; print(platform.machine(), platform.python_version())"
    machine = subprocess.run([*command, "-c", said], env=environment, capture_output=True, text=True, check=True).stdout
    own = {"PATH": "/usr/bin:/bin", "HOME": environment["HOME"]}
    with sidecar([sys.executable], own) as here, sidecar(command, environment) as there:
        status = _ask(f"{there}/status")
        largest = compare(here, there, windows)
    print(
        f"{len(windows)} windows of {_RECORDING} on {machine.strip()} ({status['runtime']}, {status['json_decoder']}) "
        f"and on {platform.machine()}: largest difference {largest:.2g}, allowed {_TOLERANCE:g}"
    )
    return int(largest > _TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
