"""One run at a time on a data folder: two Prometheus on one folder would both write, and Debian's has no lock."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from edgeinfer.errors import DataFolderError

# The kernel's list of locks: number, kind, mode, access, process, device:inode, first and last byte.
_LOCKS = Path("/proc/locks")
_LOCK_WORDS = 8


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock.

    Args:
        pid: its process, or None where this machine does not say.
        is_ours: whether that process wrote its number into the file, as a run of ours does.
    """

    pid: int | None
    is_ours: bool = False

    def __str__(self) -> str:
        if self.pid is None:
            return "another process, whose number cannot be known"
        try:
            return f"process {self.pid} ({psutil.Process(self.pid).name()})"
        except psutil.Error:
            return f"process {self.pid}"


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock file until the block ends, or this process does.

    The file stays: removing it would let two runs lock two files of one name.

    Raises:
        DataFolderError: another process holds it; the message names it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as failure:
        raise _error(
            path, f"cannot be locked ({failure.strerror})", "Name another folder with --data-folder."
        ) from failure
    try:
        _lock(descriptor, path)
        with contextlib.suppress(OSError):  # on a full disk; the lock holds without the number in it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(path: Path, locks: Path = _LOCKS) -> Holder | None:
    """Who holds the lock, or None; the lock is not taken.

    Args:
        path: of the lock file.
        locks: the kernel's list of locks.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(descriptor, locks)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as failure:
        found = _holder(descriptor)
        remedy = (
            f"End it (kill {found.pid}), or name another folder with --data-folder."
            if found.pid
            else f"'sudo fuser -v {path}' may name it. End it, or name another folder with --data-folder."
        )
        raise _error(path, f"is in use by {found}", remedy) from failure
    except OSError as failure:
        remedy = "Name a folder on a local disk with --data-folder."
        raise _error(path, f"cannot be locked ({failure.strerror})", remedy) from failure


def _holder(descriptor: int, locks: Path = _LOCKS) -> Holder:
    """The kernel knows who locked it; the number in the file is that of the last run, which may be long gone."""
    written, status = _written_pid(descriptor), os.fstat(descriptor)
    if written and _has_locked(written, status):
        return Holder(written, is_ours=True)
    locking = _locking_pids(status, locks)
    if locking is None:  # not Linux: the number is all there is
        return Holder(written, is_ours=True) if written and psutil.pid_exists(written) else Holder(None)
    if written in locking:  # another user's, whose descriptors are not shown
        return Holder(written, is_ours=True)
    living = [pid for pid in locking if psutil.pid_exists(pid)]
    return Holder(living[0] if living else None)


def _has_locked(pid: int, status: os.stat_result) -> bool:
    """Whether this process holds a flock on this file, by its own descriptors.

    The kernel's list names another device than `stat` does where the folder is an overlay, as in a container or with
    the read-only system of Raspberry Pi OS, or on btrfs.
    """
    process = Path(f"/proc/{pid}")
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:  # of another user, just ended, or not Linux
        return False
    return any(_is_locked(descriptor, process / "fdinfo", status) for descriptor in descriptors)


def _is_locked(descriptor: Path, descriptions: Path, status: os.stat_result) -> bool:
    with contextlib.suppress(OSError):  # closed meanwhile
        is_same = os.path.samestat(descriptor.stat(), status)
        return is_same and "FLOCK" in (descriptions / descriptor.name).read_text("ascii")
    return False


def _locking_pids(status: os.stat_result, locks: Path) -> list[int] | None:
    """Processes that hold a flock on this file; None where the kernel does not list them."""
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        lines = locks.read_text("ascii").splitlines()
    except OSError:
        return None
    words = [line.split() for line in lines]
    return [
        int(one[4])
        for one in words
        if len(one) == _LOCK_WORDS and one[1] == "FLOCK" and one[5] == file and one[4].isdigit() and int(one[4]) > 0
    ]


def _written_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None


def _error(path: Path, fault: str, remedy: str) -> DataFolderError:
    return DataFolderError(f"data folder {path.parent}", fault, remedy)
