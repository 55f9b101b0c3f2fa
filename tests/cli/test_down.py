"""Ending a run from another terminal, by the lock that it holds."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from click.testing import CliRunner, Result

from edgeinfer.cli.down import create
from edgeinfer.errors import StackError
from edgeinfer.stack.folder import DataFolder

_HOLDER = """
import signal, sys, time
from pathlib import Path
from edgeinfer.stack import lock
signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[2] == "deaf" else signal.SIG_DFL)
with lock.hold(Path(sys.argv[1])):
    if sys.argv[2] == "slow":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    print("held", flush=True)
    try:
        sys.stdin.read()
    except SystemExit:
        pass
time.sleep(1)
"""


@contextmanager
def run_on(folder: Path, manner: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds a data folder, as `edgeinfer up` does."""
    command = [sys.executable, "-c", _HOLDER, str(DataFolder(folder).lock), manner]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def down(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(create(), ["--data-folder", str(folder), *options])


def test_a_run_is_ended_and_waited_for(tmp_path: Path) -> None:
    with run_on(tmp_path, "obedient") as process:
        result = down(tmp_path)
        assert result.exit_code == 0
        assert f"the measurements stay in {tmp_path}" in result.output
        assert process.wait(10) != 0


def test_a_run_has_ended_when_it_is_said_although_it_frees_the_folder_before(tmp_path: Path) -> None:
    with run_on(tmp_path, "slow") as process:
        assert down(tmp_path).exit_code == 0
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE


def test_where_nothing_runs_nothing_is_ended(tmp_path: Path) -> None:
    result = down(tmp_path)
    assert result.exit_code == 0
    assert result.output == f"Nothing runs on {tmp_path}.\n"


def test_a_run_that_does_not_end_is_reported(tmp_path: Path) -> None:
    with run_on(tmp_path, "deaf") as process:
        result = down(tmp_path, "--wait", "0.2")
        assert isinstance(result.exception, StackError)
        assert f"process {process.pid}: still runs after 0.2 s" in str(result.exception)


def test_a_process_that_is_no_run_of_ours_is_named_and_not_ended(tmp_path: Path) -> None:
    lock = DataFolder(tmp_path).lock
    lock.write_text("1\n")
    program = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", program, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as foreign:
        assert foreign.stdout is not None
        assert foreign.stdout.readline() == "held\n"
        result = down(tmp_path)
        assert isinstance(result.exception, StackError)
        assert f"process {foreign.pid}" in str(result.exception)
        assert foreign.poll() is None
        foreign.communicate("\n")
