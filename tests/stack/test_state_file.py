import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgeinfer.stack import state_file
from edgeinfer.stack.state_file import Running

_IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"


def started(
    program: str = "print('ready', flush=True); import time; time.sleep(60)", mark: str = ""
) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **({state_file.MARK: mark} if mark else {})}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment)
    assert process.stdout
    process.stdout.readline()
    return process


def write(folder: Path, *processes: Running | None) -> None:
    living = tuple(one for one in processes if one)
    state_file.write(folder / "stack.json", state_file.StackRecord(os.getpid(), {}, living))


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    here = state_file.running("gateway", os.getpid())
    assert here
    state_file.write(
        tmp_path / "stack.json", state_file.StackRecord(os.getpid(), {"gateway": "http://127.0.0.1:8080"}, (here,))
    )

    read = state_file.read(tmp_path / "stack.json")

    assert read
    assert (read.pid, read.processes, read.addresses) == (
        os.getpid(),
        (here,),
        {"gateway": "http://127.0.0.1:8080"},
    )
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "one"}'])
def test_a_record_that_cannot_be_read_is_none(content: str, tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    assert state_file.read(path) is None
    path.write_text(content)
    assert state_file.read(path) is None


async def test_what_a_killed_run_left_is_ended(tmp_path: Path) -> None:
    with started() as left, started(_IGNORES_TERM) as stubborn:
        both = [state_file.running("gateway", left.pid), state_file.running("console", stubborn.pid)]
        write(tmp_path, *both)

        ended, still = await state_file.end_leftovers(tmp_path / "stack.json", grace_seconds=0.5)

        assert [one.name for one in ended] == ["gateway", "console"]
        assert still == []
        assert left.wait(10) == -signal.SIGTERM
        assert stubborn.wait(10) == -signal.SIGKILL


async def test_a_process_that_only_has_the_number_of_a_former_one_is_left_alone(tmp_path: Path) -> None:
    with started() as stranger:
        write(tmp_path, Running("gateway", stranger.pid, started_at=1.0))

        assert await state_file.end_leftovers(tmp_path / "stack.json") == ([], [])
        assert stranger.poll() is None
        stranger.kill()


async def test_nothing_is_left_of_a_run_that_never_was(tmp_path: Path) -> None:
    assert await state_file.end_leftovers(tmp_path / "stack.json") == ([], [])


async def test_a_suspended_process_of_a_killed_run_is_gone_before_the_next_one_starts(tmp_path: Path) -> None:
    with started() as suspended:
        suspended.send_signal(signal.SIGSTOP)
        here = state_file.running("gateway", suspended.pid)
        assert here
        write(tmp_path, here)

        ended, still = await state_file.end_leftovers(tmp_path / "stack.json", grace_seconds=5)

        assert ([one.name for one in ended], still) == (["gateway"], [])
        assert suspended.wait(10) == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of a process")
async def test_without_a_record_a_killed_runs_processes_are_found_by_their_mark(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_bytes(bytes(100))
    with started(mark=str(tmp_path)) as ours, started(mark=str(tmp_path / "other")) as other:
        ended, _ = await state_file.end_leftovers(tmp_path / "stack.json", grace_seconds=5)

        assert [one.pid for one in ended] == [ours.pid]
        assert ours.wait(10) == -signal.SIGTERM
        assert other.poll() is None
        other.kill()


def test_a_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"pid": 1, "addresses": {}, "processes": []}')
    assert state_file.read(tmp_path / "stack.json") == state_file.StackRecord(1, {}, ())
