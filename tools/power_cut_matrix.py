"""Each file of a data folder, damaged in each way that a power cut leaves behind, stopped and while everything runs.

For each case a whole `edgeinfer up` is started on a copy of one data folder. It must start and serve, say what was
lost, and never serve a wrong value: each sample and each silence that is returned must be one of the undamaged folder.

    python -m tools.power_cut_matrix [--quick] [--only TEXT] [--kind KIND ...] [--state stopped|running]
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from edgeinfer.stack import state_file
from edgeinfer.stack.binaries import Binary, Program, cache_folder, find_all
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.ports import PortPool

_PORT_OPTIONS = ("gateway", "sidecar", "console", "prometheus", "alertmanager", "exporter")
_START_SECONDS = 120.0
_ASK_SECONDS = 10.0
_OK = 200
_HEAD_CHUNK_SAMPLES = 120  # Prometheus writes a chunk of the head to disk when it holds as many
_TRUTH = '{job=~"past|bare"}[12h]'
_KEPT = "up|prometheus_http_requests_total|prometheus_tsdb_head_.*|process_.*|scrape_.*"
_PASSING = ("lock", "queries.active", ".log")
_QUICK = (
    ("prometheus/*/index", "zeros"),
    ("prometheus/*/chunks/000001", "flipped"),
    ("prometheus/*/meta.json", "empty"),
    ("prometheus/wal/0*", "missing"),
    ("prometheus/wal/0*", "flipped"),
    ("prometheus/chunks_head/*", "garbage"),
    ("alertmanager/nflog", "cut"),
    ("alertmanager/silences", "garbage"),
    ("stack.json", "zeros"),
)


class Kind(StrEnum):
    """What a power cut leaves of a file."""

    MISSING = "missing"
    EMPTY = "empty"
    CUT = "cut"
    ZEROS = "zeros"
    GARBAGE = "garbage"
    FLIPPED = "flipped"


class State(StrEnum):
    """When the damage happens."""

    STOPPED = "stopped"
    RUNNING = "running"


def damage(path: Path, kind: Kind, chance: random.Random) -> None:
    """Do to a file what a power cut does."""
    content = path.read_bytes()
    if kind is Kind.MISSING:
        path.unlink()
        return
    contents: Mapping[Kind, Callable[[], bytes]] = {
        Kind.EMPTY: lambda: b"",
        Kind.CUT: lambda: content[: max(1, int(len(content) * chance.uniform(0.3, 0.9)))] if len(content) > 1 else b"",
        Kind.ZEROS: lambda: bytes(len(content)),
        Kind.GARBAGE: lambda: chance.randbytes(max(64, len(content))),
        Kind.FLIPPED: lambda: _flipped(content, chance),
    }
    changed = contents[kind]()
    with path.open("r+b") as file:  # the very file that a running server has open
        file.truncate(0)
        file.write(changed)


def _flipped(content: bytes, chance: random.Random) -> bytes:
    """One bit, among the bytes that hold something."""
    places = [place for place, byte in enumerate(content) if byte] or list(range(len(content)))
    if not places:
        return content
    changed = bytearray(content)
    changed[chance.choice(places)] ^= 1 << chance.randrange(8)
    return bytes(changed)


Truth = Mapping[tuple[tuple[str, str], ...], Mapping[float, str]]


@dataclass(slots=True)
class Served:
    """What a stack answers about the past."""

    samples: Truth = field(default_factory=dict)
    silences: frozenset[str] = frozenset()
    query_error: str = ""


@dataclass(slots=True)
class Outcome:
    """What one case showed; `faults` is empty where everything was as it should be."""

    cases: Sequence[tuple[str, Kind]]
    state: State
    faults: list[str] = field(default_factory=list)
    lost_samples: int = 0
    lost_silences: int = 0
    said: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The first file that was damaged."""
        return self.cases[0][0]

    @property
    def kind(self) -> Kind:
        """The damage of the start, that of its first case."""
        return self.cases[0][1]

    @property
    def part(self) -> str:
        """The server whose file it is."""
        return self.file.split("/", 1)[0] if "/" in self.file else "stack"


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


def play(template: Template, cases: Sequence[tuple[str, Kind]], state: State, chance: random.Random) -> Outcome:
    """One start on a copy of the folder in which these files are damaged; the copy is deleted afterwards."""
    outcome = Outcome(cases, state)
    with _copy(template.folder) as folder:
        if state is State.RUNNING:
            _damage_while_running(template, folder, outcome, chance)
        else:
            for file, kind in cases:
                damage(folder / file, kind, chance)
        if not outcome.faults:
            _start_on(template, folder, outcome)
    return outcome


@contextmanager
def _copy(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="power-cut-") as place:
        copied = Path(place) / "data"
        shutil.copytree(folder, copied)
        yield copied


def _damage_while_running(template: Template, folder: Path, outcome: Outcome, chance: random.Random) -> None:
    running = Up(folder, "--no-replay", "--sidecars", "0")
    try:
        if not running.await_events(("addresses", ""), ("ready", "prometheus"), ("ready", "alertmanager")):
            outcome.faults.append(f"the undamaged folder does not start: {running.events[-3:]}")
            return
        for file, kind in outcome.cases:
            if (folder / file).exists():  # what a running stack itself has replaced by now cannot be damaged
                damage(folder / file, kind, chance)
        _judge_serving(template, running, outcome)
    finally:
        running.close()


