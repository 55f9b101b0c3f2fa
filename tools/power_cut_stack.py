"""A data folder as a stack leaves it, what it serves undamaged, and a whole stack started on a copy of it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from edgeinfer.stack import state_file
from edgeinfer.stack.binaries import Binary, Program
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.ports import PortPool

_PORT_OPTIONS = ("gateway", "sidecar", "console", "prometheus", "alertmanager", "exporter")
_START_SECONDS = 120.0
_ASK_SECONDS = 10.0
_OK = 200
_HEAD_CHUNK_SAMPLES = 120  # Prometheus writes a chunk of the head to disk when it holds as many
_TRUTH = '{job=~"past|bare"}[12h]'
_KEPT = "up|prometheus_http_requests_total|prometheus_tsdb_head_.*|process_.*|scrape_.*"


Truth = Mapping[tuple[tuple[str, str], ...], Mapping[float, str]]


@dataclass(slots=True)
class Served:
    """What a stack answers about the past."""

    samples: Truth = field(default_factory=dict)
    silences: frozenset[str] = frozenset()
    query_error: str = ""


class Up:
    """One `edgeinfer up` on a data folder, on its own ports."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = DataFolder(folder)
        words = [
            word
            for name, port in zip(_PORT_OPTIONS, PortPool().take(len(_PORT_OPTIONS)), strict=True)
            for word in (f"--{name}-port", str(port))
        ]
        self.events: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edgeinfer", "up", "--json", "--data-folder", str(folder), *words, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers = [threading.Thread(target=reader, daemon=True) for reader in (self._read, self._read_errors)]
        self.errors = ""
        for reader in self._readers:
            reader.start()

    def await_events(self, *wanted: tuple[str, str]) -> bool:
        """Whether each of these kinds came for these processes; False where it ended or took too long."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            came = {(event["event"], event.get("process", "")) for event in list(self.events)}
            if came.issuperset(wanted):
                return True
            if self._process.poll() is not None:
                return False
            time.sleep(0.1)
        return False

    def address(self, name: str) -> str:
        """Of a process; empty where it is not known."""
        found = [event["addresses"] for event in self.events if event["event"] == "addresses"]
        return str(found[-1].get(name, "")) if found else ""

    def messages(self, kind: str) -> list[str]:
        """What events of a kind say."""
        return [event["message"] for event in self.events if event["event"] == kind]

    def interrupt(self) -> int:
        """Send SIGINT and return the exit code; it has 60 s to stop."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(60)
        self._close_pipes()
        return code

    def cut_power(self) -> None:
        """Kill everything at once, as a power cut does."""
        written = state_file.read(self.folder.record)
        pids = [one.pid for one in written.processes] if written else []
        children = [child.pid for child in psutil.Process(self._process.pid).children(recursive=True)]
        self._process.send_signal(signal.SIGSTOP)  # killed first, it would let its children end in order
        for pid in {*pids, *children}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait(30)
        self._close_pipes()

    def close(self) -> None:
        """End it in any state."""
        if self._process.poll() is None:
            self.cut_power()

    def _close_pipes(self) -> None:
        for reader in self._readers:
            reader.join(5)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def _read(self) -> None:
        if self._process.stdout:
            for line in self._process.stdout:
                self.events.append(json.loads(line))

    def _read_errors(self) -> None:
        if self._process.stderr:
            self.errors = self._process.stderr.read()


def ask(url: str) -> tuple[int, bytes]:
    """HTTP status and body; status 0 if there is no response."""
    try:
        with urllib.request.urlopen(url, timeout=_ASK_SECONDS) as answer:  # noqa: S310 - always http
            return answer.status, answer.read()
    except urllib.error.HTTPError as failure:
        return failure.code, failure.read()
    except OSError:
        return 0, b""


def served(prometheus: str, alertmanager: str, until: float) -> Served:
    """The samples up to a moment, and the gaps."""
    found = Served()
    query = urllib.parse.urlencode({"query": _TRUTH, "time": f"{until:.3f}"})
    status, body = ask(f"{prometheus}/api/v1/query?{query}")
    if status == _OK:
        for one in json.loads(body)["data"]["result"]:
            labels = tuple(sorted(one["metric"].items()))
            found.samples = {**found.samples, labels: dict(one["values"])}
    else:
        found.query_error = body.decode(errors="replace")[:300]
    status, body = ask(f"{alertmanager}/api/v2/silences")
    if status == _OK:
        found.silences = frozenset(
            json.dumps({name: one[name] for name in ("id", "matchers", "comment", "createdBy")}, sort_keys=True)
            for one in json.loads(body)
        )
    return found


@dataclass(frozen=True, slots=True)
class Template:
    """A data folder as a stack leaves it, and what it serves undamaged."""

    folder: Path
    truth: Served
    until: float

    def files(self) -> list[str]:
        """Each file of it that holds something a start could miss."""
        found = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
        return [name for name in found if not name.startswith("logs/")]


