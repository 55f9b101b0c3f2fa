"""The real stack, started as a person starts it, and asked as a person asks it."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from edgeinfer.stack import state_file
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.ports import PortPool

PORT_OPTIONS = (
    "--gateway-port",
    "--sidecar-port",
    "--console-port",
    "--prometheus-port",
    "--alertmanager-port",
    "--exporter-port",
)
_ANSWER_SECONDS = 10

# A busy machine starts a stack in a minute; an event that does not come is found all the same.
_EVENT_SECONDS = 120.0


def up_command(folder: Path, *options: str, python: str = sys.executable) -> list[str]:
    """`edgeinfer up` on free ports, reporting JSON lines."""
    free = zip(PORT_OPTIONS, PortPool().take(len(PORT_OPTIONS)), strict=True)
    ports = [word for option, port in free for word in (option, str(port))]
    return [python, "-m", "edgeinfer", "up", "--json", "--data-folder", str(folder), *ports, *options]


class RunningStack:
    """One `edgeinfer up`.

    Args:
        folder: its data folder.
        options: in addition to ports and folder.
        python: of the environment that has the product.
    """

    def __init__(self, folder: Path, *options: str, python: str = sys.executable) -> None:
        self.folder = DataFolder(folder)
        self.events: list[dict[str, Any]] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(up_command(folder, *options, python=python), stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        self.addresses: Mapping[str, str] = self.await_event("addresses")["addresses"]

    @property
    def pid(self) -> int:
        """Of `edgeinfer up` itself."""
        return self._process.pid

    def pids(self) -> dict[str, int]:
        """Of its processes, by name."""
        written = state_file.read(self.folder.record)
        return {one.name: one.pid for one in written.processes} if written else {}

    def await_event(self, kind: str, seconds: float = _EVENT_SECONDS, **details: object) -> dict[str, Any]:
        """The next event of this kind and with these details."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self._next_event(max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no event {kind} {details} within {seconds} s; got {self.events}") from None
            assert event is not None, f"it ended without an event {kind} {details}; it reported {self.events}"
            if event["event"] == kind and all(event.get(name) == value for name, value in details.items()):
                return event

    def await_new_event(self, kind: str, seconds: float = _EVENT_SECONDS) -> dict[str, Any]:
        """The first event of this kind that is reported after this call; older unread ones are left out."""
        while not self._lines.empty():
            assert self._next_event(0.01) is not None, f"it ended; it reported {self.events}"
        return self.await_event(kind, seconds)

    def _next_event(self, seconds: float) -> dict[str, Any] | None:
        """The next event that is reported, None where it has ended; raises queue.Empty."""
        line = self._lines.get(timeout=seconds)
        if line is None:
            return None
        event: dict[str, Any] = json.loads(line)
        self.events.append(event)
        return event

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self._process.wait(40)

    def kill(self) -> None:
        """End `edgeinfer up` without giving it time for anything."""
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self._process.poll() is None:
            self.interrupt()
        if self._process.stdout:
            self._process.stdout.close()

    def ask(self, method: str, path: str, body: object = None, service: str = "gateway") -> tuple[int, Any]:
        """Status and JSON of an answer; status 0 where there was none."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        address = self.addresses[service] + path
        request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 - always http
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - always http
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as failure:
            return failure.code, json.loads(failure.read())
        except OSError:
            return 0, None

    def exported(self, selector: str) -> float:
        """The sum of what `name{label="value",..}` selects, as the gateway exports it at this moment."""
        name, _, inside = selector.rstrip("}").partition("{")
        labels = dict(re.findall(r'(\w+)="([^"]*)"', inside))
        with urllib.request.urlopen(self.addresses["gateway"] + "/metrics") as answer:  # noqa: S310 - always http
            families = list(text_string_to_metric_families(answer.read().decode()))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def query(self, expression: str, at: float | None = None) -> dict[tuple[str, ...], float]:
        """What Prometheus answers, by the values of the labels that are left."""
        parameters = {"query": expression, **({"time": str(at)} if at else {})}
        status, answer = self.ask("GET", f"/api/v1/query?{urllib.parse.urlencode(parameters)}", service="prometheus")
        if status != 200:
            return {}
        return {
            tuple(value for name, value in sorted(one["metric"].items()) if name != "__name__"): float(one["value"][1])
            for one in answer["data"]["result"]
        }

    def await_query(self, expression: str, expected: Mapping[tuple[str, ...], float], seconds: float = 25.0) -> None:
        """Wait until Prometheus has scraped what makes the answer right."""
        if not until(lambda: self.query(expression) == expected, seconds, pause=0.25):
            raise AssertionError(f"{expression} is {self.query(expression)} and not {dict(expected)}")

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


def until(holds: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(pause)
    return holds()


def lives(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill(pid: int) -> None:
    """Kill -9."""
    os.kill(pid, signal.SIGKILL)
