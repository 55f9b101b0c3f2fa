"""The set-up of a device on machines that are made up: what it does, says, repeats, undoes and refuses.

The commands are a fake: `make machine-proof` runs the real ones in a Debian that boots.
"""

import os
import re
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tools import device_guide
from tools.device_setup.__main__ import main
from tools.device_setup.dead_ends import _MAX_PYTHON
from tools.device_setup.journal import FOLDER
from tools.device_setup.machine import Completed, Machine
from tools.wheel_check import PYTHONS

ROOT = Path(__file__).parents[2]
ETC = "etc/edgeinfer"
ALERTMANAGER = "route: {}  # for %s\n"


@dataclass
class Commands:
    """The commands of a Debian, as far as the set-up can see them.

    apt, dpkg, useradd, systemctl and pip do what their manual pages say of these calls: a package that is not installed
    has no line, a unit that is not there is "inactive" with exit code 3 (seen on Debian 12 and 13).
    """

    root: Path
    packages: dict[str, str] = field(default_factory=dict)
    fails: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    active: set[str] = field(default_factory=set)
    enabled: set[str] = field(default_factory=set)
    edited: bool = False

    def __call__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Completed:
        words = [word.removeprefix(str(self.root)) for word in command]
        line = " ".join(words)
        self.said.append(line)
        for part, message in self.fails.items():
            if part in line:
                return Completed(100, "", message)
        program = Path(words[0]).name.replace("-", "_")
        answer = getattr(self, f"_{program}", None)
        return answer(words, environment or {}) if answer else Completed(0)

    def _dpkg_query(self, words: list[str], _: Mapping[str, str]) -> Completed:
        if "${Conffiles}\n" in words:
            return Completed(0, " /etc/prometheus/prometheus.yml 11\n" if "prometheus" in self.packages else "")
        return Completed(0, "".join(f"ii  {name} {version}\n" for name, version in self.packages.items()))

    def _md5sum(self, words: list[str], _: Mapping[str, str]) -> Completed:
        return Completed(0, f"{'22' if self.edited else '11'}  {words[1]}\n")

    def _apt_get(self, words: list[str], _: Mapping[str, str]) -> Completed:
        if "autoremove" in words:
            return Completed(0, "".join(f"Remv {name} [1]\n" for name in self.packages if name != "python3"))
        if "--download-only" in words:
            return Completed(0)
        names = words[words.index("--no-install-recommends") + 1 :] if "--no-install-recommends" in words else []
        if "--simulate" in words:
            return Completed(0, "".join(f"Inst {name} (1 Debian)\n" for name in [*names, "libjs-jquery"]))
        self.packages |= dict.fromkeys(names, "1")
        if "prometheus" in names:
            self._account("prometheus", 105)
            self.active |= {"prometheus", "prometheus-alertmanager"}
        if {"remove", "purge"} & set(words):
            for name in words[words.index("remove" if "remove" in words else "purge") + 1 :]:
                self.packages.pop(name, None)
        return Completed(0)

    def _useradd(self, words: list[str], _: Mapping[str, str]) -> Completed:
        self._account(words[-1], 999)
        return Completed(0)

    def _account(self, name: str, number: int) -> None:
        for database, line in (
            ("passwd", f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n"),
            ("group", f"{name}:x:{number}:\n"),
        ):
            with (self.root / "etc" / database).open("a") as file:
                file.write(line)

    def _userdel(self, words: list[str], _: Mapping[str, str]) -> Completed:
        for database in ("passwd", "group"):
            path = self.root / "etc" / database
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join(line for line in lines if not line.startswith(f"{words[1]}:")))
        return Completed(0)

    def _python3(self, words: list[str], _: Mapping[str, str]) -> Completed:
        (self.root / words[-1].lstrip("/") / "bin").mkdir(parents=True)
        return Completed(0)

    def _edgeinfer(self, words: list[str], environment: Mapping[str, str]) -> Completed:
        if words[1:3] == ["config", "alertmanager"]:
            return Completed(0, ALERTMANAGER % sorted(environment.values()))
        if words[1:3] == ["key", "new"]:
            (self.root / words[-1].lstrip("/")).write_text(f"{words[3]} sha256:00\n")
            return Completed(0, "ei_secret\n")
        return Completed(0, "[]")

    def _systemctl(self, words: list[str], _: Mapping[str, str]) -> Completed:
        verb, unit = words[1], words[-1]
        if verb == "is-active":
            return Completed(0, "active\n") if unit in self.active else Completed(3, "inactive\n")
        if verb == "is-enabled":
            return Completed(0, "enabled\n") if unit in self.enabled else Completed(1, "disabled\n")
        if verb == "enable":
            self.enabled.add(unit)
        if verb == "disable":
            self.enabled.discard(unit)
        if verb == "restart":
            self.active.add(unit)
        if verb == "stop":
            self.active.discard(unit)
        return Completed(0)


