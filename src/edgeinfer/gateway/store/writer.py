"""Who writes the store: one thread, or the caller while the disk is quick.

What arrives at the thread together shares one write, and one sync.
"""

import asyncio
import contextlib
import errno
import logging
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Literal

from edgeinfer.errors import Overloaded, StorageError
from edgeinfer.gateway.store.layout import ARCHIVE, LIVE
from edgeinfer.gateway.store.log import NotInPlace, SegmentLog

_log = logging.getLogger(__name__)
Durability = Literal["normal", "bounded", "full"]
_JOBS_PER_COMMIT = 256
_WAITING_JOBS = 2048
_PATIENCE_SECONDS = 10.0
_CLOSING_SECONDS = 30.0
# A failing disk fails each write: one line says as much as a thousand.
_SECONDS_PER_LOG_LINE = 10.0
# A write of the caller's that waited longer for the disk is one too many. Other threads keep the interpreter lock for
# 5 ms at a time, so a few of these say nothing about the disk.
_QUICK_SECONDS = 0.02
_SLOW_DISK_SECONDS = 10.0
_WAKE_UP = object()


@dataclass(frozen=True, slots=True)
class _Job:
    """Records that are written whole or not at all, or something to be done between two writes."""

    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[int]"
    live: bytes = b""
    archive: bytes = b""
    is_urgent: bool = False
    action: Callable[[], None] | None = None


