"""The set-up of a device on machines that are made up: what it does, says, repeats, undoes and refuses.

The commands are a fake: `make machine-proof` runs the real ones in a Debian that boots.
"""

import os
import re
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.deploy.made_up_debian import ALERTMANAGER, Run
from tools import device_guide
from tools.device_setup.journal import FOLDER
from tools.device_setup.machine import Completed

ROOT = Path(__file__).parents[2]
ETC = "etc/edgeinfer"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


def test_a_dry_run_changes_nothing_and_says_all(run: Run) -> None:
    before = run.tree()
    assert run("--dry-run") == 0
    assert run.tree() == before
    assert not [line for line in run.commands.said if line.startswith(("apt-get", "useradd", "systemctl enable"))]
    for word in ("prometheus-alertmanager systemd-timesyncd", f"/{ETC}/api-keys", "useradd", "systemctl enable"):
        assert word in run.printed
    assert "ei_secret" not in run.printed


@needs_root
def test_a_set_up_machine_has_every_file_with_its_owner_and_rights(run: Run) -> None:
    assert run() == 0
    rights = {
        "alertmanager.yml": (0o640, 105),
        "alerts.env": (0o600, 0),
        "api-keys": (0o640, 999),
        "gateway.env": (0o644, 0),
        "prometheus.yml": (0o644, 0),
        "sidecar.env": (0o644, 0),
    }
    found = {path.name: path.stat() for path in (run.machine.root / ETC).iterdir() if path.is_file()}
    assert {name: (stat.S_IMODE(one.st_mode), one.st_gid) for name, one in found.items()} == rights
    assert {one.st_uid for one in found.values()} == {0}
    rules = {path.name for path in (ROOT / "src/edgeinfer/monitoring/generated/rules").glob("*.yml")}
    assert {path.name for path in (run.machine.root / ETC / "rules").iterdir()} == rules
    assert stat.S_IMODE((run.machine.root / FOLDER.lstrip("/")).stat().st_mode) == 0o700
    assert "API key of phone, shown this once: ei_secret" in run.printed


