"""The files of Prometheus and Alertmanager, damaged as power cuts and bad disks damage them."""

import asyncio
import json
import resource
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

from chaos.actions.action import LOOK_SECONDS, Process, Testbed, Users, kill_and_wait
from edgeinfer.errors import StackError

# Two blocks of the same time, which Prometheus merges as soon as it sees them.
_BLOCKS = ("01JZZZZZZZZZZZZZZZZZZZZZ01", "01JZZZZZZZZZZZZZZZZZZZZZ02")
_AGE_SECONDS, _STEP_SECONDS, _SAMPLES = 10_800, 5, 120
_DAMAGE = b"\x55" * 2000
_BROKEN_SILENCES = b"\xff" * 200  # the length of the first message does not end
_CHUNK_HEADER_BYTES = 16
_SEGMENT_SECONDS = 90.0
_REFUSED_SECONDS = _GRANTED_SECONDS = 2.0

Corrupt = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class AddDamagedBlocks:
    """Blocks of measurements appear that Prometheus cannot use.

    Args:
        count: 1, or 2 of the same time, which Prometheus merges as soon as it sees them.
        corrupt: damages the folder of one.
    """

    count: int
    corrupt: Corrupt

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        try:
            await self._add(testbed)
            yield
        finally:
            for name in _BLOCKS:
                shutil.rmtree(testbed.folder.prometheus / name, ignore_errors=True)

    async def _add(self, testbed: Testbed) -> None:
        """Whole folders appear at once, as Prometheus' own do."""
        store = testbed.folder.prometheus
        with TemporaryDirectory(dir=store.parent, prefix="blocks-") as folder:
            made = await _made_block(testbed.promtool, Path(folder))
            for name in _BLOCKS[: self.count]:
                copy = Path(folder) / name
                shutil.copytree(made, copy)
                meta = json.loads((copy / "meta.json").read_text(encoding="utf-8"))
                meta["ulid"] = name
                meta["compaction"]["sources"] = [name]
                (copy / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
                self.corrupt(copy)
                copy.rename(store / name)


async def _made_block(promtool: Path, folder: Path) -> Path:
    begin = time() - _AGE_SECONDS
    samples = (f"old {number} {begin + number * _STEP_SECONDS:.3f}\n" for number in range(_SAMPLES))
    (folder / "old.txt").write_text("# TYPE old gauge\n" + "".join(samples) + "# EOF\n", encoding="utf-8")
    words = ("tsdb", "create-blocks-from", "openmetrics", str(folder / "old.txt"), str(folder / "made"))
    quiet = asyncio.subprocess.DEVNULL
    making = await asyncio.create_subprocess_exec(promtool, *words, stdout=quiet, stderr=quiet)
    if code := await making.wait():
        raise StackError("promtool", f"it makes no blocks and ends with {code}", "Run it by hand to see why.")
    return next(path.parent for path in (folder / "made").glob("*/meta.json"))


def without_index(block: Path) -> None:
    """A block that cannot be opened."""
    (block / "index").unlink()


def with_other_chunks(block: Path) -> None:
    """A block that opens, and whose chunks have other bytes behind a whole header."""
    for file in (block / "chunks").iterdir():
        whole = file.read_bytes()
        changed = bytes(byte ^ _DAMAGE[0] for byte in whole[_CHUNK_HEADER_BYTES:])
        file.write_bytes(whole[:_CHUNK_HEADER_BYTES] + changed)


@dataclass(frozen=True, slots=True)
class DamageSegment:
    """The first segment of the write-ahead log gets other bytes while Prometheus runs.

    A checkpoint is made of the first; the last is written now.
    """

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        give_up = asyncio.get_running_loop().time() + _SEGMENT_SECONDS
        while not (found := _old_segments(testbed.folder.prometheus)):
            if asyncio.get_running_loop().time() > give_up:
                raise StackError("Prometheus' log", "it has no second segment", "Let it write blocks more often.")
            await asyncio.sleep(LOOK_SECONDS)
        _put_damage(found[0])
        try:
            yield
        finally:
            await _restart_prometheus(testbed)


def _segments(store: Path) -> list[Path]:
    return sorted(path for path in (store / "wal").glob("[0-9]*") if path.is_file())


def _old_segments(store: Path) -> list[Path]:
    return [path for path in _segments(store)[:-1] if path.stat().st_size > 2 * len(_DAMAGE)]


def _put_damage(file: Path) -> None:
    """Other bytes in the middle, with the length as it was."""
    with file.open("r+b") as content:
        content.seek(file.stat().st_size // 2)
        content.write(_DAMAGE)


async def _restart_prometheus(testbed: Testbed) -> None:
    await kill_and_wait(testbed, Process.PROMETHEUS)
    testbed.let_up(Process.PROMETHEUS)
    await testbed.await_prometheus()


@dataclass(frozen=True, slots=True)
class DamageLog:
    """Prometheus is killed, its write-ahead log gets other bytes, and it starts; its own repair is the end of it."""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it; there is nothing to undo."""
        testbed.hold_down(Process.PROMETHEUS)
        await kill_and_wait(testbed, Process.PROMETHEUS)
        _put_damage(max(_segments(testbed.folder.prometheus), key=lambda path: path.stat().st_size))
        testbed.let_up(Process.PROMETHEUS)
        await testbed.await_prometheus()
        yield


@dataclass(frozen=True, slots=True)
class RefuseWrites:
    """For two seconds of every four Prometheus cannot write: a limit of file size stands for a full disk."""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        refusing = asyncio.create_task(self._refuse(testbed))
        try:
            yield
        finally:
            refusing.cancel()
            await asyncio.gather(refusing, return_exceptions=True)
            await _restart_prometheus(testbed)  # a write that broke off is in the log

    async def _refuse(self, testbed: Testbed) -> None:
        while pid := testbed.pid_of(Process.PROMETHEUS):
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
            try:
                await asyncio.sleep(_REFUSED_SECONDS)
            finally:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
            await asyncio.sleep(_GRANTED_SECONDS)


@dataclass(frozen=True, slots=True)
class RemoveStateFolder:
    """Alertmanager's folder is gone while it runs."""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        state = testbed.folder.alertmanager
        aside = state.with_name("alertmanager-aside")
        state.rename(aside)
        try:
            yield
        finally:
            shutil.rmtree(state, ignore_errors=True)
            aside.rename(state)


@dataclass(frozen=True, slots=True)
class DamageSilences:
    """Alertmanager is killed, its silences get other bytes, and it starts when they are set aside."""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        silences = testbed.folder.alertmanager / "silences"
        testbed.hold_down(Process.ALERTMANAGER)
        await kill_and_wait(testbed, Process.ALERTMANAGER)  # killed, it has no time to write them
        silences.write_bytes(_BROKEN_SILENCES)
        testbed.let_up(Process.ALERTMANAGER)
        try:
            yield
        finally:
            if silences.exists() and silences.read_bytes() == _BROKEN_SILENCES:  # nothing has set them aside
                silences.unlink()
            shutil.rmtree(testbed.folder.damaged, ignore_errors=True)
