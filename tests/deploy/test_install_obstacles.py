"""What is in the way of the set-up of a device: each is named, with the remedy, before anything is changed."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.deploy.made_up_debian import Run
from tools.device_setup.dead_ends import _MAX_PYTHON
from tools.device_setup.machine import Completed
from tools.wheel_check import PYTHONS

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


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
    run.commands.fails = {"apt-get": "E: Temporary failure resolving 'mirror.example'"}
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
