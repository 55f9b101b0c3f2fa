"""The log file of a process that we did not write: kept below a size without the process's help, and without room."""

import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

MAX_BYTES = 10_000_000
OLDER_PARTS = 3
MAX_BYTES_OF_ALL = 100_000_000
# What stays of a log where there is no room for more.
TAIL_BYTES = 1_000_000
_COPY_BYTES = 1 << 20
_BLOCK_BYTES = 8192
# How our own commands end when something is wrong.
_ERROR, _HINT = "error: ", "hint: "


def open_for_append(path: Path) -> int:
    """A descriptor that always writes at the end, even after truncation; creates a folder that vanished."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def rotate(path: Path, max_bytes: int = MAX_BYTES, older_parts: int = OLDER_PARTS) -> bool:
    """Move a log that has grown too long to `.1`, older parts one further; returns whether it did.

    The process keeps writing into the same file, so its content is copied and the file cut.
    Lines written between the two steps are lost: that is the price of surviving without a pipe through
    this process, which would end the logs when this process is killed.

    Where the copy has no room, older parts are given up first, and then all of the log but its end:
    a log never stays large because the disk is full.

    Raises:
        OSError: the log cannot even be cut.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return False
    except FileNotFoundError:
        return False
    try:
        _move_on(path, max_bytes, older_parts)
    except OSError:
        shorten(path)
    return True


def shorten(path: Path, kept_bytes: int = TAIL_BYTES) -> None:
    """Keep only the end of a log and none of its older parts, needing no room: the cut comes before the writing.

    Raises:
        OSError: the log cannot be cut. That its end could not be written back is not an error: it is cut then.
    """
    for part in _parts(path):
        part.unlink(missing_ok=True)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return
    if size <= kept_bytes:
        return
    kept = _end_of(path, kept_bytes)
    os.truncate(path, 0)
    try:
        with path.open("ab", buffering=0) as file:
            file.write(kept[kept.find(b"\n") + 1 :])
    except OSError:
        return


def bound_lost(pid: int, max_bytes: int = MAX_BYTES) -> None:
    """Cut the log of a living process whose file has no name any more; elsewhere than on Linux it cannot be reached.

    Raises:
        OSError: it cannot be reached or cut.
    """
    output = Path(f"/proc/{pid}/fd/1")
    status = output.stat()
    if stat.S_ISREG(status.st_mode) and status.st_size > max_bytes:
        os.truncate(output, 0)


def bound_all(logs: Iterable[Path], max_bytes: int = MAX_BYTES_OF_ALL) -> None:
    """Drop the oldest parts until all logs together are below a size.

    Raises:
        OSError: a part cannot be dropped.
    """
    logs = list(logs)
    parts = sorted((part for log in logs for part in _parts(log)), key=_age)
    total = sum(size_of(path) for path in (*logs, *parts))
    while parts and total > max_bytes:
        oldest = parts.pop(0)
        total -= size_of(oldest)
        oldest.unlink(missing_ok=True)


def tail(path: Path, lines: int = 5) -> list[str]:
    """The last lines, newest last; none where there is no log."""
    return list(_tail(path))[-lines:]


def lines_since(path: Path, begin: int) -> list[str]:
    """What was written from this byte on, at most the last few kilobytes; all of a log that was cut meanwhile."""
    size = size_of(path)
    count = min(size - begin if size >= begin else size, 4 * _BLOCK_BYTES)
    try:
        return _end_of(path, count).decode("utf-8", "replace").splitlines() if count else []
    except OSError:
        return []


def last_output(path: Path) -> tuple[str, str]:
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
        content = _end_of(path, _BLOCK_BYTES)
    except OSError:  # gone, or on a disk that no longer reads: there is no last output
        return
    for line in content.decode("utf-8", "replace").splitlines():
        if line.strip():
            yield line


def _end_of(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - count))
        return file.read(count)


def _move_on(path: Path, max_bytes: int, older_parts: int) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    try:
        _copy_end(path, unfinished, max_bytes)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    for number in range(older_parts, 1, -1):
        newer = _part(path, number - 1)
        if newer.exists():
            newer.replace(_part(path, number))
    unfinished.replace(_part(path, 1))
    os.truncate(path, 0)


def _copy_end(path: Path, target: Path, max_bytes: int) -> None:
    """What came last, in pieces: a process that wrote gigabytes since the last look must not fill memory or disk."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as copy, path.open("rb") as source:
        size = source.seek(0, os.SEEK_END)
        left = max(2 * max_bytes, TAIL_BYTES)
        source.seek(max(0, size - left))
        while left > 0 and (piece := source.read(min(_COPY_BYTES, left))):
            copy.write(piece)
            left -= len(piece)


def _parts(path: Path) -> list[Path]:
    return [*path.parent.glob(f"{path.name}.[0-9]"), *path.parent.glob(f"{path.name}.new")]


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def size_of(path: Path) -> int:
    """Its bytes; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _part(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