@dataclass
class Run:
    """One machine, and what was printed on it."""

    machine: Machine
    commands: Commands
    printed: str = ""

    def __call__(self, *arguments: str, answers: Sequence[str] | None = None) -> int:
        lines: list[str] = []
        left = list(answers or [])
        ask = None if answers is None else lambda _: left.pop(0)
        code = main(arguments, self.machine, say=lines.append, ask=ask)
        self.printed = "\n".join(lines)
        return code

    def tree(self) -> dict[str, str]:
        """Every file, folder and link with what shows whether it changed."""
        found = {}
        for path in sorted(self.machine.root.rglob("*")):
            status = path.lstat()
            content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
            found[str(path.relative_to(self.machine.root))] = (
                f"{stat.S_IMODE(status.st_mode):o} {status.st_uid} {content}"
            )
        return found


@pytest.fixture(autouse=True)
def disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is synced after each of forty files takes a real disk most of the time."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    for folder in ("etc", "usr/bin", "usr/local/bin", "run/systemd/system", "var/lib", "opt", "sys/bus/pci/devices"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text(
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\n'
    )
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "usr/bin/apt-get").touch()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).write_text("root:x:0:0::/root:/bin/bash\n")
    commands = Commands(tmp_path, {"python3": "3.11"})
    return Run(Machine(tmp_path, commands, is_root=os.geteuid() == 0), commands)


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


@pytest.mark.parametrize(
    ("fails", "message", "words"),
    [
        ("--download-only", "E: Failed to fetch", "See what apt says of its sources"),
        ("-m pip", "ERROR: no matching distribution", "Most often the package index cannot be reached"),
        ("useradd", "useradd: cannot lock /etc/passwd", "See /etc/passwd and /etc/group"),
        ("config alertmanager", "error: EMAIL_TO: no sender", "Set it right in /etc/edgeinfer/alerts.env"),
    ],
)
def test_a_failed_step_ends_with_what_failed_and_the_remedy_and_the_next_run_continues(
    run: Run, fails: str, message: str, words: str
) -> None:
    run.commands.fails = {fails: message}
    assert run() == 1
    assert message in run.printed
    assert words in run.printed
    assert run.commands.enabled == set()
    run.commands.fails = {}
    assert run() == 0
    assert run.commands.enabled == {"edgeinfer.target"}


def test_packages_that_cannot_be_fetched_are_said_before_anything_is_changed(run: Run) -> None:
    before = run.tree()
    run.commands.fails = {"apt-get": "E: Temporary failure resolving 'deb.debian.org'"}
    assert run() == 1
    assert run.tree() == before
    assert "Temporary failure resolving" in run.printed
    assert run.printed.endswith("Nothing was changed.")


def test_a_package_list_that_cannot_be_fetched_is_said_and_the_packages_are_tried(run: Run) -> None:
    run.commands.fails = {"Error-Mode=any update": "E: The repository 'https://example.org stable' is not signed."}
    assert run() == 0
    assert "warning: apt-get update could not fetch every package list" in run.printed
    assert "is not signed" in run.printed


