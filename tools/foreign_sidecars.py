"""Servers of others behind our gateway: a recorded session replayed, every window answered by them, numbers compared.

`python -m tools.foreign_sidecars` starts MLServer and Triton (benchmarks/peers/setup.sh makes their environments), the
FastAPI template of the docs and our own sidecar, each behind a gateway of its own; it ends with 1 where one of them did
not answer every window, or where one with the same network gave another number.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

import numpy as np

from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import recorded_windows
from edgeinfer.stack.ports import PortPool
from tests.end_to_end.service_process import ServiceProcess

_ROOT = Path(__file__).parents[1]
_OF_TRITON = "/v2/models/inference"
_RECORDING = "walking-upper-leg"
_SPEED = 40.0
_START_SECONDS = 60.0
_CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")


@dataclass(frozen=True, slots=True)
class Server:
    """One server of others.

    Args:
        name: for the report.
        command: that starts it; PORT stands for its port.
        ready: path that answers 200 when it is ready.
        url: for the gateway, behind its origin.
        same_network: whether it runs the shipped network, so that every number must be ours.
    """

    name: str
    command: tuple[str, ...]
    ready: str
    url: str
    same_network: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one of them."""

    name: str
    asked_by: str
    windows: int
    by_sidecar: int
    compared: int
    equal: int | None
    """Windows with the same bits as ours; None where another network answers."""

    @property
    def passed(self) -> bool:
        """Whether it answered all, and rightly."""
        return self.windows > 0 and self.by_sidecar == self.windows and self.equal in {None, self.compared}


def servers() -> list[Server]:
    """Those that can be started here."""
    card = load_card(default_folder())
    example = ("uvicorn", "--app-dir", "docs/examples", "--port", "PORT", "hailo_sidecar_metrics_template:app")
    template = Server("FastAPI template", (sys.executable, "-m", *example), "/healthz", "/infer", same_network=False)
    path = str(card.file("cpu").path)
    mlserver = _peer("mlserver", "mlserver_open_inference.py", "PORT", path, card.name)
    triton = _peer("pytriton", "pytriton_server.py", path, "PORT")
    return [
        Server("MLServer", mlserver, f"/v2/models/{card.name}/ready", "", same_network=True),
        Server("Triton", triton, f"{_OF_TRITON}/ready", f"{_OF_TRITON}/infer", same_network=True),
        template,
    ]


def _peer(environment: str, program: str, *words: str) -> tuple[str, ...]:
    python = _ROOT / ".benchmarks/peers" / environment / "bin/python"
    if not python.exists():
        raise SystemExit(f"{python} is missing: run benchmarks/peers/setup.sh {environment}")
    return (str(python), str(_ROOT / "benchmarks/peers" / program), *words)


@contextmanager
def started(server: Server, log: Path) -> Iterator[str]:
    """Run it; gives its origin."""
    port = PortPool().take(3)[0]
    command = [str(port) if word == "PORT" else word for word in server.command]
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=output)
    origin = f"http://127.0.0.1:{port}"
    try:
        until = monotonic() + _START_SECONDS
        while not _is_ready(origin + server.ready):
            if process.poll() is not None or monotonic() > until:
                raise SystemExit(f"{server.name} did not start: {log.read_text()[-2000:]}")
            sleep(0.1)
        yield origin
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except OSError:
        return False


def replay(name: str, gateway: ServiceProcess, expected: list[Mapping[str, Any]] | None) -> Replayed:
    """Replay the recording through a gateway, and put windows to it one by one."""
    command = [sys.executable, "-m", "edgeinfer", "replay", "--gateway", gateway.url, "--json"]
    command += ["--recording", _RECORDING, "--speed", str(_SPEED)]
    done = json.loads(subprocess.run(command, capture_output=True, check=True, env=os.environ).stdout)
    answers = windows_through(gateway)
    equal = None if expected is None else sum(_same(*pair) for pair in zip(answers, expected, strict=True))
    by_sidecar = done["windows_by_source"].get("sidecar", 0)
    by_sidecar += sum(answer["source"] == "sidecar" for answer in answers)
    return Replayed(name, _asked_by(gateway), done["windows"] + len(answers), by_sidecar, len(answers), equal)


def windows_through(gateway: ServiceProcess) -> list[dict[str, Any]]:
    """Answers of POST /process to windows of the recording."""
    windows = recorded_windows([_RECORDING], length=100, hop=100)
    return [_process(gateway, window) for window in windows]


def _process(gateway: ServiceProcess, window: np.ndarray) -> dict[str, Any]:
    samples = [{"t": at / 100, **dict(zip(_CHANNELS, row, strict=True))} for at, row in enumerate(window.tolist())]
    body = json.dumps({"samples": samples}).encode()
    request = urllib.request.Request(f"{gateway.url}/api/v1/analysis/process", body)  # noqa: S310 - loopback
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
        found: dict[str, Any] = json.load(answer)
    return found


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(
        np.array_equal(np.array(one[name], np.float32), np.array(other[name], np.float32))
        for name in ("latent", "motif_scores")
    )


def _asked_by(gateway: ServiceProcess) -> str:
    with urllib.request.urlopen(f"{gateway.url}/health/detailed", timeout=5) as answer:  # noqa: S310 - as above
        message = json.load(answer)["checks"]["hailo_backend"]["message"]
    found = re.search(r"asked by ([^;]*), circuit", message)
    return found[1] if found else message


def run(chosen: list[Server], folder: Path) -> list[Replayed]:
    """Replay through each, our own sidecar first."""
    found = []
    with ExitStack() as stack:
        sidecar = stack.enter_context(ServiceProcess("sidecar", log=folder / "sidecar.log"))
        ours = stack.enter_context(_gateway(sidecar.url + "/infer", folder / "gateway.log"))
        expected: list[Mapping[str, Any]] = list(windows_through(ours))
        found.append(replay("EdgeInfer", ours, expected))
        for server in chosen:
            with (
                started(server, folder / "server.log") as origin,
                _gateway(origin + server.url, folder / "g.log") as it,
            ):
                found.append(replay(server.name, it, expected if server.same_network else None))
    return found


def _gateway(url: str, log: Path) -> ServiceProcess:
    # Without the fallback a window that the sidecar does not answer is a failure, and not our own number.
    environment = {"EDGEINFER_GATEWAY_FALLBACK": "false", "BACKEND_TIMEOUT_MS": "10000"}
    return ServiceProcess("gateway", "--backend-url", url, log=log, environment=environment)


def main() -> None:
    """Print a table; the exit code says whether all passed."""
    with TemporaryDirectory() as folder:
        found = run(servers(), Path(folder))
    print("| server | asked by | windows | answered by it | same bits as ours |")
    print("|---|---|---:|---:|---:|")
    for one in found:
        equal = "another model" if one.equal is None else f"{one.equal} of {one.compared}"
        print(f"| {one.name} | {one.asked_by} | {one.windows} | {one.by_sidecar} | {equal} |")
    sys.exit(not all(one.passed for one in found))


if __name__ == "__main__":
    main()
