"""The kinds of change: each says what it would do now, does it, and leaves in the journal what undoes it."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tools.device_setup.journal import Journal, digest, replace_file
from tools.device_setup.machine import Machine, SetupError

_APT = ("apt-get", "--quiet", "--yes", "-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Use-Pty=0")
_ANY_ERROR = ("-o", "APT::Update::Error-Mode=any")
_FETCH = "See what apt says of its sources and of the network, then run this again: it continues from here."


class Change(Protocol):
    """One change of the machine."""

    @property
    def units(self) -> tuple[str, ...]:
        """Services that must be restarted after it."""

    def pending(self, machine: Machine, journal: Journal) -> str:
        """What would be done now, in one line; empty where nothing is."""

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Do it.

        Raises:
            SetupError: it cannot be done.
        """


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that must be there.

    Args:
        path: of the machine.
        mode: its rights.
        units: see `Change`.
    """

    path: str
    mode: int = 0o755
    units: tuple[str, ...] = ()

    def pending(self, machine: Machine, journal: Journal) -> str:
        """Make it."""
        del journal
        return "" if machine.path(self.path).is_dir() else f"make   {self.path}/  root:root {self.mode:04o}"

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Make it."""
        missing = [self.path]
        while not machine.path(os.path.dirname(missing[-1])).is_dir():  # noqa: PTH120 - a path of the machine, not ours
            missing.append(os.path.dirname(missing[-1]))  # noqa: PTH120
        for path in reversed(missing):
            journal.record("folder", path)
            machine.path(path).mkdir()
            machine.path(path).chmod(self.mode)


@dataclass(frozen=True, slots=True)
class File:
    """A file with its content, owner and rights.

    Args:
        path: of the machine.
        content: what is in it; read when it is written, because some of it is made by what is installed before.
        mode: its rights.
        group: its group; its owner is root.
        units: see `Change`.
        is_owners: whether it is the owner's to edit: once edited, it is never written again.
        source: what to say of its origin.
    """

    path: str
    content: Callable[[Machine], bytes | None]
    mode: int = 0o644
    group: str = "root"
    units: tuple[str, ...] = ()
    is_owners: bool = False
    source: str = ""

    def is_kept(self, machine: Machine, journal: Journal) -> bool:
        """Whether the owner has edited it, so that it stays as it is."""
        there = machine.path(self.path).exists()
        return self.is_owners and there and (self.path not in journal.written or journal.is_edited(self.path))

    def pending(self, machine: Machine, journal: Journal) -> str:
        """Write it, or give it back its owner and rights."""
        place = machine.path(self.path)
        rights = f"root:{self.group} {self.mode:04o}" + (f"  from {self.source}" if self.source else "")
        if not place.is_file():
            return f"write  {self.path}  {rights}"
        if self.is_kept(machine, journal):
            return ""
        wanted = self.content(machine)
        if wanted is not None and place.read_bytes() != wanted:
            return f"change {self.path}  {rights}"
        return f"close  {self.path}  {rights}" if self._rights_differ(machine) else ""

    def _rights_differ(self, machine: Machine) -> bool:
        status = machine.path(self.path).stat()
        wanted = machine.ids("root", self.group) if machine.is_root else (status.st_uid, status.st_gid)
        return status.st_mode & 0o7777 != self.mode or (status.st_uid, status.st_gid) != wanted

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Write it in one step; what was there before it is kept for `--undo`."""
        ids = machine.ids("root", self.group) if machine.is_root else None
        if machine.is_root and ids is None:
            raise SetupError(self.path, f"there is no group {self.group}", "Run this again from the begin.")
        content = self.content(machine)
        if content is None:
            raise SetupError(self.path, "its content is not known yet", "Run this again from the begin.")
        place = machine.path(self.path)
        if place.exists() and (not journal.has("file", self.path) or journal.is_edited(self.path)):
            copy = journal.keep_before(self.path)
            journal.record("file", self.path, before=copy)
        else:
            journal.record("file", self.path, before=None)
        replace_file(place, content, self.mode, ids)
        journal.written[self.path] = digest(content)
        journal.save()


@dataclass(frozen=True, slots=True)
class Absent:
    """A file of an earlier version that nothing reads any more.

    Args:
        path: of the machine.
        units: see `Change`.
    """

    path: str
    units: tuple[str, ...] = ()

    def pending(self, machine: Machine, journal: Journal) -> str:
        """Remove it, where we wrote it."""
        return f"remove {self.path}" if self.path in journal.written and machine.path(self.path).exists() else ""

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Remove it."""
        machine.path(self.path).unlink()
        journal.written.pop(self.path)
        journal.save()


