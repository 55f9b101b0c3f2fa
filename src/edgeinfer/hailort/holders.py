"""Which processes hold a chip's device node open."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_MAX_WORDS = 4


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has the node open.

    Args:
        pid: of the process.
        command: its first words, or its name where it has none.
    """

    pid: int
    command: str

    def __str__(self) -> str:
        return f"'{self.command}' (process {self.pid})"


@dataclass(frozen=True, slots=True)
class Holders:
    """Those that were found.

    Args:
        found: in the order of their numbers.
        is_whole: whether this user may look into every process; otherwise there may be more.
    """

    found: tuple[Holder, ...]
    is_whole: bool

    def __str__(self) -> str:
        if self.found:
            return " and ".join(map(str, self.found))
        return "no process" if self.is_whole else "a process that this user may not look into (try it with sudo)"


def holders_of(nodes: Iterable[Path], proc: Path = Path("/proc"), *, but: int | None = None) -> Holders:
    """Look through the open files of every process; it takes some ten milliseconds.

    Args:
        nodes: such as /dev/hailo0.
        proc: the kernel's folder of processes.
        but: a process that is not meant, such as one's own.
    """
    wanted = {str(node) for node in nodes}
    found, is_whole = [], True
    for process in sorted(
        (entry for entry in proc.glob("[0-9]*") if entry.name.isdecimal()), key=lambda it: int(it.name)
    ):
        try:
            holds = any(_target(link) in wanted for link in (process / "fd").iterdir())
        except PermissionError:
            is_whole = False
            continue
        except OSError:  # it has exited in the meantime
            continue
        if holds and int(process.name) != but:
            found.append(Holder(int(process.name), _command(process)))
    return Holders(tuple(found), is_whole)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed in the meantime
        return ""


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        command = " ".join(os.fsdecode(word) for word in words[:_MAX_WORDS]).strip()
        return command or (process / "comm").read_text().strip()
    except OSError:
        return "?"
