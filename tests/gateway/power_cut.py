"""A disk that can lose its power: what was not synced may be there, in part, or not at all.

Unkinder than ext4 with its ordered journal, which is the point: of the writes since the last sync of a file any
subset of 512-byte sectors reaches the disk (SD cards and disks promise no more than a sector), in any order, the
length of a file may reach it without its content, which then reads as zeros (delayed allocation), and of the names
that were made, changed or removed since the last sync of the folder any subset is there (POSIX promises nothing for a
name before the fsync of its directory).
"""

import errno
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock

from edgeinfer.gateway.store.files import AppendFile

_SECTOR = 512


@dataclass
class Inode:
    """A file: its content as programs see it, and as the disk has it."""

    now: bytearray = field(default_factory=bytearray)
    on_disk: bytes = b""

    def after_cut(self, chance: random.Random) -> bytes:
        """What the disk holds when the power is back."""
        if bytes(self.now) == self.on_disk:
            return self.on_disk
        size = chance.choice([len(self.now), len(self.on_disk), chance.randint(0, max(len(self.now), 1))])
        size = max(size, min(len(self.on_disk), len(self.now)))
        image = bytearray(self.on_disk[:size].ljust(size, b"\0"))
        share = chance.choice([0.0, 0.5, 0.9, 1.0])
        for first in range(0, size, _SECTOR):
            end = min(first + _SECTOR, size)
            if bytes(self.now[first:end]) != bytes(image[first:end]) and chance.random() < share:
                image[first : first + len(self.now[first:end])] = self.now[first:end]
        return bytes(image)


@dataclass
class Disk:
    """The files of one folder and of its `damaged` folder."""

    names: dict[str, Inode] = field(default_factory=dict)
    names_on_disk: dict[str, Inode] = field(default_factory=dict)
    damaged: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def after_cut(self, chance: random.Random) -> "Disk":
        """The disk as the next start finds it."""
        names = dict(self.names_on_disk)
        for name in {*self.names, *self.names_on_disk}:
            if self.names.get(name) is not self.names_on_disk.get(name) and chance.random() < 0.5:
                if name in self.names:
                    names[name] = self.names[name]
                else:
                    names.pop(name, None)
        return _disk_of(names, {id(inode): inode.after_cut(chance) for inode in names.values()})

    def synced_alone(self) -> "Disk":
        """The disk after a cut that kept nothing but what was synced."""
        names = self.names_on_disk
        return _disk_of(names, {id(inode): inode.on_disk for inode in names.values()})

    def synced_without_the_removed(self) -> "Disk":
        """The disk after a cut that kept what was synced, and every removal: the removals reached it first."""
        return _disk_of(self.names, {id(inode): inode.on_disk for inode in self.names.values()})


def _disk_of(names: dict[str, Inode], images: dict[int, bytes]) -> Disk:
    fresh = {key: Inode(bytearray(image), image) for key, image in images.items()}
    disk = Disk({name: fresh[id(inode)] for name, inode in names.items()})
    disk.names_on_disk = dict(disk.names)
    return disk


class _File:
    def __init__(self, disk: "PowerCutFiles", name: str, inode: Inode) -> None:
        self._disk = disk
        self._name = name
        self._inode = inode

    @property
    def size(self) -> int:
        return len(self._inode.now)

    def append(self, data: bytes) -> None:
        with self._disk.stepping(f"append {self._name}"):
            if len(data) > self._disk.free_bytes:
                raise OSError(errno.ENOSPC, "No space left on device")
            self._inode.now += data

    def truncate(self, size: int) -> None:
        with self._disk.stepping(f"truncate {self._name}"):
            del self._inode.now[size:]
            self._inode.now.extend(bytes(size - len(self._inode.now)))

    def sync(self) -> None:
        with self._disk.stepping(f"sync {self._name}"):
            self._inode.on_disk = bytes(self._inode.now)

    def is_in_place(self) -> bool:
        return self._disk.disk.names.get(self._name) is self._inode

    def close(self) -> None:
        """Closing syncs nothing."""


class PowerCutFiles:
    """A Files in memory.

    Args:
        disk: what is on it.
        chance: decides what a cut leaves.
        dies_at: number of the operation at which the power goes; None for never.
    """

    place = "a disk in memory"

    def __init__(self, disk: Disk, chance: random.Random, dies_at: int | None = None) -> None:
        self.disk = disk
        self.chance = chance
        self.dies_at = dies_at
        self.steps = 0
        self.image: Disk | None = None
        self.on_cut: Callable[[], None] = lambda: None
        """Called at the moment at which the power goes."""
        self.fails: dict[str, int] = {}
        """Error number by the beginning of an operation, such as "sync live"."""
        self.free_bytes = 1 << 40
        self.hangs: dict[str, Event] = {}
        """What an operation waits for, by its beginning."""
        self._lock = Lock()

    def stepping(self, operation: str) -> "_Step":
        return _Step(self, operation)

    def cut(self) -> Disk:
        """What the power leaves if it goes now."""
        with self._lock:
            return self.disk.after_cut(self.chance)

    def open(self) -> None:
        """Nobody else is there."""

    def close(self) -> None:
        """Nothing is locked."""

    def sizes(self) -> dict[str, int]:
        return {name: len(inode.now) for name, inode in self.disk.names.items()}

    def read(self, name: str) -> bytes:
        if name not in self.disk.names:
            raise FileNotFoundError(errno.ENOENT, "No such file", name)
        return bytes(self.disk.names[name].now)

    def append_to(self, name: str) -> AppendFile:
        with self.stepping(f"open {name}"):
            return _File(self, name, self.disk.names.setdefault(name, Inode()))

    def rename(self, name: str, new_name: str) -> None:
        with self.stepping(f"rename {name}"):
            self.disk.names[new_name] = self.disk.names.pop(name)

    def remove(self, name: str) -> None:
        with self.stepping(f"remove {name}"):
            self.disk.names.pop(name, None)

    def sync_names(self) -> None:
        with self.stepping("sync_names"):
            self.disk.names_on_disk = dict(self.disk.names)

    def set_aside(self, names: list[str], folder_name: str, report: str) -> None:
        with self.stepping("set_aside"):
            folder = self.disk.damaged.setdefault(folder_name, {})
            folder["report.txt"] = folder.get("report.txt", b"") + report.encode()
            folder.update({name: bytes(self.disk.names[name].now) for name in names})
            self.disk.names_on_disk = dict(self.disk.names)

    def count_set_aside(self) -> int:
        return len(self.disk.damaged)


class _Step:
    """One operation of the disk: counted, perhaps failing, perhaps the one before which the power goes."""

    def __init__(self, files: PowerCutFiles, operation: str) -> None:
        self._files = files
        self._operation = operation

    def __enter__(self) -> None:
        files = self._files
        for beginning, until in files.hangs.items():
            if self._operation.startswith(beginning):
                until.wait()
        files._lock.acquire()
        files.steps += 1
        if files.steps == files.dies_at:
            files.on_cut()
            files.image = files.disk.after_cut(random.Random(files.steps))  # noqa: S311 - what the cut leaves
        for beginning, error in files.fails.items():
            if self._operation.startswith(beginning):
                files._lock.release()
                raise OSError(error, errno.errorcode[error])

    def __exit__(self, *_: object) -> None:
        self._files._lock.release()