def _start_on(template: Template, folder: Path, outcome: Outcome) -> None:
    stack = Up(folder, "--no-replay", "--sidecars", "0")
    try:
        if not stack.await_events(("addresses", ""), ("ready", "prometheus"), ("ready", "alertmanager")):
            outcome.faults.append(
                f"does not start: {[event.get('message') for event in stack.events][-4:]} {stack.errors}"
            )
            return
        answer = _judge_serving(template, stack, outcome)
        outcome.said = tuple(stack.messages("damaged"))
        _judge_loss(template, answer, outcome)
        if stack.interrupt() != 0:
            outcome.faults.append("does not end in order")
    finally:
        stack.close()
        if "Traceback" in stack.errors:
            outcome.faults.append(f"traceback: {stack.errors[-300:]}")


def _judge_serving(template: Template, stack: Up, outcome: Outcome) -> Served:
    if ask(f"{stack.address('gateway')}/healthz")[0] != _OK:
        outcome.faults.append(f"the gateway does not serve ({outcome.state})")
    answer = served(stack.address("prometheus"), stack.address("alertmanager"), template.until)
    for labels, values in answer.samples.items():
        true = template.truth.samples.get(labels, {})
        wrong = [moment for moment, value in values.items() if true.get(moment) != value]
        if wrong:
            outcome.faults.append(f"WRONG VALUE of {dict(labels)} at {wrong[0]} ({len(wrong)} in all)")
    if answer.silences - template.truth.silences:
        outcome.faults.append(f"WRONG SILENCE {min(answer.silences - template.truth.silences)}")
    return answer


def _judge_loss(template: Template, answer: Served, outcome: Outcome) -> None:
    def count(samples: Truth) -> int:
        return sum(len(values) for values in samples.values())

    outcome.lost_samples = count(template.truth.samples) - count(answer.samples)
    outcome.lost_silences = len(template.truth.silences - answer.silences)
    if answer.query_error:
        outcome.faults.append(f"a query of the past fails: {answer.query_error}")
    if (outcome.lost_samples or outcome.lost_silences) and not outcome.said:
        outcome.faults.append(f"lost without a word: {outcome.lost_samples} samples, {outcome.lost_silences} silences")


def choose(template: Template, pattern: str) -> str:
    """The largest file of the folder that fits a pattern."""
    files = [path for path in template.folder.glob(pattern) if path.is_file()]
    if not files:
        raise RuntimeError(f"the folder has no {pattern}: {template.files()}")
    return str(max(files, key=lambda file: file.stat().st_size).relative_to(template.folder))


def quick_cases(template: Template) -> list[tuple[str, Kind, State]]:
    """One stopped case for each row of the quick list."""
    return [(choose(template, pattern), Kind(kind), State.STOPPED) for pattern, kind in _QUICK]


def all_cases(
    template: Template, only: str, kinds: Sequence[Kind], states: Sequence[State]
) -> list[tuple[str, Kind, State]]:
    """Every file, every kind, every state."""
    return [(file, kind, state) for state in states for file in template.files() if only in file for kind in kinds]


def report(outcomes: Sequence[Outcome]) -> str:
    """The sums by part, state and kind, and each case that was not as it should be."""
    rows = Counter((one.part, one.state.value, one.kind.value, not one.faults) for one in outcomes)
    lines = [f"{'part':14} {'state':8} " + " ".join(f"{kind.value:>9}" for kind in Kind)]
    for part in sorted({one.part for one in outcomes}):
        for state in State:
            if any(one.part == part and one.state is state for one in outcomes):
                cells = [
                    f"{rows[part, state.value, kind.value, True]}/"
                    f"{rows[part, state.value, kind.value, True] + rows[part, state.value, kind.value, False]}"
                    for kind in Kind
                ]
                lines.append(f"{part:14} {state.value:8} " + " ".join(f"{cell:>9}" for cell in cells))
    good = sum(not one.faults for one in outcomes)
    lost = sum(one.lost_samples > 0 or one.lost_silences > 0 for one in outcomes)
    lines.append(f"{good} of {len(outcomes)} as they should be; in {lost} something was lost, and said")
    lines += [f"{one.file} {one.kind} {one.state}: {'; '.join(one.faults)}" for one in outcomes if one.faults]
    return "\n".join(lines)


def programs_here() -> Mapping[Program, Binary]:
    """Prometheus, Alertmanager and promtool as installed on this machine."""
    return find_all(cache_folder(Path("~/.cache")))


def main() -> int:
    """Run it; 1 where a case was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="files whose path contains this")
    parser.add_argument("--kind", action="append", type=Kind, choices=list(Kind))
    parser.add_argument("--state", action="append", type=State, choices=list(State))
    parser.add_argument("--seed", type=int, default=1)
    reported = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="power-cut-") as place:
        template = make_template(Path(place) / "template", programs_here())
        cases = (
            quick_cases(template)
            if reported.quick
            else all_cases(template, reported.only, reported.kind or list(Kind), reported.state or list(State))
        )
        outcomes = []
        for number, (file, kind, state) in enumerate(cases, start=1):
            chance = random.Random(f"{reported.seed} {file} {kind} {state}")  # noqa: S311 - to be repeated, not to be secret
            outcomes.append(play(template, [(file, kind)], state, chance))
            one = outcomes[-1]
            print(
                f"{number}/{len(cases)} {'FAULT' if one.faults else 'ok'} {file} {kind} {state}"
                f" lost {one.lost_samples}+{one.lost_silences}; {'; '.join(one.faults or one.said)[:400]}",
                flush=True,
            )
        print(report(outcomes))
    return int(any(one.faults for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
