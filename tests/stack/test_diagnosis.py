import os
import socket
from pathlib import Path

import pytest

from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.stack import lock
from edgeinfer.stack.binaries import Binary, Program
from edgeinfer.stack.diagnosis import look_at_binaries, look_at_folder, look_at_ports
from edgeinfer.stack.folder import prepare
from edgeinfer.stack.state_file import StackRecord, running, write

FOUND = {program: Binary(program, Path("/usr/bin") / program, "1.2.3") for program in Program}


def only(diagnostics: list[Diagnostic]) -> Diagnostic:
    (diagnostic,) = diagnostics
    return diagnostic


def test_programs_that_are_here_are_reported_with_version_and_place() -> None:
    diagnostics = look_at_binaries(FOUND, can_fetch=True)

    assert [diagnostic.subject for diagnostic in diagnostics] == ["prometheus", "promtool", "alertmanager", "amtool"]
    assert {diagnostic.verdict for diagnostic in diagnostics} == {Verdict.OK}
    assert diagnostics[0].message == "1.2.3 at /usr/bin/prometheus"


def test_what_can_be_fetched_is_no_failure_and_what_cannot_is() -> None:
    verdicts = {
        can_fetch: {diagnostic.subject: diagnostic.verdict for diagnostic in look_at_binaries({}, can_fetch=can_fetch)}
        for can_fetch in (True, False)
    }

    assert set(verdicts[True].values()) == {Verdict.NOTE}
    assert verdicts[False] == {
        "prometheus": Verdict.MISSING,
        "alertmanager": Verdict.MISSING,
        "promtool": Verdict.NOTE,
        "amtool": Verdict.NOTE,
    }
    missing = look_at_binaries({}, can_fetch=False)[0]
    assert "docker" in missing.remedy


def test_a_free_port_is_ok_and_a_taken_one_names_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        taken = only(look_at_ports([("gateway", "127.0.0.1", port)], tmp_path))
    free = only(look_at_ports([("gateway", "127.0.0.1", port)], tmp_path))

    assert (taken.verdict, taken.subject) == (Verdict.BROKEN, f"port {port}")
    assert "process" in taken.message
    assert free.verdict is Verdict.OK


def test_a_port_of_the_running_stack_is_ok(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    here = running("gateway", os.getpid())
    assert here
    with lock.hold(folder.lock), socket.create_server(("127.0.0.1", 0)) as own:
        write(folder.record, StackRecord(os.getpid(), {}, (here,)))
        diagnostic = only(look_at_ports([("gateway", "127.0.0.1", own.getsockname()[1])], tmp_path))

    assert diagnostic.verdict is Verdict.OK
    assert "running stack" in diagnostic.message


def test_an_address_that_is_not_this_machines_is_reported(tmp_path: Path) -> None:
    diagnostic = only(look_at_ports([("gateway", "192.0.2.1", 8080)], tmp_path))
    assert (diagnostic.verdict, diagnostic.remedy) == (Verdict.BROKEN, "Choose another address.")


def test_a_data_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    diagnostic = only(look_at_folder(tmp_path / "deep" / "data"))

    assert diagnostic.verdict is Verdict.OK
    assert not list(tmp_path.iterdir())


def test_a_data_folder_that_cannot_be_made_is_broken() -> None:
    diagnostic = only(look_at_folder(Path("/proc/self/status/data")))
    assert diagnostic.verdict is Verdict.BROKEN


def test_a_full_disk_is_broken(tmp_path: Path) -> None:
    folder, disk = look_at_folder(tmp_path, free=lambda _: 1_000_000)

    assert folder.verdict is Verdict.OK
    assert disk.verdict is Verdict.BROKEN
    assert "1 MB left" in disk.message


@pytest.mark.parametrize("held", [True, False])
def test_the_run_that_uses_a_data_folder_is_named(*, held: bool, tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    (folder.prometheus / "block").write_bytes(bytes(3_000_000))
    if held:
        with lock.hold(folder.lock):
            found, disk = look_at_folder(tmp_path, free=lambda _: 10**12)
    else:
        found, disk = look_at_folder(tmp_path, free=lambda _: 10**12)

    assert (f"in use by process {os.getpid()}" in found.message) is held
    assert "3 MB" in found.message
    assert "1000.0 GB free" in disk.message


def test_a_port_of_a_service_that_another_runs_is_not_broken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        words = {port: "the gateway that systemd runs answers there"}
        diagnostic = only(look_at_ports([("gateway", "127.0.0.1", port)], tmp_path, words))

    assert (diagnostic.verdict, diagnostic.message) == (Verdict.OK, words[port])
