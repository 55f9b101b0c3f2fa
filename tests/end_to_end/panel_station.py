"""Gateway, sidecar, an exporter with a faked chip, and a Prometheus of its own whose slow rules are hurried."""

import json
import math
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edgeinfer.catalog.metric import Owner
from edgeinfer.monitoring import files
from edgeinfer.monitoring.scrape import prometheus_configuration
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder, find_all, require
from edgeinfer.stack.ports import PortPool
from tests.end_to_end.running_stack import RunningStack, until
from tests.fakes.hailo_platform.monitor_files import DeviceUse, NetworkUse, encode, write
from tests.fakes.kernel import write_kernel, write_link
from tools.promql_lint import substituted

HURRIED = "2s"
_SHADOW = {"EDGEINFER_SHADOW_BACKEND": "onnx", "EDGEINFER_SHADOW_SHARE": "1", "EDGEINFER_SHADOW_CPU_BUDGET": "1"}
_STEP_SECONDS = 5
# As a dashboard of one hour gives them, but for the range: these processes are not that old.
_VARIABLES = {
    "$__rate_interval": "20s",
    "$__interval": "5m",
    "$__range": "2m",
    "$job": ".+",
    "$instance": ".+",
    "$chip": ".+",
    "$resolution": ".*",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prometheus says to one query of one panel since the station was opened."""

    dashboard: str
    panel: str
    query: str
    unit: str
    series: int
    values: tuple[float, ...]

    @property
    def last(self) -> float | None:
        """The newest value of the first series."""
        return self.values[-1] if self.values else None


class PanelStation:
    """A running stack, its chip, and the Prometheus that watches both."""

    def __init__(self, stack: RunningStack, address: str, state: Path) -> None:
        self.stack = stack
        self.address = address
        self._state = state
        self._since = time.time()

    def chip_becomes(self, state: str) -> None:
        """Put the faked chip into one of its states."""
        self._state.write_text(state, encoding="utf-8")

    def learn_drift_baseline(self) -> int:
        """Take the answers until now for what is normal; the exit code of the command."""
        folder = str(self.stack.folder.gateway)
        command = [sys.executable, "-m", "edgeinfer", "drift", "learn", "--data-folder", folder, "--min-answers", "200"]
        return subprocess.run(command, check=False, capture_output=True).returncode

    def answers(self) -> list[Answer]:
        """Each query of each panel, asked as a graph asks."""
        found = []
        for path in files.dashboard_files():
            document = json.loads(path.read_text(encoding="utf-8"))
            for panel in files.all_panels(document):
                found += [self._answer(document["title"], panel, target["expr"]) for target in panel.get("targets", [])]
        return found

    def value(self, expression: str) -> float:
        """The newest value of one series; not a number if there is none."""
        result = self._ask("query", query=expression)
        return float(result[0]["value"][1]) if result else math.nan

    def _answer(self, dashboard: str, panel: Mapping[str, Any], expression: str) -> Answer:
        # What a number of now says where there is nothing does not come from the query.
        query = substituted(expression.removesuffix(" or vector(NaN)"), _VARIABLES)
        now = time.time()
        result = self._ask("query_range", query=query, start=self._since, end=now, step=_STEP_SECONDS)
        values = tuple(float(value) for series in result for _, value in series["values"])
        unit = panel["fieldConfig"]["defaults"]["unit"]
        return Answer(dashboard, panel["title"], query, unit, len(result), values)

    def _ask(self, kind: str, **parameters: object) -> list[dict[str, Any]]:
        body = urllib.parse.urlencode(parameters).encode()
        with urllib.request.urlopen(f"{self.address}/api/v1/{kind}", body, timeout=20) as answer:  # noqa: S310  # our own address
            found: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
        return found


@contextmanager
def panel_station(folder: Path) -> Iterator[PanelStation]:
    """The whole station, ended with the block."""
    environment = {
        "EDGEINFER_SHADOW_BACKEND": "onnx",
        "EDGEINFER_SHADOW_SHARE": "1",
        "EDGEINFER_SHADOW_CPU_BUDGET": "1",
        # Three minutes, so that the window is stored every few seconds.
        "EDGEINFER_GATEWAY_DRIFT_WINDOW_HOURS": "0.05",
    }
    os.environ.update(environment)
    try:
        stack = RunningStack(folder / "data", "--no-monitoring", "--no-exporter")
    finally:
        for name in environment:
            del os.environ[name]
    exporter_port, prometheus_port = PortPool().take(2)
    state = folder / "chip"
    try:
        with (
            _exporter(folder, exporter_port, state),
            _prometheus(folder, stack, exporter_port, prometheus_port) as address,
        ):
            yield PanelStation(stack, address, state)
    finally:
        stack.close()


@contextmanager
def _exporter(folder: Path, port: int, state: Path) -> Iterator[None]:
    monitor = folder / "monitor"
    environment = os.environ | {
        "FAKE_CHIP_STATE": str(state),
        "EDGEINFER_EXPORTER_MONITOR_FOLDER": str(monitor),
        "EDGEINFER_EXPORTER_MONITOR_INTERVAL_MS": "60000",
        "EDGEINFER_EXPORTER_INTERVAL_SECONDS": "1",
        "EDGEINFER_EXPORTER_MEASURE_POWER": "true",
        "EDGEINFER_EXPORTER_KERNEL_ROOT": str(folder / "kernel"),
    }
    write_kernel(folder / "kernel", firmware_word="50005")
    write_link(folder / "kernel", current=(2, 1), device=(3, 4), slot=(2, 1))
    # A file counts only while the process that owns the chip lives.
    (folder / "kernel" / "proc" / str(os.getpid())).mkdir(parents=True, exist_ok=True)
    use = encode(str(os.getpid()), [NetworkUse("motifs", 12.0, 30.0)], [DeviceUse("0000:01:00.0", 30.0)])
    write(monitor, use)
    # Power is read once at the start and then twice a minute.
    state.write_text("metered", encoding="utf-8")
    command = [sys.executable, "-m", "tests.fakes.chip_service", "exporter", "--port", str(port)]
    with _running(command, environment, f"http://127.0.0.1:{port}/metrics"):
        yield


@contextmanager
def _prometheus(folder: Path, stack: RunningStack, exporter_port: int, port: int) -> Iterator[str]:
    binaries = find_all(cache_folder(StackSettings.from_environment({}).cache_home.expanduser()))
    rules = _hurried_rules(folder / "rules")
    targets = {
        str(Owner.GATEWAY): [stack.addresses["gateway"].removeprefix("http://")],
        str(Owner.SIDECAR): [_sidecar(stack)],
        str(Owner.EXPORTER): [f"127.0.0.1:{exporter_port}"],
        "prometheus": [f"127.0.0.1:{port}"],
    }
    configuration = folder / "prometheus.yml"
    configuration.write_text(
        prometheus_configuration(
            targets=targets, alertmanagers=[], rule_files=[f"{rules}/*.yml"], scrape_interval_seconds=2
        ),
        encoding="utf-8",
    )
    command = [
        str(require(binaries, Program.PROMETHEUS).path),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    address = f"http://127.0.0.1:{port}"
    with _running(command, dict(os.environ), f"{address}/-/ready"):
        yield address


def _sidecar(stack: RunningStack) -> str:
    address = next(address for name, address in stack.addresses.items() if name.startswith("sidecar"))
    return address.removeprefix("http://")


def _hurried_rules(folder: Path) -> Path:
    """The shipped rules, but groups that run every five minutes run every two seconds, and alerts do not wait."""
    folder.mkdir()
    for path in files.rule_files():
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in document["groups"]:
            group["interval"] = HURRIED
            for rule in group["rules"]:
                rule.pop("for", None)
        (folder / path.name).write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


@contextmanager
def _running(command: list[str], environment: dict[str, str], ready: str) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment)
    try:
        assert until(lambda: _answers(ready), 30), f"{command[:4]} did not answer at {ready}"
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310  # our own address
            return bool(answer.status == 200)
    except OSError:
        return False
