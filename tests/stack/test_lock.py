import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeinfer.errors import DataFolderError
from edgeinfer.stack import lock

_HOLD = """
import sys, time
from pathlib import Path
from edgeinfer.stack import lock
with lock.hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.hold(path), pytest.raises(DataFolderError) as refusal, lock.hold(path):
        pass

    assert f"is in use by process {os.getpid()}" in refusal.value.fault
    assert str(tmp_path) in refusal.value.thing


def test_the_folder_is_free_again_after_the_run(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.hold(path):
        assert lock.holder(path) == os.getpid()

    assert lock.holder(path) is None
    with lock.hold(path):
        pass


def test_a_killed_run_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", _HOLD, path], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        assert lock.holder(path) == other.pid
        other.kill()
        other.wait()

    assert lock.holder(path) is None
    with lock.hold(path):
        pass


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.hold(path):
        program = "import time; print('runs', flush=True); time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", program], close_fds=False, stdout=subprocess.PIPE)
    try:
        assert child.stdout
        assert child.stdout.readline() == b"runs\n"
        assert lock.holder(path) is None
    finally:
        child.kill()
        child.communicate()


def test_nobody_holds_a_lock_that_was_never_taken(tmp_path: Path) -> None:
    assert lock.holder(tmp_path / "lock") is None


def test_a_folder_that_cannot_hold_a_lock_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="cannot be locked"), lock.hold(tmp_path / "missing" / "lock"):
        pass
