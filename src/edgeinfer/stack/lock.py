"""One run at a time on a data folder: two Prometheus on one folder would both write, and Debian's has no lock."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeinfer.errors import DataFolderError


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock file until the block ends, or this process does.

    The file stays: removing it would let two runs lock two files of one name.

    Raises:
        DataFolderError: another process holds it; the message names it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as failure:
        raise _error(
            path, f"cannot be locked ({failure.strerror})", "Name another folder with --data-folder."
        ) from failure
    try:
        _lock(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """The process that holds the lock, or None; the lock is not taken."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written_pid(descriptor)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as failure:
        pid = _written_pid(descriptor)
        who = f"process {pid}" if pid else "another process"
        remedy = f"End it (kill {pid}), or name another folder with --data-folder." if pid else "End it first."
        raise _error(path, f"is in use by {who}", remedy) from failure
    except OSError as failure:
        remedy = "Name a folder on a local disk with --data-folder."
        raise _error(path, f"cannot be locked ({failure.strerror})", remedy) from failure


def _written_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None


def _error(path: Path, fault: str, remedy: str) -> DataFolderError:
    return DataFolderError(f"data folder {path.parent}", fault, remedy)
