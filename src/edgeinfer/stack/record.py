"""What a run wrote down about itself, and what is still there of a run that was killed."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

_STEP_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Running:
    """A process as it was when it was written down; both figures together name it for good."""

    name: str
    pid: int
    started_at: float


@dataclass(frozen=True, slots=True)
class Record:
    """The content of stack.json."""

    pid: int
    addresses: Mapping[str, str]
    processes: tuple[Running, ...]


def running(name: str, pid: int) -> Running | None:
    """The process of this number, or None where it has ended."""
    try:
        return Running(name, pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def write(path: Path, addresses: Mapping[str, str], processes: Sequence[Running]) -> None:
    """Replace the record in one step, so that a reader never sees half of it."""
    record = Record(os.getpid(), addresses, tuple(processes))
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    unfinished.replace(path)


def read(path: Path) -> Record | None:
    """The record, or None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None


async def end_leftovers(path: Path, grace_seconds: float = 20.0) -> list[Running]:
    """End what a killed run left behind; returns what was still alive.

    On Linux the processes end by themselves when their parent does and are only waited for.
    """
    record = read(path)
    left = [one for one in record.processes if _lives(one)] if record else []
    for one in left:
        _signal(one, kill=False)
    for _ in range(int(grace_seconds / _STEP_SECONDS)):
        if not any(_lives(one) for one in left):
            return left
        await asyncio.sleep(_STEP_SECONDS)
    for one in left:
        _signal(one, kill=True)
    return left


def _lives(one: Running) -> bool:
    try:
        process = psutil.Process(one.pid)
        return process.create_time() == one.started_at and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(one: Running, *, kill: bool) -> None:
    try:
        process = psutil.Process(one.pid)
        if process.create_time() != one.started_at:
            return
        (process.kill if kill else process.terminate)()
    except psutil.Error:
        return
