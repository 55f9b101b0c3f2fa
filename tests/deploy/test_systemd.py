"""The systemd units: accepted by systemd itself, hardened, and true to the commands and settings that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from edgeinfer.cli.main import Commands
from edgeinfer.settings import known_variables
from tools import systemd_files

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/systemd"
UNITS = sorted(FOLDER.glob("*.service"))
# systemd-analyze's own scale: 0 is locked away, 10 is wide open.
MOST_EXPOSED = 2.5

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing; make verify-units installs it"
)


def copies(folder: Path) -> list[str]:
    """The units with a program that exists on any machine."""
    found = []
    for unit in [*UNITS, FOLDER / "edgeinfer.target"]:
        text = unit.read_text().replace("/opt/edgeinfer/venv/bin/edgeinfer", "/bin/true")
        (folder / unit.name).write_text(text)
        found.append(str(folder / unit.name))
    return found


def value(unit: Path, key: str) -> str:
    found = re.search(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)
    assert found, f"{unit.name} has no {key}"
    return found.group(1)


def test_there_is_a_unit_for_each_service_of_a_device() -> None:
    assert [unit.stem for unit in UNITS] == ["edgeinfer-exporter", "edgeinfer-gateway", "edgeinfer-sidecar"]


@needs_systemd
def test_systemd_accepts_every_unit_without_a_word(tmp_path: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", *copies(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    ours = [line for line in done.stderr.splitlines() if "edgeinfer" in line]
    assert ours == []


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_hardly_exposed(unit: Path, tmp_path: Path) -> None:
    copies(tmp_path)
    command = ["systemd-analyze", "security", "--offline=true", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found.group(1)) <= MOST_EXPOSED


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_watched_and_not_restarted_into_a_wrong_configuration(unit: Path) -> None:
    assert value(unit, "Type") == "notify"
    # A control call of a Hailo-10H may hold the interpreter for ten seconds.
    assert int(value(unit, "WatchdogSec")) >= 30
    assert value(unit, "RestartPreventExitStatus") == "78"
    assert value(unit, "User") == "edgeinfer"


def test_a_reload_of_the_sidecar_is_the_signal_that_changes_its_model() -> None:
    command = (ROOT / "src/edgeinfer/cli/sidecar.py").read_text()
    assert value(FOLDER / "edgeinfer-sidecar.service", "ExecReload") == "/bin/kill -USR1 $MAINPID"
    assert "signal.signal(signal.SIGUSR1" in command


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_runs_a_command_and_sets_settings_that_exist(unit: Path) -> None:
    verb = value(unit, "ExecStart").split()[1]
    assert verb in Commands().list_commands(click.Context(Commands()))
    names = set(re.findall(r"\b(EDGEINFER_[A-Z_]+)=", unit.read_text()))
    assert names - known_variables() == set()


def test_the_example_environment_holds_known_settings_only() -> None:
    names = re.findall(r"^([A-Z_]+)=", (FOLDER / "sidecar.env").read_text(), re.MULTILINE)
    assert set(names) - known_variables() == set()


def test_owner_and_reader_of_monitor_files_share_a_folder_and_a_user() -> None:
    for name in ("sidecar", "exporter"):
        assert value(FOLDER / f"edgeinfer-{name}.service", "PrivateTmp") == "no"


def test_the_prometheus_configuration_is_generated() -> None:
    assert (ROOT / systemd_files.PATH).read_text() == systemd_files.render()
    drop_in = (FOLDER / "prometheus.service.d/edgeinfer.conf").read_text()
    assert "--storage.tsdb.retention.time=30d" in drop_in
