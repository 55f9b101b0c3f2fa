"""Damages the files of a testbed's Prometheus and Alertmanager, and puts them right again."""

import asyncio
import json
import os
import resource
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Protocol

from edgeinfer.errors import StackError
from edgeinfer.loadgen.steps import MonitoringFault, Process
from edgeinfer.stack.folder import DataFolder

# Two blocks of the same time, which Prometheus merges as soon as it sees them.
_BLOCKS = ("01JZZZZZZZZZZZZZZZZZZZZZ01", "01JZZZZZZZZZZZZZZZZZZZZZ02")
_AGE_SECONDS, _STEP_SECONDS, _SAMPLES = 10_800, 5, 120
_DAMAGE = b"\x55" * 2000
_BROKEN_SILENCES = b"\xff" * 200  # the length of the first message does not end
_CHUNK_HEADER_BYTES = 16
_LOOK_SECONDS = 0.2
_SEGMENT_SECONDS = 90.0
_REFUSED_SECONDS = _GRANTED_SECONDS = 2.0


class MonitoringServers(Protocol):
    """The living Prometheus and Alertmanager."""

    def pid_of(self, process: Process) -> int | None:
        """Of the living process."""

    def hold_down(self, process: Process) -> None:
        """Let nobody start it again."""

    def let_up(self, process: Process) -> None:
        """Let it be started again, at once."""