def test_a_failed_update_leaves_the_release_that_runs(run: Run, tmp_path: Path) -> None:
    assert run() == 0
    link = run.machine.path("/opt/edgeinfer/venv")
    before = link.readlink()
    lock = tmp_path / "usr/lib/python3/dist-packages/hailo_platform/pyhailort"
    lock.mkdir(parents=True)
    (lock / "_pyhailort.so").write_bytes(b"pybind11 2.10")
    run.commands.fails = {"requirements-hailo4.lock": "no network"}
    assert run() == 1
    assert link.readlink() == before
    assert [path.name for path in link.parent.joinpath("releases").iterdir()] == [before.name]


def test_services_that_do_not_start_are_named_with_where_they_say_why(run: Run) -> None:
    def refuses(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Completed:
        if list(command) == ["systemctl", "restart", "edgeinfer-sidecar"]:
            return Completed(1)
        return run.commands(command, environment)

    run.machine.runner = refuses
    assert run() == 1
    assert "journalctl -u edgeinfer-sidecar -n 20" in run.printed
    assert "edgeinfer-gateway" in run.commands.active


def hailort(run: Run, name: str, content: bytes) -> None:
    folder = run.machine.path("/usr/lib/python3/dist-packages/hailo_platform/pyhailort")
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)


def test_dead_ends_are_said_before_anything_is_changed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    hailort(run, "_pyhailort.cpython-39-aarch64-linux-gnu.so", b"")
    run.commands.packages |= {"hailo-all": "4", "hailo-h10-all": "5", "prometheus": "2"}
    run.commands.edited = True
    (run.machine.root / "proc/net").mkdir(parents=True)
    (run.machine.root / "proc/net/tcp").write_text("header\n 0: 0100007F:1F90 00000000:0000 0A x\n")
    (run.machine.root / "usr/bin/apt-get").unlink()
    (run.machine.root / "opt/edgeinfer/venv").mkdir(parents=True)
    before = run.tree()
    assert run() == 78
    assert run.tree() == before
    for words in (
        "has no apt-get", "is built for Python 3.9", "4.x and 5.x are installed", "--take-over-prometheus",
        "port 8080: is taken", "is a folder of an older set-up", "Nothing was changed.",
    ):  # fmt: skip
        assert words in run.printed
    assert run.printed.count("hint: ") == 6


def test_a_prometheus_that_was_configured_by_hand_is_taken_over_only_when_asked(run: Run) -> None:
    run.commands.packages["prometheus"] = "2.42"
    run.commands._account("prometheus", 105)
    run.commands.edited = True
    assert run() == 78
    assert run("--take-over-prometheus") == 0
    assert run() == 0
    assert "Nothing to do" in run.printed


def taken(run: Run, port: int) -> None:
    folder = run.machine.root / "proc/net"
    folder.mkdir(parents=True)
    (folder / "tcp").write_text(f"header\n 0: 0100007F:{port:04X} 00000000:0000 0A x\n")


