"""Installs hashed lock files with pip into the environment of the Python that runs this, and reports progress.

It needs nothing but the standard library: `make` calls it before anything else is there.
"""

import asyncio
import re
import sys
import sysconfig
from asyncio import StreamReader
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO

_PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "--require-hashes")
_TICK_SECONDS = 0.5
_PLAIN_SECONDS = 10.0
_MAX_LINE_BYTES = 1024 * 1024
_PIN = re.compile(r"^[A-Za-z0-9._-]+==", re.MULTILINE)
_FOUND = re.compile(r"^(?:Collecting|Processing|Requirement already satisfied:) (.*)$")
_INSTALLING = "Installing collected packages: "


def count_pins(locks: Sequence[Path]) -> int:
    """Packages that the lock files pin; those of other platforms count as well."""
    return sum(len(_PIN.findall(lock.read_text(encoding="utf-8"))) for lock in locks)


def count_installed() -> int:
    """Packages in this environment."""
    return sum(1 for _ in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))


@dataclass(slots=True)
class Progress:
    """Progress of pip so far, in words.

    Args:
        pins: how many packages the lock files name.
        installed: counts the packages in the environment.
    """

    pins: int
    installed: Callable[[], int]
    found: int = 0
    installing: int = 0
    _before: int = 0

    def hear(self, line: str) -> None:
        """Take in one line of pip's."""
        if _FOUND.match(line):
            self.found += 1
        elif line.startswith(_INSTALLING):
            self._before = self.installed()
            self.installing = line.count(",") + 1

    def __str__(self) -> str:
        if self.installing:
            return f"installing packages: {self.installed() - self._before} of {self.installing}"
        return f"fetching packages: {self.found} of {self.pins}"


class Line:
    """One line that is rewritten in a terminal; elsewhere a line now and then.

    Args:
        stream: where it is written.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._next_at = monotonic() + _PLAIN_SECONDS

    def show(self, words: str) -> None:
        """Put these words in place of the former."""
        if self._is_terminal:
            self._write(f"\r\033[K  {words}")
        elif monotonic() >= self._next_at:
            self._next_at = monotonic() + _PLAIN_SECONDS
            self._write(f"  {words}\n")

    def say(self, words: str) -> None:
        """Print a line that the next one does not overwrite."""
        self.clear()
        self._write(f"{words}\n")

    def clear(self) -> None:
        """Erase the line of progress."""
        if self._is_terminal:
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


async def install(command: Sequence[str], progress: Progress, line: Line) -> int:
    """Run pip to its end, and return its exit code; its stderr is passed on."""
    pip = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=_MAX_LINE_BYTES
    )
    showing = asyncio.create_task(_show(progress, line))
    try:
        await asyncio.gather(_each_line(pip.stdout, progress.hear), _each_line(pip.stderr, line.say))
        return await pip.wait()
    finally:
        showing.cancel()
        line.clear()


async def _each_line(stream: StreamReader | None, take: Callable[[str], None]) -> None:
    while stream and (line := await stream.readline()):
        take(line.decode("utf-8", "replace").rstrip())


async def _show(progress: Progress, line: Line) -> None:
    while True:
        line.show(str(progress))
        await asyncio.sleep(_TICK_SECONDS)


def main() -> None:
    """Install the lock files that are named as arguments; ends with pip's exit code."""
    locks = [Path(word) for word in sys.argv[1:]]
    command = [sys.executable, *_PIP, *(word for lock in locks for word in ("-r", str(lock)))]
    progress = Progress(count_pins(locks), count_installed)
    try:
        code = asyncio.run(install(command, progress, Line(sys.stdout)))
    except KeyboardInterrupt:
        sys.exit(130)
    if code:
        print(f"error: {' and '.join(map(str, locks))}: pip ended with exit code {code}; it says why above.")
        print("hint: Most often the package index cannot be reached. The same command again continues from here.")
    sys.exit(code)


if __name__ == "__main__":
    main()
