"""What `benchmarks.phones` compares: stacks of this checkout and of others, the tutorial's pair, and the floor."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peer_servers import tree
from benchmarks.processes import free_port
from edgeinfer.model.card import default_folder, load_card

_START_SECONDS = 120.0
_STOP_SECONDS = 40.0
_PEERS = Path(__file__).parent / "peers"
_STACK_PORTS = ("gateway", "sidecar", "console", "prometheus", "alertmanager")


@dataclass(frozen=True, slots=True)
class Running:
    """A variant that serves.

    Args:
        name: of the variant.
        url: of its gateway.
        pids: by service.
        start_seconds: from the start of the first process to the first answer of the gateway.
    """

    name: str
    url: str
    pids: Mapping[str, int]
    start_seconds: float


@dataclass(frozen=True, slots=True)
class Variant:
    """Something to measure.

    Args:
        name: in the report.
        source: folder of another checkout whose stack is started; None for this one.
        floor: parts of the floor; None where it is not the floor.
        is_tutorial: the tutorial's pair.
        settings: of a stack, beyond those of the environment.
    """

    name: str
    source: Path | None = None
    floor: Sequence[str] | None = None
    is_tutorial: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        self.processes.append(process)
        return process.pid

    def end(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)  # a background job of a shell ignores SIGINT
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            process.kill()
            process.wait(5)


@contextmanager
def serving(variant: Variant, folder: Path) -> Iterator[Running]:
    """Start a variant with its files in a folder of its own, and end it."""
    group, started = _Group(), time.monotonic()
    try:
        if variant.is_tutorial or variant.floor is not None:
            url, pids = _start_pair(variant, group, folder)
            _wait(group, url + ("/healthz" if variant.is_tutorial else "/api/v1/analysis/synchrony"))
        else:
            url, pid = _start_stack(variant, group, folder)
            _wait(group, url + "/healthz")
            pids = _services_below(pid)
        yield Running(variant.name, url, pids, time.monotonic() - started)
    finally:
        group.end()


def _start_stack(variant: Variant, group: _Group, folder: Path) -> tuple[str, int]:
    """The stack as `make run` starts it, without the replay."""
    ports = {name: free_port() for name in _STACK_PORTS}
    options = [part for name, port in ports.items() for part in (f"--{name}-port", str(port))]
    source = {"PYTHONPATH": str(variant.source / "src")} if variant.source else {}
    environment = {**os.environ, **source, **variant.settings}
    argv = (sys.executable, "-m", "edgeinfer", "up", "--no-replay", "--data-folder", str(folder), *options)
    return f"http://127.0.0.1:{ports['gateway']}", group.start(argv, environment)


def _start_pair(variant: Variant, group: _Group, folder: Path) -> tuple[str, dict[str, int]]:
    gateway, sidecar = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    if variant.is_tutorial:
        model = str(load_card(default_folder()).file("cpu").path.resolve())
        second = (sys.executable, str(_PEERS / "tutorial.py"), model, str(sidecar))
        first = (sys.executable, str(_PEERS / "tutorial_gateway.py"), str(gateway), str(sidecar), str(folder / "db"))
    else:
        floor, parts = (sys.executable, "-m", "benchmarks.phone_floor"), ("--parts", *(variant.floor or ()))
        second = (*floor, "sidecar", str(sidecar), *parts)
        first = (*floor, "gateway", str(gateway), str(sidecar), str(folder / "log"), *parts)
    pids = {"sidecar": group.start(second)}
    _wait_for_port(group, sidecar)
    pids["gateway"] = group.start(first)
    return f"http://127.0.0.1:{gateway}", pids


def _services_below(pid: int) -> dict[str, int]:
    """The services of a stack, once each of them runs."""
    deadline = time.monotonic() + _START_SECONDS
    wanted = ("gateway", "sidecar", "prometheus")
    while time.monotonic() < deadline:
        found = {}
        for child in tree(pid):
            with suppress(OSError):
                command = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                found |= {name: child for name in wanted if name in command or command[0].endswith("/" + name)}
        if len(found) == len(wanted):
            return found
        time.sleep(0.1)
    raise RuntimeError("the stack did not start all of its services")


def _wait(group: _Group, url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in group.processes):
            raise RuntimeError(f"a process before {url} ended")
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own loopback
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer within {_START_SECONDS:.0f} s")


def _wait_for_port(group: _Group, port: int) -> None:

    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in group.processes):
            raise RuntimeError(f"the process at port {port} ended")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens at port {port}")
