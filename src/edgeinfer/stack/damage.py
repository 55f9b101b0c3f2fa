"""Damaged files of a data folder: what they are, what is lost with them, and how they are set aside, never deleted."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edgeinfer.stack.folder import DataFolder, write_whole

WHAT_FILE = "what.json"


@dataclass(frozen=True, slots=True)
class Damage:
    """One file or folder that its server cannot use.

    Args:
        part: whose it is: prometheus, alertmanager or stack.
        path: the file or folder; one that is missing where a server needs it is named all the same.
        fault: what is wrong with it.
        lost: what is missing without it, in words for a person.
        kept: what of it can be kept: the content of the file that takes its place; None where none does.
        stays: whether it is left where it is, because what is wrong is what it no longer holds.
    """

    part: str
    path: Path
    fault: str
    lost: str
    kept: Callable[[], bytes] | None = None
    stays: bool = False


@dataclass(frozen=True, slots=True)
class SetAside:
    """Damaged files that were moved out of the way.

    Args:
        part: whose they were: prometheus, alertmanager, stack.
        path: where they lay, from the data folder on.
        moved_to: where they lie now, from the data folder on.
        fault: what was wrong with them.
        lost: what is missing now, in words.
    """

    part: str
    path: str
    moved_to: str
    fault: str
    lost: str


def set_aside(folder: DataFolder, damages: Iterable[Damage], now: Callable[[], float]) -> list[SetAside]:
    """Move what is damaged to `damaged/<time>/`, put in place what can be kept of it, and write down what was done.

    A rename needs no room, so this works on a full disk; what cannot be moved stays and is not reported as moved.
    """
    done: list[SetAside] = []
    target = _target(folder, now())
    for one in damages:
        try:
            done.append(_move(folder, target, one))
        except OSError:  # the fallback is the server's own word when it does not start
            continue
    if done:
        _write_down(target, done)
    return done


def lying_aside(folder: DataFolder) -> list[SetAside]:
    """Everything that was ever set aside and still lies there."""
    found: list[SetAside] = []
    for file in sorted(folder.damaged.glob(f"*/{WHAT_FILE}")):
        try:
            found += msgspec.json.decode(file.read_bytes(), type=list[SetAside])
        except (OSError, msgspec.DecodeError):
            continue
    return [one for one in found if one.moved_to == "" or (folder.root / one.moved_to).exists()]


def _move(folder: DataFolder, target: Path, one: Damage) -> SetAside:
    relative = one.path.relative_to(folder.root)
    moved_to = ""
    kept = one.kept() if one.kept else None
    if not one.stays and (one.path.exists() or one.path.is_symlink()):
        place = target / relative
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        one.path.rename(place)
        _sync(one.path.parent)
        _sync(place.parent)
        moved_to = str(place.relative_to(folder.root))
    if kept is not None:
        _put(one.path, kept)
    return SetAside(one.part, str(relative), moved_to, one.fault, one.lost)


def _put(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:  # no room for it: the server begins without
        unfinished.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _target(folder: DataFolder, now: float) -> Path:
    """A folder that is not there yet: a clock that was set back may give the same time twice."""
    name = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    numbered = (folder.damaged / (name if number == 1 else f"{name}-{number}") for number in range(1, 10_000))
    return next(path for path in numbered if not path.exists())


def _write_down(target: Path, done: Sequence[SetAside]) -> None:
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(target / WHAT_FILE, msgspec.json.format(msgspec.json.encode(list(done))).decode() + "\n")
    except OSError:  # it was moved all the same, and is said on the terminal and in the log
        return