def make_template(folder: Path, programs: Mapping[Program, Binary]) -> Template:
    """Two blocks, three segments of a log, head chunks, silences and notifications, a session of the gateway."""
    data = DataFolder(folder)
    folder.mkdir(mode=0o700)
    data.prometheus.mkdir(mode=0o700)
    _make_blocks(data.prometheus, programs[Program.PROMTOOL])
    for scrapes, sign in ((2 * _HEAD_CHUNK_SAMPLES, signal.SIGTERM), (20, signal.SIGKILL)):
        _run_bare(data.prometheus, programs[Program.PROMETHEUS], scrapes, sign)
    stack = Up(folder, "--sidecars", "0")
    try:
        if not stack.await_events(("addresses", ""), ("ready", "prometheus"), ("ready", "alertmanager")):
            raise RuntimeError(f"the undamaged folder does not start: {stack.events} {stack.errors}")
        for number in range(3):
            _silence(stack.address("alertmanager"), f"Silenced{number}")
        _notify(stack.address("alertmanager"))
        _await_notification(stack.address("alertmanager"))
        until = time.time()
        truth = served(stack.address("prometheus"), stack.address("alertmanager"), until)
    finally:
        code = stack.interrupt()
    if code != 0 or not truth.samples or not truth.silences:
        raise RuntimeError(f"the undamaged folder is not served: code {code}, {truth.query_error} {stack.errors}")
    return Template(folder, truth, until)


def _make_blocks(folder: Path, promtool: Binary) -> None:
    now = int(time.time()) // 7200 * 7200
    lines: list[str] = []
    for name in ("temperature", "requests"):
        lines.append(f"# TYPE {name} gauge")
        for moment in range(now - 21_600, now - 7_200, 60):
            lines += [f'{name}{{job="past",chip="{chip}"}} {moment % 997 + chip} {moment}' for chip in range(10)]
    lines.append("# EOF")
    with tempfile.NamedTemporaryFile("w", suffix=".om") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        command = [str(promtool.path), "tsdb", "create-blocks-from", "openmetrics", file.name, str(folder)]
        subprocess.run(command, check=True, capture_output=True)
    for block in folder.iterdir():
        block.chmod(0o700)


def _run_bare(folder: Path, prometheus: Binary, scrapes: int, sign: signal.Signals) -> None:
    """Scrapes itself so fast that head chunks are full after some seconds, and is ended after so many scrapes."""
    [port] = PortPool().take(1)
    configuration = {
        "global": {"scrape_interval": "20ms", "scrape_timeout": "20ms"},
        "scrape_configs": [
            {
                "job_name": "bare",
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
                "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": _KEPT, "action": "keep"}],
            }
        ],
    }
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "prometheus.yml"
        file.write_text(json.dumps(configuration))
        words = [f"--config.file={file}", f"--storage.tsdb.path={folder}", f"--web.listen-address=127.0.0.1:{port}"]
        with subprocess.Popen(
            [prometheus.path, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as running:
            _await_scrapes(f"http://127.0.0.1:{port}", scrapes)
            running.send_signal(sign)


def _await_scrapes(prometheus: str, scrapes: int) -> None:
    query = urllib.parse.urlencode({"query": "count_over_time(up[2m])"})
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        status, body = ask(f"{prometheus}/api/v1/query?{query}")
        found = json.loads(body)["data"]["result"] if status == _OK else []
        if found and int(found[0]["value"][1]) >= scrapes:
            return
        time.sleep(0.1)
    raise RuntimeError("Prometheus does not scrape itself")


def _silence(alertmanager: str, name: str) -> None:
    matcher = {"name": "alertname", "value": name, "isRegex": False, "isEqual": True}
    moment = "%Y-%m-%dT%H:%M:%SZ"
    _post(
        f"{alertmanager}/api/v2/silences",
        {
            "matchers": [matcher],
            "startsAt": time.strftime(moment, time.gmtime()),
            "endsAt": time.strftime(moment, time.gmtime(time.time() + 86_400)),
            "createdBy": "power-cut-matrix",
            "comment": name,
        },
    )


def _notify(alertmanager: str) -> None:
    labels = {"alertname": "PowerCut", "severity": "critical", "site": "local", "device": "local"}
    _post(f"{alertmanager}/api/v2/alerts", [{"labels": labels}])


def _await_notification(alertmanager: str) -> None:
    """Until the log of notifications holds one; the shortest route waits ten seconds."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        _, body = ask(f"{alertmanager}/metrics")
        sent = [line for line in body.decode().splitlines() if line.startswith("alertmanager_notifications_total{")]
        if any(float(line.rpartition(" ")[2]) > 0 for line in sent):
            return
        time.sleep(0.5)
    raise RuntimeError("Alertmanager sends no notification")


def _post(url: str, document: object) -> None:
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})  # noqa: S310 - always http
    with urllib.request.urlopen(request, timeout=_ASK_SECONDS) as answer:  # noqa: S310 - always http
        answer.read()