def test_a_program_on_a_port_is_named(run: Run) -> None:
    def shows(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Completed:
        if command[0] == "ss":
            return Completed(0, 'LISTEN 0 511 127.0.0.1:8080 0.0.0.0:* users:(("nginx",pid=71,fd=6),("nginx",pid=70))')
        return run.commands(command, environment)

    taken(run, 8080)
    run.machine.runner = shows
    assert run("--dry-run") == 78
    assert "port 8080: is taken by nginx (process 70), nginx (process 71), and edgeinfer-gateway" in run.printed


def test_the_ports_of_services_that_run_already_are_not_in_the_way(run: Run) -> None:
    assert run() == 0
    taken(run, 8080)
    assert run() == 0


@pytest.mark.parametrize(
    ("passwd", "group", "words"),
    [
        ("edgeinfer:x:1001:1001::/home/edgeinfer:/bin/bash\n", "edgeinfer:x:1001:\n", "is a person's, who can log in"),
        ("edgeinfer:x:998:100::/:/usr/sbin/nologin\n", "", "is here without a group edgeinfer"),
        ("", "edgeinfer:x:998:\n", "is here without an account edgeinfer"),
    ],
)
def test_an_account_of_our_name_that_was_not_made_for_services_is_a_dead_end(
    run: Run, passwd: str, group: str, words: str
) -> None:
    for name, line in (("passwd", passwd), ("group", group)):
        with (run.machine.root / "etc" / name).open("a") as file:
            file.write(line)
    before = run.tree()
    assert run() == 78
    assert words in run.printed
    assert run.tree() == before


def test_an_account_that_was_made_for_the_services_is_used_and_stays(run: Run) -> None:
    run.commands._account("edgeinfer", 997)
    assert run() == 0
    assert run("--undo", "--remove-data") == 0
    assert "edgeinfer:x:997" in run.machine.text("/etc/passwd")


@needs_root
def test_a_folder_of_another_user_in_the_place_of_ours_is_a_dead_end(run: Run) -> None:
    place = run.machine.path("/opt/edgeinfer")
    place.mkdir()
    os.chown(place, 4711, 4711)
    run.machine.path("/usr/local/bin/edgeinfer").write_text("#!/usr/bin/python3\n")
    assert run() == 78
    assert "error: /opt/edgeinfer: belongs to 4711, who could change what runs" in run.printed
    assert "error: /usr/local/bin/edgeinfer: is a program of another set-up" in run.printed


def test_a_unit_and_a_drop_in_of_an_own_prometheus_are_named(run: Run) -> None:
    unit = run.machine.path("/etc/systemd/system/prometheus.service")
    unit.write_text("[Service]\n")
    drop_in = run.machine.path("/etc/systemd/system/prometheus-alertmanager.service.d/override.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\n")
    assert run() == 78
    assert "prometheus.service: is a unit of your own" in run.printed
    assert "prometheus-alertmanager.service.d/override.conf: was edited" in run.printed
    unit.unlink()
    assert run("--take-over-prometheus") == 0


@pytest.mark.parametrize(
    ("python", "content", "words"),
    [
        ((3, 15), None, "Python 3.15: is newer than 3.14"),
        ((3, 14), b"pybind11 2.10", "numpy 1 was not seen to compile for Python 3.14"),
    ],
)
def test_a_python_without_packages_is_a_dead_end(
    run: Run, monkeypatch: pytest.MonkeyPatch, python: tuple[int, int], content: bytes | None, words: str
) -> None:
    if content:
        hailort(run, "_pyhailort.so", content)
    monkeypatch.setattr("sys.version_info", (*python, 0, "final", 0))
    before = run.tree()
    assert run() == 78
    assert words in run.printed
    assert run.tree() == before


@pytest.mark.parametrize("content", [None, b"numpy._core"])
def test_python_3_14_without_an_old_hailort_is_set_up(
    run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content:
        hailort(run, "_pyhailort.so", content)
    monkeypatch.setattr("sys.version_info", (3, 14, 0, "final", 0))
    assert run() == 0
    assert "build-essential" not in run.printed


def test_the_newest_python_is_the_newest_that_the_locks_are_checked_for() -> None:
    assert max(tuple(map(int, python.split("."))) for python in PYTHONS) == _MAX_PYTHON


@pytest.mark.parametrize(
    ("content", "python", "locks", "packages"),
    [
        (b"numpy._core", "", 0, ""),
        (b"pybind11 2.10", "", 1, ""),
        (b"pybind11 2.10", "3.13", 1, "build-essential python3-dev"),
    ],
)
def test_numpy_is_what_the_installed_hailort_reads(
    run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes, python: str, locks: int, packages: str
) -> None:
    hailort(run, "_pyhailort.so", content)
    if python:
        monkeypatch.setattr("sys.version_info", (3, 13, 0, "final", 0))
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
