"""The few file operations that the store needs, behind a seam: tests put a disk there that loses power."""

import fcntl
import os
from pathlib import Path
from typing import Protocol


class AppendFile(Protocol):
    """A file that is only appended to."""

    @property
    def size(self) -> int:
        """Bytes that it holds, synced or not."""

    def append(self, data: bytes) -> None:
        """Write all of it at the end; raises OSError, and may have written a part."""

    def truncate(self, size: int) -> None:
        """Cut it to a size."""

    def sync(self) -> None:
        """Return once everything written is on the disk."""

    def is_in_place(self) -> bool:
        """Whether its name in the folder still leads to this file."""

    def close(self) -> None:
        """Close it; safe to call twice."""


class Files(Protocol):
    """One folder of files; every method may raise OSError."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""

    def open(self) -> None:
        """Make the folder if it is not there, and lock it.

        Raises:
            BlockingIOError: another process holds the lock.
        """

    def close(self) -> None:
        """Release the lock; safe to call twice."""

    def sizes(self) -> dict[str, int]:
        """Bytes of each file by name."""

    def read(self, name: str) -> bytes:
        """A whole file."""

    def append_to(self, name: str) -> AppendFile:
        """Open a file for appending; it is made if it is not there."""

    def rename(self, name: str, new_name: str) -> None:
        """Give a file another name, in place of whatever has that name."""

    def remove(self, name: str) -> None:
        """Remove a file; a missing one is not an error."""

    def sync_names(self) -> None:
        """Return once every name that was made, changed or removed is so on the disk."""

    def set_aside(self, names: list[str], folder_name: str, report: str) -> None:
        """Give files a second name in the folder `damaged/<folder_name>`, with a text that says what happened.

        The caller replaces or removes the first name then: a power cut in between loses nothing.
        """

    def count_set_aside(self) -> int:
        """Folders in `damaged`."""


class _DiskFile:
    """An AppendFile on a real disk."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        status = os.fstat(self._descriptor)
        self._identity = (status.st_dev, status.st_ino)
        self._size = status.st_size

    @property
    def size(self) -> int:
        return self._size

    def append(self, data: bytes) -> None:
        # A disk that runs full takes a part of the bytes first, and fails the next call.
        rest = memoryview(data)
        while rest:
            written = os.write(self._descriptor, rest)
            self._size += written
            rest = rest[written:]

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)
        self._size = size

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def is_in_place(self) -> bool:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - runs before each commit; Path.stat takes twice the time
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class DiskFiles:
    """A Files on a real disk: folders of mode 0700 and files of 0600 from their first moment.

    Args:
        folder: the data folder; damaged files go to `damaged` in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = -1

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return str(self.folder)

    def open(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The folder itself is locked: a lock file could be deleted, and then be locked twice.
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        self._lock = descriptor

    def close(self) -> None:
        descriptor, self._lock = self._lock, -1
        if descriptor >= 0:
            os.close(descriptor)

    def sizes(self) -> dict[str, int]:
        """Bytes of each file by name."""
        return {entry.name: entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file()}

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def append_to(self, name: str) -> AppendFile:
        return _DiskFile(self.folder / name)

    def rename(self, name: str, new_name: str) -> None:
        (self.folder / name).replace(self.folder / new_name)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def sync_names(self) -> None:
        _sync_folder(self.folder)

    def set_aside(self, names: list[str], folder_name: str, report: str) -> None:
        """Link files into `damaged/<folder_name>`."""
        damaged = self.folder / "damaged"
        damaged.mkdir(mode=0o700, exist_ok=True)
        target = damaged / folder_name
        target.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(target / "report.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, report.encode())
        finally:
            os.close(descriptor)
        for name in names:
            try:
                os.link(self.folder / name, target / name)
            except PermissionError:  # a file system without links, such as FAT
                (self.folder / name).replace(target / name)
        _sync_folder(target)
        _sync_folder(damaged)
        _sync_folder(self.folder)

    def count_set_aside(self) -> int:
        """Folders in `damaged`."""
        try:
            return sum(entry.is_dir() for entry in os.scandir(self.folder / "damaged"))
        except FileNotFoundError:
            return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
