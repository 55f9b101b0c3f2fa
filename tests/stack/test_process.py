"""Real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from edgeinfer.stack.plan import ProcessSpec, Stage
from edgeinfer.stack.process import Child, spawn
from tests.stack.conftest import MakePlan

_PARENT = """
import sys, time
from pathlib import Path
from edgeinfer.stack.process import spawn
from edgeinfer.stack.plan import ProcessSpec, Stage
plan = ProcessSpec(name="child", argv=(sys.executable, "-c", "import time; time.sleep(60)"), stage=Stage.SERVICES)
print(spawn(plan, Path(sys.argv[1])).pid, flush=True)
time.sleep(60)
"""
_WITH_GRANDCHILD = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep(60)
"""


def until(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return holds()


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def end(child: Child) -> None:
    child.kill()
    assert until(lambda: child.exit_code() is not None)


def test_what_a_child_says_is_in_its_log_after_what_was_there(tmp_path: Path, make_plan: MakePlan) -> None:
    log = tmp_path / "child.log"
    log.write_text("an earlier run\n")
    child = spawn(make_plan("child", "--exit-code", "3", "--last-output", "out of luck"), log)

    assert until(lambda: child.exit_code() == 3)
    assert log.read_text().splitlines() == ["an earlier run", f"fake service {child.pid} starts", "out of luck"]


def test_ctrl_c_in_our_terminal_does_not_reach_the_child(tmp_path: Path, make_plan: MakePlan) -> None:
    child = spawn(make_plan("child"), tmp_path / "child.log")
    try:
        assert os.getsid(child.pid) == child.pid != os.getsid(0)
    finally:
        end(child)


def test_a_child_gets_its_variables_and_the_inherited_ones(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    program = "import os; print(os.environ['COLOUR'], os.environ['SHAPE'], os.environ.get('NOTIFY_SOCKET'))"
    plan = ProcessSpec(
        name="child",
        argv=(sys.executable, "-c", program),
        stage=Stage.SERVICES,
        environment={"COLOUR": "green"},
        folder=tmp_path,
    )
    child = spawn(plan, log, {"COLOUR": "red", "SHAPE": "round", "NOTIFY_SOCKET": "/run/systemd"})

    assert until(lambda: child.exit_code() is not None)
    assert log.read_text() == "green round None\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a child at its parent's death")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT, tmp_path / "log"], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.kill()
    try:
        assert until(lambda: not lives(pid))
    finally:
        if lives(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_child_started_from_another_thread_is_refused(tmp_path: Path, make_plan: MakePlan) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            end(spawn(make_plan("child"), tmp_path / "child.log"))
        except RuntimeError as failure:
            failures.append(failure)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert [str(failure) for failure in failures] == ["processes of the stack are started from the main thread only"]


@pytest.mark.parametrize("how", ["crash", "kill"])
def test_what_a_child_started_ends_with_it(how: str, tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    argv = (sys.executable, "-c", _WITH_GRANDCHILD)
    child = spawn(ProcessSpec(name="child", argv=argv, stage=Stage.SERVICES), log)
    assert until(lambda: log.read_text().endswith("\n"))
    grandchild = int(log.read_text())

    if how == "crash":
        os.kill(child.pid, signal.SIGKILL)
    else:
        child.kill()

    assert until(lambda: child.exit_code() == -signal.SIGKILL)
    assert until(lambda: not lives(grandchild))


def test_a_suspended_child_is_known_and_still_hears_that_it_shall_end(tmp_path: Path, make_plan: MakePlan) -> None:
    child = spawn(make_plan("child"), tmp_path / "child.log")
    assert not child.is_suspended()
    os.kill(child.pid, signal.SIGSTOP)
    assert until(child.is_suspended)

    child.terminate()
    assert until(lambda: child.exit_code() is not None)


def test_a_child_starts_without_a_log_where_none_can_be_written(make_plan: MakePlan) -> None:
    child = spawn(make_plan("child", "--exit-code", "3"), Path("/proc/nowhere/child.log"))
    assert until(lambda: child.exit_code() == 3)