class BatchedWriter:
    """Appends records to the log of a store, each call's whole or not at all.

    With `normal`, records are in the operating system's hands when `write` returns: a killed process loses nothing, a
    power cut what the kernel had not written yet. With `bounded`, they are on the disk soon after: a sync begins at
    half of `max_unsynced_seconds`, and nothing is acknowledged while it runs. With `full`, they are on the disk.

    A hand-over to the thread and back takes ten times as long as a write into the kernel's memory. So with `bounded`
    the caller may write itself, on the event loop, in the time after a sync has shown that the disk answers. A disk
    that hangs is found by a sync, on the thread; a write that was slow sends all to the thread for ten seconds.

    Args:
        log: the files.
        durability: "normal", "bounded" or "full".
        max_unsynced_seconds: what `bounded` may lose.
        patience_seconds: after which a caller no longer waits for the disk.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        log: SegmentLog,
        *,
        durability: Durability = "bounded",
        max_unsynced_seconds: float = 1.0,
        patience_seconds: float = _PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._durability = durability
        self._sync_after = max_unsynced_seconds / 2
        self._max_unsynced_seconds = max_unsynced_seconds
        self._patience = patience_seconds
        self._clock = clock
        self._jobs: SimpleQueue[_Job | object | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._sync_at: float | None = None
        self._writing = Lock()
        """Held by whoever writes: the thread, or a caller for a moment."""
        self._proven_until = -1e9
        """Until when the newest sync shows that the disk answers."""
        self._slow_until = -1e9
        self._next_line = -1e9
        self.commits = 0
        self.writes = 0
        self.refused = 0
        """Writes that were not kept."""
        self.dropped_archives = 0
        """Ended sessions that found no room in the archive."""

    @property
    def syncs(self) -> bool:
        """Whether it syncs of its own."""
        return self._durability != "normal"

    @property
    def promise(self) -> str:
        """How durable an acknowledged write is, in words."""
        if self._durability == "bounded":
            return f"bounded: on the disk within {self._max_unsynced_seconds * 1000:g} ms"
        return {"full": "full: on the disk", "normal": "normal: on the disk when the kernel writes it"}[
            self._durability
        ]

    def start(self) -> None:
        self._thread = Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    async def write(self, live: bytes, archive: bytes = b"", *, is_urgent: bool = False) -> int:
        """Commit records together with what others write at this moment; returns the live segment they are in.

        Args:
            live: records for the live segments.
            archive: a record for the archive, written first; left out where there is no room for it.
            is_urgent: makes room later or ends a session, and so may use the room that is kept for that.

        Raises:
            Overloaded: too many writes wait.
            StorageError: nothing of it was kept, or the disk did not answer in time.
        """
        return await self._submit(live=live, archive=archive, is_urgent=is_urgent)

    def write_now(self, live: bytes) -> int | None:
        """Commit records on the caller's thread; returns the live segment they are in.

        None, and nothing is kept, where it may take longer than a moment, or fails: `write` waits, and says why.
        """
        started = self._clock()
        waits = _waits()
        is_quick = self._slow_until <= started < self._proven_until
        if not is_quick or self._thread is None or not self._writing.acquire(blocking=False):
            return None
        try:
            if not (self._log.fits(LIVE, len(live)) and self._log.has_room(len(live), is_urgent=False)):
                return None
            number = self._log.append(LIVE, live)
            self._begin_to_count()
        except OSError:
            return None
        finally:
            self._writing.release()
        self.commits += 1
        self.writes += 1
        ended = self._clock()
        # On a busy processor it may only have lost its turn, for which it did not ask.
        if ended - started > _QUICK_SECONDS and _waits() != waits:
            self._slow_until = ended + _SLOW_DISK_SECONDS
        return number

    def _begin_to_count(self) -> None:
        """The time until the next sync begins with the first write after the last one; the thread must know."""
        if self._sync_at is None:
            self._sync_at = self._clock() + self._sync_after
            self._jobs.put(_WAKE_UP)

    async def sync(self) -> None:
        """Return once everything written before is on the disk, whatever the durability; raises as `write`."""
        await self._submit(action=self._log.sync)

    async def do(self, action: Callable[[], None]) -> None:
        """Run something on the thread, between two commits; raises as `write`."""
        await self._submit(action=action)

    async def _submit(
        self,
        *,
        live: bytes = b"",
        archive: bytes = b"",
        is_urgent: bool = False,
        action: Callable[[], None] | None = None,
    ) -> int:
        thread = self._thread
        if thread is None:
            raise StorageError("sessions", "the gateway is stopping", "Send it again to the next one.")
        if not thread.is_alive():
            raise StorageError("sessions", "the thread that writes them has ended", "Restart the gateway.")
        if self._jobs.qsize() >= _WAITING_JOBS:
            raise Overloaded("sessions", "too many writes wait for the disk", "Try again in a second.")
        loop = asyncio.get_running_loop()
        job = _Job(loop, loop.create_future(), live, archive, is_urgent, action)
        self._jobs.put(job)
        try:
            async with asyncio.timeout(self._patience):
                return await job.done
        except TimeoutError as failure:
            fault = f"the disk did not take them within {self._patience:g} s"
            raise StorageError("samples", fault, "Look at the disk, then send them again.") from failure

    def _run(self) -> None:
        is_last = False
        while not is_last:
            jobs, is_last = self._gather()
            try:
                with self._writing:
                    for group in _groups(jobs):
                        self._handle(group)
                    self._sync_if_due()
            except Exception as failure:  # noqa: BLE001 - see below
                # Nothing may end this thread: all requests wait for it.
                _log.exception("unexpected error in the store's writer")
                self._refuse(jobs, failure)

    def _gather(self) -> tuple[list[_Job], bool]:
        """The jobs that wait, after waiting for one, at most until a sync is due; and whether to end."""
        patience = None if self._sync_at is None else max(0.0, self._sync_at - self._clock())
        jobs: list[_Job] = []
        try:
            first = self._jobs.get(timeout=patience)
            while isinstance(first, _Job):
                jobs.append(first)
                if len(jobs) >= _JOBS_PER_COMMIT:
                    return jobs, False
                first = self._jobs.get_nowait()
            if first is _WAKE_UP:
                return jobs, False
        except Empty:
            return jobs, False
        return jobs, True

    def _handle(self, group: list[_Job]) -> None:
        if group[0].action is None:
            self._commit(group)
            return
        try:
            group[0].action()
        except OSError as failure:
            self._refuse(group, failure)
        else:
            _answer(group)

    def _commit(self, jobs: list[_Job]) -> None:
        jobs = self._refuse_without_room(jobs)
        if not jobs:
            return
        try:
            number = self._write(jobs)
        except OSError as failure:
            self._retry(jobs, failure)
            return
        self.commits += 1
        self.writes += len(jobs)
        if self._durability == "bounded" and self._sync_at is None:
            self._sync_at = self._clock() + self._sync_after
        _answer(jobs, number)

    def _refuse_without_room(self, jobs: list[_Job]) -> list[_Job]:
        taken, coming = [], 0
        for job in jobs:
            needed = len(job.live) + len(job.archive)
            if job.is_urgent or self._log.has_room(coming + needed, is_urgent=False):
                coming += needed
                taken.append(job)
            else:
                limit = f"the store holds its {self._log.max_bytes >> 20} MiB already"
                self._refuse([job], OSError(errno.EDQUOT, limit))
        return taken

    def _write(self, jobs: list[_Job]) -> int:
        archive = b"".join(job.archive for job in jobs)
        if archive and not self._archive(archive):
            self.dropped_archives += sum(bool(job.archive) for job in jobs)
        number = self._log.append(LIVE, b"".join(job.live for job in jobs))
        if self._durability == "full":
            self._log.sync()
        return number

    def _archive(self, data: bytes) -> bool:
        """Keep ended sessions; where that fails, they end all the same."""
        if not self._log.has_room(len(data), is_urgent=True):
            return False
        try:
            self._log.append(ARCHIVE, data)
        except OSError as failure:
            self._warn("an ended session could not be kept", failure)
            return False
        return True

    def _retry(self, jobs: list[_Job], failure: OSError) -> None:
        """Let each job of a failed commit fail alone; ends of sessions get the reserve of a full disk."""
        self._warn("samples could not be stored", failure)
        if isinstance(failure, NotInPlace):
            self._refuse(jobs, failure)
        elif len(jobs) > 1:
            for job in jobs:
                self._commit([job])
        elif jobs[0].is_urgent and failure.errno == errno.ENOSPC and self._log.release_reserve():
            self._commit(jobs)
        else:
            self._refuse(jobs, failure)

    def _sync_if_due(self) -> None:
        if self._sync_at is None or self._clock() < self._sync_at:
            return
        self._sync_at, self._proven_until = None, -1e9
        try:
            self._log.sync()
        except OSError as failure:
            self._warn("samples could not be synced to the disk", failure)
        else:
            self._proven_until = self._clock() + self._max_unsynced_seconds

    def _warn(self, what: str, failure: OSError) -> None:
        if self._clock() >= self._next_line:
            self._next_line = self._clock() + _SECONDS_PER_LOG_LINE
            _log.error(what, extra={"fault": failure.strerror or str(failure), "place": self._log.place})

    def _refuse(self, jobs: list[_Job], failure: Exception) -> None:
        self.refused += len(jobs)
        _answer(jobs, failure=self._refusal(failure))

    def _refusal(self, failure: Exception) -> StorageError:
        why = failure.strerror if isinstance(failure, OSError) else str(failure)
        fault = f"they could not be stored in {self._log.place} ({why}); none was accepted"
        if isinstance(failure, NotInPlace):
            remedy = "Restart the gateway, once the folder is as it should be."
        else:
            remedy = "Make room on the disk or raise EDGEINFER_GATEWAY_STORE_MEGABYTES, then send them again."
        return StorageError("samples", fault, remedy)

    def close(self) -> None:
        """Finish what waits, and end the thread; blocks; safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join(_CLOSING_SECONDS)
            if thread.is_alive():
                _log.error("the disk does not answer; the store is left as it is", extra={"place": self._log.place})


def _waits() -> int:
    """How often this thread gave up the processor because it had to wait."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _groups(jobs: list[_Job]) -> list[list[_Job]]:
    """Jobs that share a commit; an action stands alone. Nobody waits any more for one that was cancelled."""
    groups: list[list[_Job]] = []
    for job in jobs:
        if job.done.cancelled():
            continue
        if groups and job.action is None and groups[-1][0].action is None:
            groups[-1].append(job)
        else:
            groups.append([job])
    return groups


def _answer(jobs: list[_Job], number: int = 0, failure: StorageError | None = None) -> None:
    def answer() -> None:
        for job in jobs:
            if job.done.done():
                continue
            if failure is None:
                job.done.set_result(number)
            else:
                job.done.set_exception(failure)

    # A loop that was closed meanwhile has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        jobs[0].loop.call_soon_threadsafe(answer)
