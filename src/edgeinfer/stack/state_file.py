"""What a run wrote down about itself, and what is still there of a run that was killed."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from edgeinfer.stack.damage import SetAside
from edgeinfer.stack.folder import write_whole
from edgeinfer.stack.inventory import Inventory

_STEP_SECONDS = 0.1
# Killed processes are gone at once, unless they wait for a disk that does not answer.
_KILLED_SECONDS = 10.0
# Names the data folder in the environment of each process of a run, so that they are found without the record.
MARK = "STACK_DATA_FOLDER"


@dataclass(frozen=True, slots=True)
class Running:
    """A process as it was when it was written down; both figures together name it for good."""

    name: str
    pid: int
    started_at: float


@dataclass(frozen=True, slots=True)
class MemberState:
    """How a process of the run stands.

    Args:
        name: of the process.
        state: a value of `edgeinfer.stack.supervisor.State`.
        restarts: how often it was started again.
        fault: why it does not work, or empty.
        crashes_in_a_row: how often it ended without having been up for long in between.
    """

    name: str
    state: str
    restarts: int = 0
    fault: str = ""
    crashes_in_a_row: int = 0


@dataclass(frozen=True, slots=True)
class StackRecord:
    """The content of stack.json."""

    pid: int
    addresses: Mapping[str, str]
    processes: tuple[Running, ...]
    members: tuple[MemberState, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    no_alert_can_fire: str = ""
    inventory: Inventory = field(default_factory=Inventory)


def running(name: str, pid: int) -> Running | None:
    """The process of this number, or None where it has ended."""
    try:
        return Running(name, pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def write(path: Path, record: StackRecord) -> None:
    """Replace the record in one step and synced, so that neither a reader nor a power cut leaves half of it."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(record)).decode() + "\n")


def read(path: Path) -> StackRecord | None:
    """The record, or None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=StackRecord)
    except (OSError, msgspec.DecodeError):
        return None


async def end_leftovers(
    path: Path, grace_seconds: float = 20.0, killed_seconds: float = _KILLED_SECONDS
) -> tuple[list[Running], list[Running]]:
    """End what a killed run left behind; returns what was alive, and what still is.

    On Linux the processes are asked to end by the kernel when their parent ends; one that a signal suspended
    learns of that only once it continues. They are found by the record, and by their mark where that was lost.
    """
    record = read(path)
    written = [one for one in record.processes if _lives(one)] if record else []
    left = {one.pid: one for one in (*_marked(path.parent), *written)}.values()
    for one in left:
        _signal(one, signal.SIGTERM)
        _signal(one, signal.SIGCONT)
    if await _await_end(left, grace_seconds):
        return list(left), []
    for one in left:
        _signal(one, signal.SIGKILL)
    await _await_end(left, killed_seconds)
    return list(left), [one for one in left if _lives(one)]


async def _await_end(processes: Collection[Running], seconds: float) -> bool:
    """Whether all of them ended in time."""
    for _ in range(int(seconds / _STEP_SECONDS)):
        if not any(_lives(one) for one in processes):
            return True
        await asyncio.sleep(_STEP_SECONDS)
    return not any(_lives(one) for one in processes)


def marked_folders() -> set[Path]:
    """Data folders of all runs whose processes this user may look at."""
    return {folder for _, folder in _marked_processes()}


def _marked(folder: Path) -> list[Running]:
    """Processes of this user that carry the mark of this folder, other than this one."""
    found = []
    for process, of in _marked_processes():
        with contextlib.suppress(psutil.Error):
            if of == folder:
                found.append(Running(process.name(), process.pid, process.create_time()))
    return found


def _marked_processes() -> Iterator[tuple[psutil.Process, Path]]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            folder = process.environ().get(MARK) if process.pid != os.getpid() else None
            if folder:
                yield process, Path(folder)


def _lives(one: Running) -> bool:
    try:
        process = psutil.Process(one.pid)
        return process.create_time() == one.started_at and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(one: Running, sign: signal.Signals) -> None:
    try:
        process = psutil.Process(one.pid)
        if process.create_time() == one.started_at:
            process.send_signal(sign)
    except psutil.Error:
        return
