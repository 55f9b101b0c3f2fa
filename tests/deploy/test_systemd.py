"""The systemd units: accepted by systemd itself, hardened, and true to the commands and settings that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from edgeinfer.cli.main import Commands
from edgeinfer.settings import known_variables
from edgeinfer.web.limits import ConnectionLimits
from tools import systemd_files

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/systemd"
UNITS = sorted(FOLDER.glob("*.service"))
# systemd-analyze's own scale: 0 is locked away, 10 is wide open.
MAX_EXPOSED = 2.5
DROP_INS = sorted(FOLDER.glob("*.service.d/*.conf"))
# Of Debian's units: what the drop-ins are added to, reduced to what they replace or extend.
DEBIANS = {
    "prometheus": "[Unit]\nAfter=time-sync.target\n[Service]\nRestart=on-failure\nExecStart=/bin/true\n",
    "prometheus-alertmanager": "[Service]\nRestart=on-failure\nExecStart=/bin/true\n",
}

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
    for drop_in in DROP_INS:
        unit_name = drop_in.parent.name.removesuffix(".d")
        (folder / unit_name).write_text(DEBIANS[unit_name.removesuffix(".service")])
        (folder / drop_in.parent.name).mkdir()
        text = re.sub(r"/usr/bin/prometheus[\w-]*", "/bin/true", drop_in.read_text())
        (folder / drop_in.parent.name / drop_in.name).write_text(text)
        found.append(str(folder / unit_name))
    return found


def value(unit: Path, key: str) -> str:
    found = re.search(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)
    assert found, f"{unit.name} has no {key}"
    return found.group(1)


def test_there_is_a_unit_for_each_service_of_a_device() -> None:
    names = ["edgeinfer-console", "edgeinfer-exporter", "edgeinfer-gateway", "edgeinfer-sidecar"]
    assert [unit.stem for unit in UNITS] == names
    wanted = re.findall(r"(?m)^Wants=(.*)$", (FOLDER / "edgeinfer.target").read_text())
    assert sorted(wanted[0].split()) == [f"{name}.service" for name in names]


@needs_systemd
def test_systemd_accepts_every_unit_without_a_word(tmp_path: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", *copies(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    ours = [line for line in done.stderr.splitlines() if "edgeinfer" in line or "prometheus" in line]
    assert ours == []


@needs_systemd
@pytest.mark.parametrize("name", ["edgeinfer-gateway.service", "prometheus.service.d/edgeinfer.conf"])
def test_systemd_has_a_word_for_a_unit_or_drop_in_with_a_mistake(name: str, tmp_path: Path) -> None:
    units = copies(tmp_path)
    (tmp_path / name).write_text((tmp_path / name).read_text().replace("RestartSec=", "RestartSecs="))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert "'RestartSecs'" in done.stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_hardly_exposed(unit: Path, tmp_path: Path) -> None:
    copies(tmp_path)
    command = ["systemd-analyze", "security", "--offline=true", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found.group(1)) <= MAX_EXPOSED


each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


@each_unit
def test_a_unit_is_watched_and_runs_as_nobody_special(unit: Path) -> None:
    assert value(unit, "Type") == "notify"
    # A control call of a Hailo-10H may hold the interpreter for ten seconds.
    # Opening a chip that does not answer keeps the exporter's interpreter for 30.7 s.
    assert int(value(unit, "WatchdogSec")) >= (60 if "exporter" in unit.name else 30)
    assert value(unit, "User") == "edgeinfer"


@pytest.mark.parametrize("file", [*UNITS, *DROP_INS], ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_service_is_started_again_for_as_long_as_it_takes(file: Path) -> None:
    """By itself systemd gives up after five starts in ten seconds; Debian 13 leaves Prometheus down after exit 1."""
    assert value(file, "StartLimitIntervalSec") == "0"
    assert value(file, "Restart") == "always"
    assert 1 <= int(value(file, "RestartSec")) <= 30
    assert "RestartPreventExitStatus" not in file.read_text()


@pytest.mark.parametrize("file", [*UNITS, *DROP_INS, FOLDER / "edgeinfer.target"], ids=lambda file: file.name)
def test_no_service_ends_or_holds_up_another(file: Path) -> None:
    text = file.read_text()
    assert not re.search(r"(?m)^(Requires|Requisite|BindsTo|PartOf|Upholds|Conflicts|JoinsNamespaceOf)=", text)
    # Ordered after a service of ours, a start would wait for one that hangs, up to its time limit.
    after = " ".join(re.findall(r"(?m)^After=(.*)$", text)).split()
    assert [name for name in after if name.endswith(".service")] == []


@each_unit
def test_a_unit_starts_after_the_time_is_right_where_something_waits_for_that(unit: Path) -> None:
    assert "time-sync.target" in value(unit, "After").split()
    assert "time-sync.target" in value(unit, "Wants").split()


@each_unit
def test_a_unit_may_hold_as_many_connections_as_its_server_takes(unit: Path) -> None:
    """And files: SQLite, logs, the model, connections to sidecars."""
    assert int(value(unit, "LimitNOFILE")) >= ConnectionLimits().max_connections + 1024


@each_unit
def test_what_a_unit_writes_is_for_its_user_alone(unit: Path) -> None:
    assert value(unit, "StateDirectoryMode") == "0700"
    shared = {"edgeinfer-sidecar": "0022"}  # HailoRT's monitor files, which others read
    assert value(unit, "UMask") == shared.get(unit.stem, "0077")
    if "RuntimeDirectory=" in unit.read_text():
        assert value(unit, "RuntimeDirectoryMode") == "0700"


@each_unit
def test_a_unit_sees_what_its_service_reads_of_proc(unit: Path) -> None:
    """With ProcSubset=pid there is no /proc/meminfo and no id of the boot: the gateway could store no sample."""
    assert "ProcSubset" not in re.sub(r"(?m)^#.*$", "", unit.read_text())


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda file: file.parent.name)
def test_what_debians_services_keep_is_for_their_user_alone(drop_in: Path) -> None:
    assert value(drop_in, "StateDirectoryMode") == "0700"
    assert value(drop_in, "UMask") == "0077"
    (path,) = re.findall(r"--storage\.(?:tsdb\.)?path=(\S+)", drop_in.read_text())
    assert path.startswith(f"/var/lib/{value(drop_in, 'StateDirectory')}/")


def test_the_gateway_keeps_sessions_where_it_may_write() -> None:
    unit = FOLDER / "edgeinfer-gateway.service"
    assert value(unit, "Environment") == f"EDGEINFER_GATEWAY_DATA_FOLDER=%S/{value(unit, 'StateDirectory')}"


def test_a_reload_of_the_sidecar_is_the_signal_that_changes_its_model() -> None:
    command = (ROOT / "src/edgeinfer/cli/sidecar.py").read_text()
    assert value(FOLDER / "edgeinfer-sidecar.service", "ExecReload") == "/bin/kill -USR1 $MAINPID"
    assert "signal.signal(signal.SIGUSR1" in command


@each_unit
def test_a_unit_runs_a_command_and_sets_settings_that_exist(unit: Path) -> None:
    verb = value(unit, "ExecStart").split()[1]
    assert verb in Commands().list_commands(click.Context(Commands()))
    names = set(re.findall(r"\b(EDGEINFER_[A-Z_]+)=", unit.read_text()))
    assert names - known_variables() == set()


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.env")), ids=lambda file: file.name)
def test_an_example_environment_holds_known_settings_only(file: Path) -> None:
    names = re.findall(r"^#?([A-Z_]+)=", file.read_text(), re.MULTILINE)
    assert names
    assert set(names) - known_variables() == set()


def test_owner_and_reader_of_monitor_files_share_a_folder_and_a_user() -> None:
    for name in ("sidecar", "exporter"):
        assert value(FOLDER / f"edgeinfer-{name}.service", "PrivateTmp") == "no"


def test_the_prometheus_configuration_is_generated() -> None:
    assert (ROOT / systemd_files.PATH).read_text() == systemd_files.render()
    drop_in = (FOLDER / "prometheus.service.d/edgeinfer.conf").read_text()
    assert "--storage.tsdb.retention.time=30d" in drop_in