class StoreDamage:
    """One damage at a time.

    Args:
        folder: whose files of Prometheus and Alertmanager are damaged.
        promtool: makes blocks.
        servers: the processes that use the folders.
        until_ready: waits until a Prometheus that was started answers again.
    """

    def __init__(
        self,
        folder: DataFolder,
        promtool: Path,
        servers: MonitoringServers,
        until_ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = folder.prometheus
        self._state = folder.alertmanager
        self._set_aside = folder.damaged
        self._promtool = promtool
        self._servers = servers
        self._until_ready = until_ready
        self._refusing: asyncio.Task[None] | None = None
        self._needs_restart = False

    async def do(self, how: MonitoringFault) -> None:
        """Damage what this failure damages; others touch no file."""
        match how:
            case MonitoringFault.BLOCK_UNREADABLE:
                await self._add_blocks(_BLOCKS[:1], self._without_index)
            case MonitoringFault.CHUNKS_DAMAGED:
                await self._add_blocks(_BLOCKS, self._with_other_chunks)
            case MonitoringFault.SEGMENT_DAMAGED:
                await self._damage_segment()
                self._needs_restart = True
            case MonitoringFault.LOG_DAMAGED:
                await self._damage_log()
            case MonitoringFault.WRITES_REFUSED:
                self._refusing = asyncio.create_task(self._refuse_writes())
                self._needs_restart = True  # a write that broke off is in the log
            case MonitoringFault.STATE_FOLDER_GONE:
                self._state.rename(self._aside)
            case MonitoringFault.SILENCES_DAMAGED:
                await self._damage_silences()

    async def undo(self) -> None:
        """Put everything right."""
        for name in _BLOCKS:
            shutil.rmtree(self._store / name, ignore_errors=True)
        if self._aside.exists():
            shutil.rmtree(self._state, ignore_errors=True)
            self._aside.rename(self._state)
        if self._holds_broken_silences():
            self._silences.unlink()
        shutil.rmtree(self._set_aside, ignore_errors=True)
        if self._refusing:
            self._refusing.cancel()
            await asyncio.gather(self._refusing, return_exceptions=True)
            self._refusing = None
        if self._needs_restart:
            self._needs_restart = False
            await self._kill(Process.PROMETHEUS)
            self._servers.let_up(Process.PROMETHEUS)
            await self._until_ready()

    @property
    def _silences(self) -> Path:
        return self._state / "silences"

    def _holds_broken_silences(self) -> bool:
        """Whether the damage still lies there, because nothing has set it aside."""
        return self._silences.exists() and self._silences.read_bytes() == _BROKEN_SILENCES

    @property
    def _aside(self) -> Path:
        return self._state.with_name("alertmanager-aside")

    async def _add_blocks(self, names: tuple[str, ...], damage: Callable[[Path], None]) -> None:
        """Whole folders appear at once, as Prometheus' own do."""
        with TemporaryDirectory(dir=self._store.parent, prefix="blocks-") as folder:
            made = await self._made_block(Path(folder))
            for name in names:
                copy = Path(folder) / name
                shutil.copytree(made, copy)
                meta = json.loads((copy / "meta.json").read_text(encoding="utf-8"))
                meta["ulid"] = name
                meta["compaction"]["sources"] = [name]
                (copy / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
                damage(copy)
                copy.rename(self._store / name)

    async def _made_block(self, folder: Path) -> Path:
        begin = time() - _AGE_SECONDS
        samples = (f"old {number} {begin + number * _STEP_SECONDS:.3f}\n" for number in range(_SAMPLES))
        (folder / "old.txt").write_text("# TYPE old gauge\n" + "".join(samples) + "# EOF\n", encoding="utf-8")
        words = ("tsdb", "create-blocks-from", "openmetrics", str(folder / "old.txt"), str(folder / "made"))
        quiet = asyncio.subprocess.DEVNULL
        making = await asyncio.create_subprocess_exec(self._promtool, *words, stdout=quiet, stderr=quiet)
        if code := await making.wait():
            raise StackError("promtool", f"it makes no blocks and ends with {code}", "Run it by hand to see why.")
        return next(path.parent for path in (folder / "made").glob("*/meta.json"))

    @staticmethod
    def _without_index(block: Path) -> None:
        (block / "index").unlink()

    @staticmethod
    def _with_other_chunks(block: Path) -> None:
        for file in (block / "chunks").iterdir():
            whole = file.read_bytes()
            changed = bytes(byte ^ _DAMAGE[0] for byte in whole[_CHUNK_HEADER_BYTES:])
            file.write_bytes(whole[:_CHUNK_HEADER_BYTES] + changed)

    async def _damage_segment(self) -> None:
        """In the first segment, which a checkpoint is made of; not in the one that is written now."""
        give_up = asyncio.get_running_loop().time() + _SEGMENT_SECONDS
        while not (found := self._old_segments()):
            if asyncio.get_running_loop().time() > give_up:
                raise StackError("Prometheus' log", "it has no second segment", "Let it write blocks more often.")
            await asyncio.sleep(_LOOK_SECONDS)
        _put_damage(found[0])

    def _old_segments(self) -> list[Path]:
        segments = sorted(path for path in (self._store / "wal").glob("[0-9]*") if path.is_file())
        return [path for path in segments[:-1] if path.stat().st_size > 2 * len(_DAMAGE)]

    async def _damage_log(self) -> None:
        self._servers.hold_down(Process.PROMETHEUS)
        await self._kill(Process.PROMETHEUS)
        segments = sorted(path for path in (self._store / "wal").glob("[0-9]*") if path.is_file())
        _put_damage(max(segments, key=lambda path: path.stat().st_size))
        self._servers.let_up(Process.PROMETHEUS)
        await self._until_ready()

    async def _damage_silences(self) -> None:
        """Killed, it has no time to write them anew."""
        self._servers.hold_down(Process.ALERTMANAGER)
        await self._kill(Process.ALERTMANAGER)
        self._silences.write_bytes(_BROKEN_SILENCES)
        self._servers.let_up(Process.ALERTMANAGER)

    async def _kill(self, process: Process) -> None:
        pid = self._servers.pid_of(process)
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        while self._servers.pid_of(process) == pid:  # noqa: ASYNC110 - the supervisor has no event for it
            await asyncio.sleep(_LOOK_SECONDS)

    async def _refuse_writes(self) -> None:
        """A limit of the size of its files stands for a full disk: a write fails in the same place."""
        while True:
            pid = self._servers.pid_of(Process.PROMETHEUS)
            if pid is None:
                return
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
            try:
                await asyncio.sleep(_REFUSED_SECONDS)
            finally:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
            await asyncio.sleep(_GRANTED_SECONDS)


def _put_damage(file: Path) -> None:
    """Other bytes in the middle, with the length as it was."""
    with file.open("r+b") as content:
        content.seek(file.stat().st_size // 2)
        content.write(_DAMAGE)
