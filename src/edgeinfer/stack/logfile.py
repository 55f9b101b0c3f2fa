"""The log file of a process that we did not write: kept below a size without the process's help."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 10_000_000
OLDER_PARTS = 3
_BLOCK_BYTES = 8192
# How our own commands end when something is wrong.
_ERROR, _HINT = "error: ", "hint: "


def open_for_append(path: Path) -> int:
    """A descriptor that always writes at the end, also after the file was cut."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def rotate(path: Path, most_bytes: int = MOST_BYTES, older_parts: int = OLDER_PARTS) -> bool:
    """Move a log that has grown too long to `.1`, older parts one further; returns whether it did.

    The process keeps writing into the same file, so its content is copied and the file cut.
    Lines written between the two steps are lost: that is the price of surviving without a pipe through
    this process, which would end the logs when this process is killed.
    """
    try:
        if path.stat().st_size <= most_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(older_parts, 1, -1):
        newer = _part(path, number - 1)
        if newer.exists():
            newer.replace(_part(path, number))
    shutil.copyfile(path, _part(path, 1))
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int = 5) -> list[str]:
    """The last lines, newest last; none where there is no log."""
    return list(_tail(path))[-lines:]


def last_words(path: Path) -> tuple[str, str]:
    """What a process said before it ended, and its own remedy; each may be empty."""
    lines = tail(path, lines=2)
    if len(lines) > 1 and lines[0].startswith(_ERROR) and lines[1].startswith(_HINT):
        return lines[0].removeprefix(_ERROR), lines[1].removeprefix(_HINT)
    return (_in_words(lines[-1]), "") if lines else ("", "")


def _in_words(line: str) -> str:
    """What a line of JSON by one of our services says; any other line as it is."""
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        return line
    words = [str(said[key]) for key in ("message", "fault") if said.get(key)] if isinstance(said, dict) else []
    return ": ".join(words) or line


def _tail(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _BLOCK_BYTES))
            content = file.read()
    except FileNotFoundError:
        return
    for line in content.decode("utf-8", "replace").splitlines():
        if line.strip():
            yield line


def _part(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
