"""The scripted hour in a real Prometheus: which alerts it would have fired, and what the hardware dashboard shows."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeinfer.monitoring import files
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder, find_all, require
from edgeinfer.stack.ports import PortPool
from tools.device_life import MINUTES, STEP_SECONDS, begin, openmetrics

pytestmark = pytest.mark.end_to_end

# What the script provokes, with the minute around which each begins to fire.
EXPECTED = {
    "HailoTemperatureHigh": 18,
    "HailoTemperatureCritical": 17,
    "HailoThrottling": 17,
    "HailoThermalStreamAbort": 29,
    "HailoRtUnavailable": 45,
    "HailoDeviceVanished": 45,
}
# What the script does not do.
SILENT = {"HailoOvercurrent", "HailoMemoryDamaged", "HailoUtilizationSaturated", "HailoCollectorFailing"}
# Panels about what this chip does not offer, nobody asked for, or the sidecar shows.
ABSENT_ON_PURPOSE = re.compile(
    "hailo_hardware_power_watts|hailo_hardware_announced_throttling_state|hailo_hardware_errors_total|"
    "raspberry_pi_condition|hailo_sidecar_frames_in_flight|ALERTS"
)


def binary(program: Program) -> Path:
    return require(find_all(cache_folder(StackSettings.from_environment({}).cache_home.expanduser())), program).path


class Hour:
    """A Prometheus that holds the hour, and nothing that scrapes."""

    def __init__(self, folder: Path) -> None:
        self.begin = float(int(time.time()) - MINUTES * 60 - 60)
        (folder / "life").mkdir()
        (folder / "life.om").write_text("\n".join(openmetrics(begin(folder / "life", epoch=self.begin))) + "\n")
        data = folder / "data"
        command: list[str | Path] = [
            binary(Program.PROMTOOL),
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            folder / "life.om",
            data,
        ]
        subprocess.run(command, check=True, capture_output=True)
        (folder / "prometheus.yml").write_text("{}")
        address = f"127.0.0.1:{PortPool().take(1)[0]}"
        self.url = f"http://{address}"
        flags = [
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address={address}",
            # A scrape marks the end of a series, a file cannot: what is gone would be shown for 5 minutes.
            f"--query.lookback-delta={2 * STEP_SECONDS}s",
        ]
        self.process = subprocess.Popen([binary(Program.PROMETHEUS), *flags], stderr=subprocess.DEVNULL)
        self._wait()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression over the hour."""
        given = {
            "query": expression,
            "start": self.begin,
            "end": self.begin + MINUTES * 60 - STEP_SECONDS,
            "step": STEP_SECONDS,
        }
        address = f"{self.url}/api/v1/query_range?{urllib.parse.urlencode(given)}"
        with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310  # loopback
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def fires_at(self, rule: dict[str, Any]) -> float | None:
        """Minute at which a rule first holds for as long as it asks."""
        hold = _seconds(rule.get("for", "0s"))
        starts = []
        for series in self.query(rule["expr"]):
            since = last = None
            for at, _ in series["values"]:
                since = at if last is None or at - last > STEP_SECONDS else since
                last = at
                if since is not None and at - since >= hold:
                    starts.append(at)
                    break
        return (min(starts) - self.begin) / 60 if starts else None

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):  # noqa: S310  # loopback
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise AssertionError("Prometheus did not start")


def _seconds(text: str) -> float:
    number, unit = int(text[:-1]), text[-1]
    return number * {"s": 1.0, "m": 60.0, "h": 3600.0}[unit]


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hour]:
    running = Hour(tmp_path_factory.mktemp("hour"))
    yield running
    running.process.kill()
    running.process.wait()


def rules() -> dict[str, dict[str, Any]]:
    """The rules about hardware, by name."""
    subjects = ("chip_heat", "chip_faults", "chip_access", "raspberry_pi")
    paths = [path for path in files.rule_files() if path.stem.removeprefix("alerts-") in subjects]
    groups = [group for path in paths for group in yaml.safe_load(path.read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_the_hour_fires_what_it_provokes_when_it_provokes_it(hour: Hour) -> None:
    found = rules()
    fired = {name: hour.fires_at(rule) for name, rule in found.items()}
    for name, minute in EXPECTED.items():
        assert fired[name] == pytest.approx(minute, abs=2.0), (name, fired[name])
    assert {name for name, at in fired.items() if at is not None} & SILENT == set()


def test_every_panel_of_the_hardware_dashboard_has_something_to_show(hour: Hour) -> None:
    path = next(path for path in files.dashboard_files() if path.name == "hailo_hardware_dashboard.json")
    empty = [expression for expression in _expressions(json.loads(path.read_text())) if not hour.query(expression)]
    assert [expression for expression in empty if not ABSENT_ON_PURPOSE.search(expression)] == []


def _expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    panels = list(files.all_panels(dashboard))
    for target in (target for panel in panels for target in panel.get("targets", [])):
        plain = re.sub(r"\$\{?__(rate_)?interval\}?", "1m", target["expr"])
        plain = plain.replace("$__range", "1h")
        # Whatever is chosen in the dashboard's variables: everything.
        yield re.sub(r'=~?"\$\{?\w+(:\w+)?\}?"', '=~".*"', plain)