def test_prometheus_is_configured_before_its_package_starts_it(run: Run) -> None:
    seen: dict[str, bool] = {}

    def look(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Completed:
        only_looks = {"--simulate", "--download-only"} & set(command)
        if "install" in command and command[0] == "apt-get" and not only_looks:
            for unit in ("prometheus", "prometheus-alertmanager"):
                drop_in = run.machine.path(f"/etc/systemd/system/{unit}.service.d/edgeinfer.conf")
                seen[unit] = "127.0.0.1" in drop_in.read_text()
        return run.commands(command, environment)

    run.machine.runner = look
    assert run() == 0
    assert seen == {"prometheus": True, "prometheus-alertmanager": True}


@needs_root
def test_a_second_run_changes_nothing_and_says_so(run: Run) -> None:
    assert run() == 0
    before = run.tree()
    run.commands.said.clear()
    assert run() == 0
    assert run.tree() == before
    assert "Nothing to do: everything is as it should be." in run.printed
    assert "ei_secret" not in run.printed
    changing = ("apt-get", "useradd", "systemctl enable", "systemctl restart", "/opt/edgeinfer/releases")
    assert [line for line in run.commands.said if line.startswith(changing)] == []


@needs_root
@pytest.mark.parametrize("removes_data", [False, True])
def test_undone_the_machine_is_as_it_was(run: Run, *, removes_data: bool) -> None:
    before = run.tree()
    assert run("--listen", "0.0.0.0") == 0  # noqa: S104
    sessions = run.machine.path("/var/lib/edgeinfer-gateway")
    sessions.mkdir()  # as systemd does for the unit
    (sessions / "segment").write_text("samples")
    run.machine.path(f"/{ETC}/console.key").write_text("by hand")
    assert run("--undo", *(["--remove-data"] if removes_data else [])) == 0
    after = run.tree()
    assert run.commands.packages == {"python3": "3.11"}
    assert run.commands.enabled == set()
    assert not {unit for unit in run.commands.active if unit.startswith("edgeinfer")}
    kept = {name for name in after if name.startswith("var/lib/edgeinfer-")}
    if removes_data:
        assert kept == set()
    else:
        assert "var/lib/edgeinfer-gateway/segment" in kept
        assert "Sessions and measurements stay in /var/lib/edgeinfer-gateway" in run.printed
        assert "edgeinfer:x:999" in run.machine.text("/etc/passwd")
        assert run("--undo", "--remove-data") == 0
        after = run.tree()
        # What apt remove leaves of a package goes with the measurements.
        assert [line for line in run.commands.said if " purge " in line and "prometheus" in line]
    # The account of Debian's package stays, as the package leaves it.
    for tree in (before, after):
        for name in ("etc/passwd", "etc/group"):
            tree.pop(name)
    assert after == before
    assert run("--undo") == 0
    assert "Nothing to undo." in run.printed


def test_undoing_says_first_what_it_does(run: Run) -> None:
    assert run() == 0
    before = run.tree()
    assert run("--undo", "--dry-run") == 0
    assert run.tree() == before
    for word in ("systemctl disable --now edgeinfer.target", f"remove /{ETC}/gateway.env", "apt-get remove", "userdel"):
        assert word in run.printed


def test_what_was_there_before_comes_back(run: Run) -> None:
    drop_in = run.machine.path("/etc/systemd/system/prometheus.service.d/edgeinfer.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("# another's\n")
    drop_in.chmod(0o640)
    assert run() == 0
    assert "127.0.0.1:9090" in drop_in.read_text()
    assert run("--undo") == 0
    assert (drop_in.read_text(), stat.S_IMODE(drop_in.stat().st_mode)) == ("# another's\n", 0o640)


def test_a_settings_file_that_was_edited_stays_and_it_is_said(run: Run) -> None:
    assert run() == 0
    settings = run.machine.path(f"/{ETC}/gateway.env")
    settings.write_text("EDGEINFER_GATEWAY_HOST=10.0.0.1\n")
    assert run("--listen", "0.0.0.0") == 0  # noqa: S104
    assert settings.read_text() == "EDGEINFER_GATEWAY_HOST=10.0.0.1\n"
    assert f"/{ETC}/gateway.env is yours and stays as you edited it." in run.printed
    assert run("--undo") == 0
    assert settings.with_name("gateway.env.edited").read_text() == "EDGEINFER_GATEWAY_HOST=10.0.0.1\n"


def test_a_receiver_that_is_edited_reaches_alertmanager_by_a_second_run(run: Run) -> None:
    assert run("--ntfy", "https://ntfy.example.org/edge") == 0
    configuration = run.machine.path(f"/{ETC}/alertmanager.yml")
    assert configuration.read_text() == ALERTMANAGER % ["https://ntfy.example.org/edge"]
    alerts = run.machine.path(f"/{ETC}/alerts.env")
    alerts.write_text("EDGEINFER_ALERT_WEBHOOK_URL=https://other.example.org/x\n")
    run.commands.said.clear()
    assert run() == 0
    assert configuration.read_text() == ALERTMANAGER % ["https://other.example.org/x"]
    restarted = [line for line in run.commands.said if line.startswith("systemctl restart")]
    assert restarted == ["systemctl restart prometheus-alertmanager"]


@pytest.mark.parametrize(("listen", "line"), [("0.0.0.0", "EDGEINFER_GATEWAY_HOST=0.0.0.0"), ("127.0.0.1", "")])  # noqa: S104
def test_a_later_run_keeps_where_the_gateway_listens(run: Run, listen: str, line: str) -> None:
    assert run("--listen", listen) == 0
    assert run() == 0
    in_force = re.findall(r"(?m)^EDGEINFER_GATEWAY_HOST=.*", run.machine.text(f"/{ETC}/gateway.env"))
    assert in_force == ([line] if line else [])
    assert ("keys and samples travel readable" in run.printed) is bool(line)


def test_at_a_terminal_it_asks_and_no_stops_it(run: Run) -> None:
    before = run.tree()
    assert run(answers=["y", "https://ntfy.example.org/x", "n"]) == 0
    assert run.tree() == before
    assert "Nothing was changed." in run.printed
    assert run(answers=["y", "https://ntfy.example.org/x", ""]) == 0
    assert "EDGEINFER_GATEWAY_HOST=0.0.0.0" in run.machine.text(f"/{ETC}/gateway.env")
    assert "NTFY_URL=https://ntfy.example.org/x" in run.machine.text(f"/{ETC}/alerts.env")


def hailort(run: Run, name: str, content: bytes) -> None:
    folder = run.machine.path("/usr/lib/python3/dist-packages/hailo_platform/pyhailort")
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("content", "python", "locks", "packages"),
    [
        (b"numpy._core", (3, 11), 0, ""),
        (b"pybind11 2.10", (3, 11), 1, ""),
        (b"pybind11 2.10", (3, 13), 1, "build-essential python3-dev"),
    ],
)
def test_numpy_is_what_the_installed_hailort_reads(
    run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes, python: tuple[int, int], locks: int, packages: str
) -> None:
    hailort(run, "_pyhailort.so", content)
    monkeypatch.setattr("sys.version_info", (*python, 0, "final", 0))
    assert run() == 0
    assert sum("requirements-hailo4.lock" in line for line in run.commands.said) == locks
    assert packages in run.printed
    assert ("numpy 1.26 is compiled" in run.printed) is bool(packages)


def test_the_chip_is_used_once_chip_library_and_model_are_there(run: Run) -> None:
    assert run() == 0
    assert "EDGEINFER_SIDECAR_BACKEND=onnx" in run.machine.text(f"/{ETC}/sidecar.env")
    assert "The sidecar computes on the CPU: missing are a Hailo chip" in run.printed
    hailort(run, "_pyhailort.so", b"numpy._core")
    chip = run.machine.path("/sys/bus/pci/devices/0001:01:00.0")
    chip.mkdir()
    (chip / "vendor").write_text("0x1e60\n")
    run.machine.path("/opt/edgeinfer/models/model.hef").write_text("model")
    assert run() == 0
    in_force = re.findall(r"(?m)^([A-Z_]+)=(.*)", run.machine.text(f"/{ETC}/sidecar.env"))
    assert dict(in_force)["EDGEINFER_SIDECAR_BACKEND"] == "hailort"
    assert "computes on the CPU" not in run.printed


def test_rules_of_an_earlier_version_go(run: Run) -> None:
    assert run() == 0
    journal = run.machine.path(f"{FOLDER}/journal.json")
    old = run.machine.path(f"/{ETC}/rules/old.yml")
    old.write_text("groups: []\n")
    journal.write_text(journal.read_text().replace('"written": {', f'"written": {{"/{ETC}/rules/old.yml": "x",'))
    assert run() == 0
    assert not old.exists()


def test_without_root_only_a_dry_run_is_possible(run: Run) -> None:
    run.machine.is_root = False
    assert run() == 1
    assert "Run it with sudo." in run.printed
    assert run("--dry-run") == 0


@pytest.mark.parametrize(("words", "fault"), [(("--listen", "pi"), "--listen pi"), (("--ntfy", "edge"), "--ntfy edge")])
def test_a_wrong_option_is_named(run: Run, words: tuple[str, ...], fault: str) -> None:
    assert run(*words) == 1
    assert fault in run.printed


def test_the_script_refuses_an_old_python_and_shows_its_help(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    script = [str(ROOT / "deploy/install.sh")]
    done = subprocess.run(
        script, env={"PYTHON": str(old), "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 78
    assert "error: Python 3.9.2: older than 3.11" in done.stderr
    shown = subprocess.run([*script, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "--dry-run" in shown.stdout
    assert list(tmp_path.iterdir()) == [old]


def test_the_lock_for_older_libraries_names_numpy_1_and_its_source() -> None:
    """Without the hash of the source, pip could not compile it where there is no wheel."""
    lock = (ROOT / "requirements-hailo4.lock").read_text()
    assert "numpy==1.26.4" in lock
    assert "2a02aba9ed12e4ac4eb3ea9421c420301a0c6460d9830d74a9df87efa4912010" in lock  # numpy-1.26.4.tar.gz


def test_the_guide_shows_the_dry_run_and_names_every_flag() -> None:
    guide = (ROOT / device_guide.PATH).read_text()
    assert device_guide.dry_run() in guide
    for flag in ("--dry-run", "--undo", "--remove-data", "--listen", "--backend"):
        assert flag in guide
