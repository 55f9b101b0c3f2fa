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


def test_a_second_run_is_refused_and_names_who_holds_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.hold(path), pytest.raises(DataFolderError) as refusal, lock.hold(path):
        pass

    assert f"is in use by process {os.getpid()}" in refusal.value.fault
    assert str(tmp_path) in refusal.value.thing


def test_the_folder_is_free_again_after_the_run(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.hold(path):
        assert lock.holder(path) == lock.Holder(os.getpid(), is_ours=True)

    assert lock.holder(path) is None
    with lock.hold(path):
        pass


def test_a_killed_run_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", _HOLD, path], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        assert lock.holder(path) == lock.Holder(other.pid, is_ours=True)
        other.kill()
        other.wait()

    assert lock.holder(path) is None
    with lock.hold(path):
        pass


def test_the_run_is_found_where_the_list_of_locks_names_another_device(tmp_path: Path) -> None:
    # As on an overlay: stat of the file says 00:1f:9, the list says the device below it.
    locks = tmp_path / "locks"
    locks.write_text(f"1: FLOCK  ADVISORY  WRITE {os.getpid()} fd:09:9 0 EOF\n")
    path = tmp_path / "lock"
    with lock.hold(path):
        assert lock.holder(path, locks) == lock.Holder(os.getpid(), is_ours=True)


def test_a_run_whose_descriptors_are_not_shown_is_found_in_the_list_of_locks(tmp_path: Path) -> None:
    path, locks, other = tmp_path / "lock", tmp_path / "locks", os.getppid()
    with lock.hold(path):
        status = path.stat()
        file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        locks.write_text(f"1: FLOCK  ADVISORY  WRITE {other} {file} 0 EOF\n")
        path.write_text(f"{other}\n")
        assert lock.holder(path, locks) == lock.Holder(other, is_ours=True)


def test_a_run_that_only_opened_the_file_does_not_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = "import sys, time; file = open(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    with lock.hold(path), subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"open\n"
        path.write_text(f"{other.pid}\n")
        assert lock.holder(path) == lock.Holder(os.getpid())
        other.kill()


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


_FOREIGN = """
import fcntl, sys, time
file = open(sys.argv[1], "r+")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists who holds a lock")
def test_a_lock_of_a_foreign_process_names_that_process_and_not_the_previous_run(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path.write_text(f"{dead.pid}\n")
    with subprocess.Popen([sys.executable, "-c", _FOREIGN, path], stdout=subprocess.PIPE) as foreign:
        assert foreign.stdout
        assert foreign.stdout.readline() == b"held\n"
        with pytest.raises(DataFolderError) as refusal, lock.hold(path):
            pass
        assert f"is in use by process {foreign.pid}" in refusal.value.fault
        assert f"kill {foreign.pid}" in refusal.value.remedy
        assert lock.holder(path) == lock.Holder(foreign.pid)
        foreign.kill()


def test_a_lock_whose_holder_cannot_be_known_says_so(tmp_path: Path) -> None:
    """As when the holder lives in another container, whose process numbers mean nothing here."""
    path = tmp_path / "lock"
    path.write_text("12\n")
    script = (
        "import fcntl, os, sys, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX)\n"
        "if os.fork(): os._exit(0)\nprint(os.getpid(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as gone:
        assert gone.stdout
        heir = int(gone.stdout.readline())
        gone.wait()
        try:
            with pytest.raises(DataFolderError) as refusal, lock.hold(path):
                pass
            assert "another process, whose number cannot be known" in refusal.value.fault
            assert "12" not in refusal.value.remedy.replace(str(path), "")
        finally:
            os.kill(heir, 9)