@dataclass(frozen=True, slots=True)
class Link:
    """A name on PATH for something that lies elsewhere.

    Args:
        path: of the machine.
        target: where it leads.
        units: see `Change`.
    """

    path: str
    target: str
    units: tuple[str, ...] = ()

    def pending(self, machine: Machine, journal: Journal) -> str:
        """Make it."""
        del journal
        place = machine.path(self.path)
        leads = str(place.readlink()) if place.is_symlink() else ""
        return "" if leads == self.target else f"link   {self.path} -> {self.target}"

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Make it in one step."""
        place = machine.path(self.path)
        if place.exists() and not place.is_symlink():
            raise SetupError(self.path, "is in the way", f"Move it away: sudo mv {self.path} {self.path}.before")
        journal.record("link", self.path, before=str(place.readlink()) if place.is_symlink() else None)
        unfinished = place.with_name(f".{place.name}.new")
        unfinished.unlink(missing_ok=True)
        unfinished.symlink_to(self.target)
        unfinished.replace(place)


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages of the distribution, without what they merely recommend.

    Args:
        names: what is needed.
        installed: what is there.
        units: see `Change`.
    """

    names: Sequence[str]
    installed: Callable[[Machine], set[str]]
    units: tuple[str, ...] = ()

    def pending(self, machine: Machine, journal: Journal) -> str:
        """Install what is missing."""
        del journal
        missing = self._missing(machine)
        return f"apt-get install --no-install-recommends {' '.join(missing)}" if missing else ""

    def _missing(self, machine: Machine) -> list[str]:
        there = self.installed(machine)
        return [name for name in self.names if name not in there]

    def fetch(self, machine: Machine, say: Callable[[str], None]) -> None:
        """Fetch lists and packages, so that what cannot be had is known before anything is changed.

        A list that cannot be fetched may be that of another source than what is needed: the old ones are tried then.

        Raises:
            SetupError: a package is not known or cannot be fetched.
        """
        missing = self._missing(machine)
        if not missing:
            return
        update = machine.ask(*_APT, *_ANY_ERROR, "update")
        if update.code:
            say(f"warning: apt-get update could not fetch every package list; the old ones are used:\n{update.last}")
        machine.do(*_APT, "--download-only", *self._install(missing), remedy=_FETCH)

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Write down what will come, and install it."""
        missing = self._missing(machine)
        simulated = machine.do(*_APT, "--simulate", *self._install(missing), remedy=_FETCH)
        for name in re.findall(r"(?m)^Inst (\S+) \(", simulated):
            journal.record("package", name, asked=name in missing)
        machine.do(*_APT, *self._install(missing), remedy=_FETCH)

    @staticmethod
    def _install(names: Sequence[str]) -> tuple[str, ...]:
        return ("install", "--no-install-recommends", *names)


@dataclass(frozen=True, slots=True)
class Account:
    """A system account without a shell and a home.

    Args:
        name: of user and group.
        units: see `Change`.
    """

    name: str
    units: tuple[str, ...] = ()

    def pending(self, machine: Machine, journal: Journal) -> str:
        """Make it."""
        del journal
        return "" if machine.has_user(self.name) else " ".join(self._command)

    @property
    def _command(self) -> tuple[str, ...]:
        return (
            "useradd", "--system", "--user-group", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
            self.name,
        )  # fmt: skip

    def apply(self, machine: Machine, journal: Journal) -> None:
        """Make it."""
        journal.record("account", self.name)
        machine.do(*self._command, remedy="See /etc/passwd and /etc/group for what prevents it.")
