"""The machine that is set up: its files below a root, its accounts, and the commands that change it."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_LAST_LINES = 12


class SetupError(Exception):
    """A step that cannot be done.

    Args:
        thing: what it is about.
        fault: what is wrong with it.
        remedy: what to do, a sentence or a command.
    """

    def __init__(self, thing: str, fault: str, remedy: str) -> None:
        super().__init__(f"{thing}: {fault}")
        self.thing, self.fault, self.remedy = thing, fault, remedy


@dataclass(frozen=True, slots=True)
class Completed:
    """What became of a command.

    Args:
        code: its exit code; 127 where there is no such program.
        output: what it printed.
        errors: what it printed on stderr.
    """

    code: int
    output: str = ""
    errors: str = ""

    @property
    def last(self) -> str:
        """Its last lines, of stderr where it said something there."""
        return "\n".join((self.errors.strip() or self.output.strip()).splitlines()[-_LAST_LINES:])


class Runner(Protocol):
    """Runs a command; tests pass a fake."""

    def __call__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Completed:
        """Run it to its end; `environment` comes on top of this process's own."""


def run_command(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Completed:
    """Run a command of this machine, in plain English and without questions."""
    plain = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "PYTHONDONTWRITEBYTECODE": ""}
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **plain, **(environment or {})},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as failure:
        return Completed(127, "", f"{command[0]}: {failure.strerror}")
    return Completed(done.returncode, done.stdout, done.stderr)


@dataclass(slots=True)
class Machine:
    """One machine.

    Args:
        root: below which its files lie: "/", or the folder of an image.
        runner: runs its commands.
        is_root: whether owners can be set.
    """

    root: Path = Path("/")
    runner: Runner = run_command
    is_root: bool = field(default_factory=lambda: os.geteuid() == 0)

    def path(self, absolute: str) -> Path:
        """Where a path of the machine lies."""
        return self.root / absolute.lstrip("/")

    def text(self, absolute: str) -> str:
        """Content of a file; empty where it cannot be read."""
        try:
            return self.path(absolute).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def ask(self, *command: str) -> Completed:
        """Run a command whose failure is an answer."""
        return self.runner(command)

    def do(self, *command: str, remedy: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a command that must succeed; returns what it printed.

        Raises:
            SetupError: it failed; its last lines are in the message.
        """
        done = self.runner(command, environment)
        if done.code:
            raise SetupError(" ".join(command), f"ended with exit code {done.code}:\n{done.last}", remedy)
        return done.output

    def ids(self, user: str, group: str) -> tuple[int, int] | None:
        """Numbers of a user and a group of this machine; None where it has none of that name."""
        uid, gid = self._number("passwd", user), self._number("group", group)
        return None if uid is None or gid is None else (uid, gid)

    def has_user(self, name: str) -> bool:
        """Whether there is such an account."""
        return self._number("passwd", name) is not None

    def user_of(self, number: int) -> str:
        """Name of an account, or its number where it has none."""
        lines = (line.split(":") for line in self.text("/etc/passwd").splitlines())
        return next((words[0] for words in lines if words[2] == str(number)), str(number))

    def _number(self, database: str, name: str) -> int | None:
        if name == "root":
            return 0
        for line in self.text(f"/etc/{database}").splitlines():
            words = line.split(":")
            if words[0] == name:
                return int(words[2])
        return None

    def free_bytes(self, absolute: str) -> int:
        """Free room where a path lies or will lie."""
        place = self.path(absolute)
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free

    @property
    def systemd_runs(self) -> bool:
        """Whether systemd is in charge, so that services can be started now."""
        return self.path("/run/systemd/system").is_dir()
