"""Sessions that survive the process: in memory for reading, in the store's files before the 202 goes out."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from uuid import UUID

from edgeinfer.errors import DataFolderError, Overloaded, StorageError
from edgeinfer.gateway.archive import Archive
from edgeinfer.gateway.instruments import StoreInstruments
from edgeinfer.gateway.kept_session import KeptSession
from edgeinfer.gateway.placement import Piece
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.sessions import Session, SessionEnd, SessionTable, Stored
from edgeinfer.gateway.store.clock import StoreClock
from edgeinfer.gateway.store.files import Files
from edgeinfer.gateway.store.layout import LIVE
from edgeinfer.gateway.store.log import SegmentLog
from edgeinfer.gateway.store.records import Archived, End, RecordKind, Start, StoredBatch, probe
from edgeinfer.gateway.store.recovery import Recovered, RecoveredSession, recover
from edgeinfer.gateway.store.repair import repair
from edgeinfer.gateway.store.writer import BatchedWriter, Durability
from edgeinfer.gateway.stream import NEWEST_SAMPLES, Stream

_log = logging.getLogger(__name__)
_ROW_BYTES = 44
# What a phone sends four times a second, with its head: a probe smaller than that would fit where samples do not.
_PROBE_BYTES = 25 * _ROW_BYTES + 32
_FULL_SHARE = 0.9
_CHEAP_MOVE_SHARE = 0.1
_MIN_SEALING_SECONDS = 60.0
_ENDS_AT_ONCE = 32


class DurableSessions:
    """Keeps sessions in files and in memory, in this order.

    Args:
        table: the sessions in memory.
        files: the folder.
        instruments: where size, writes and losses are shown.
        durability: how durable an acknowledged sample is: "normal", "bounded" or "full".
        max_unsynced_seconds: what `bounded` may lose.
        max_bytes: of all files.
        retention_seconds: how long an ended session stays in the files, by the store's own time.
        clock: the store's time.
        wall: seconds since 1970; for people only.
    """

    def __init__(  # noqa: PLR0913 - the seams have defaults
        self,
        table: SessionTable,
        files: Files,
        instruments: StoreInstruments,
        *,
        durability: Durability = "bounded",
        max_unsynced_seconds: float = 1.0,
        max_bytes: int = 512 * 1024 * 1024,
        retention_seconds: float = 86_400.0,
        clock: StoreClock | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._files = files
        self._instruments = instruments
        self._retention_ms = int(retention_seconds * 1000)
        self._clock = clock or StoreClock()
        self._wall = wall
        self.log = SegmentLog(files, self._clock, max_bytes=max_bytes)
        self.writer = BatchedWriter(self.log, durability=durability, max_unsynced_seconds=max_unsynced_seconds)
        self._kept: dict[str, KeptSession] = {}
        self.archive = Archive(
            files, self.log, self.writer, table, instruments, self._clock, self._retention_ms, self._wall
        )
        self._tidying = asyncio.Lock()
        self._tidy_task: asyncio.Task[None] | None = None
        self._tidied_at: tuple[int, int] = (0, 0)
        self._written_bytes = 0
        self._refused_before = 0

    @property
    def kind(self) -> str:
        """What keeps them, in words, and what of them was lost."""
        said = [f"{self._files.place} ({self.writer.promise})", *self.archive.losses()]
        if self.writer.dropped_archives:
            said.append(f"{self.writer.dropped_archives} ended sessions found no room in the archive")
        return "; ".join(said)

    def open(self) -> None:
        """Lock the folder and bring back the sessions that had not ended; blocks.

        Damaged files are set aside, and what can be read of them is kept.

        Raises:
            DataFolderError: the folder cannot be read or made, or another gateway uses it.
        """
        try:
            self._files.open()
        except BlockingIOError as failure:
            raise _unusable(self._files.place, "another gateway uses it") from failure
        except OSError as failure:
            raise _unusable(self._files.place, failure.strerror or str(failure)) from failure
        try:
            found = recover(self._files)
            self._adopt(found)
        except OSError as failure:
            self._files.close()
            raise _unusable(self._files.place, failure.strerror or str(failure)) from failure
        self.writer.start()

    def _adopt(self, found: Recovered) -> None:
        repaired = repair(self._files, found, self._wall)
        self._clock.resume(found.anchor, found.newest_ms)
        self.log.adopt(found)
        if repaired.losses:
            try:
                self.log.rewrite_manifest()
            except OSError as failure:
                _log.warning("cannot write the manifest of the store", extra={"fault": str(failure)})
        self.archive.adopt(found, repaired)
        for uuid, reason in found.ended.items():
            self._table.restore_end(str(uuid), reason)
        for uuid, recovered in found.sessions.items():
            self._restore(uuid, recovered)
        self._show()

    def _restore(self, uuid: UUID, recovered: RecoveredSession) -> None:
        start = recovered.start
        session = Session(str(uuid), start.started_at or self._wall(), 0.0, 0.0)
        kept = self._kept[session.id] = KeptSession(uuid, start.started_ms, recovered.segment)
        for role, stream in recovered.streams.items():
            for part in stream.parts:
                restored = session.streams.get(role) or Stream(role, total=part.before)
                session.restore(restored, Piece(part.batch, is_late=part.is_late))
                kept.note(role, part.segment, len(part.batch))
        session.newest_role = recovered.newest_role
        self._table.restore(session, max(0, self._clock.now_ms() - start.started_ms) / 1000)

    def close(self) -> None:
        """Finish writing and close the files; blocks."""
        self.writer.close()
        try:
            self.log.close()
        except OSError as failure:
            _log.warning("the store was not closed cleanly", extra={"fault": failure.strerror or str(failure)})
        self._files.close()

    async def start(self) -> Session:
        """A new session; evicts the one silent longest where there are too many."""
        self._wake()
        for old in self._table.surplus():
            await self._end(old, "evicted")
        session = self._table.new()
        kept = KeptSession(UUID(session.id), self._clock.now_ms(), 0)
        start = Start(kept.uuid, session.started_at, kept.started_ms)
        kept.segment = await self.writer.write(start.encode(kept.started_ms))
        self._kept[session.id] = kept
        self._table.add(session)
        return session

    def get(self, session_id: str) -> Session:
        return self._table.get(session_id)

    def age_seconds(self, stream: Stream) -> float | None:
        """How long ago the newest samples of a stream arrived; None for those of a run before."""
        return self._table.age_seconds(stream)

    async def append(self, session_id: str, role: str, batch: Batch) -> Stored:
        """Keep samples; they are committed on return.

        Whoever stops waiting leaves no trace in memory. Its record may be in the file: the next one of the stream
        begins at the same sample, and takes its place when the file is read.
        """
        stored = self.append_now(session_id, role, batch)
        if stored is not None:
            return stored
        async with self._table.get(session_id).changing:
            # It may have ended while this waited for its turn.
            session = self._table.get(session_id)
            stream = session.stream_for(role, is_empty=not len(batch))
            placement = stream.place(batch)
            if placement.pieces:
                await self._write(self._kept[session.id], stream, placement.pieces)
            return self._table.apply(session, stream, placement)

    def append_now(self, session_id: str, role: str, batch: Batch) -> Stored | None:
        """Keep samples where the writer can commit them at once; None where it cannot, or others are on their way."""
        session = self._table.get(session_id)
        if session.changing.locked():
            return None
        if self.log.newest != self._tidied_at or self.log.fill > _FULL_SHARE:
            self._wake()
        stream = session.stream_for(role, is_empty=not batch.count)
        placement = stream.place(batch)
        if placement.pieces:
            kept, started = self._kept[session.id], time.perf_counter()
            segment = self.writer.write_now(self._records(kept, stream, placement.pieces))
            if segment is None:
                return None
            kept.note_written(stream.role, placement.pieces, segment, started)
        return self._table.apply(session, stream, placement)

    async def _write(self, kept: KeptSession, stream: Stream, pieces: list[Piece]) -> None:
        records, started = self._records(kept, stream, pieces), time.perf_counter()
        kept.note_written(stream.role, pieces, await self.writer.write(records), started)

    def _records(self, kept: KeptSession, stream: Stream, pieces: list[Piece]) -> bytes:
        before, records = stream.total, []
        for piece in pieces:
            records.append(self._record(kept, stream.role, before, piece))
            before += piece.batch.count
        return b"".join(records)

    def _record(self, kept: KeptSession, role: str, before: int, piece: Piece) -> bytes:
        """The record of a piece, with no more of it than a stream holds."""
        newest, skipped = piece.batch, 0
        if newest.count > NEWEST_SAMPLES:
            skipped = newest.count - NEWEST_SAMPLES
            newest = Batch(newest.times[skipped:], newest.values[skipped:])
        kind = RecordKind.SNAPSHOT if skipped else RecordKind.LATE if piece.is_late else RecordKind.BATCH
        return StoredBatch(kept.uuid, role, before + skipped, newest).encode(self._clock.now_ms(), kind)

    async def stop(self, session_id: str) -> SessionEnd:
        ended = await self._end(self._table.get(session_id), "stopped")
        # Raises where another request ended it first.
        return ended or self._raise_ended(session_id)

    def _raise_ended(self, session_id: str) -> SessionEnd:
        self._table.get(session_id)
        raise AssertionError("a session that ended is not in the table")

    async def _end(self, session: Session, reason: str) -> SessionEnd | None:
        # Whoever asked may go away; memory must follow what is in the file all the same.
        ending = asyncio.ensure_future(self._end_whole(session, reason))
        ending.add_done_callback(_look_at)
        return await asyncio.shield(ending)

    async def _end_whole(self, session: Session, reason: str) -> SessionEnd | None:
        async with session.changing:
            if not self._table.has(session):
                return None
            kept, now = self._kept[session.id], self._clock.now_ms()
            streams = tuple(
                (role, stream.total, Batch(stream.times, stream.values)) for role, stream in session.streams.items()
            )
            duration = now - kept.started_ms
            archived = Archived(kept.uuid, session.started_at, self._wall(), reason, duration, streams)
            await self.writer.write(End(kept.uuid, reason).encode(now), archive=archived.encode(now), is_urgent=True)
            self.archive.note_end(now)
            del self._kept[session.id]
            return self._table.end(session, reason)

    async def expire(self) -> None:
        """End silent sessions, and remove from the files what nobody needs any more, in small portions."""
        idle = self._table.idle()
        for first in range(0, len(idle), _ENDS_AT_ONCE):
            await asyncio.gather(*(self._end(session, "expired") for session in idle[first : first + _ENDS_AT_ONCE]))
        await self._seal_by_age()
        await self._tidy()
        await self.archive.read_unread()
        self._show()

    async def check(self) -> str:
        """Prove by a write of the size of a batch that samples could be kept, and look at what was refused."""
        refused = self.writer.refused - self._refused_before
        try:
            await self.writer.write(probe(self._clock.now_ms(), _PROBE_BYTES))
            if self.writer.syncs:
                await self.writer.sync()
        finally:
            self._refused_before = self.writer.refused
        self._show()
        return f"{refused} writes were refused since the check before" if refused else ""

    def _show(self) -> None:
        written = self.log.written_bytes
        self._instruments.written.inc(written - self._written_bytes)
        self._written_bytes = written
        try:
            set_aside = self._files.count_set_aside()
        except OSError as failure:
            _log.warning("cannot count the folders of damaged files", extra={"fault": str(failure)})
            return
        self._instruments.show_sizes(self.log.used_bytes, self.log.max_bytes, set_aside)

    # --- Housekeeping: on the event loop, its writes among those of all sessions; whole files are removed on another
    # thread.

    def _wake(self) -> None:
        """Tidy up once a segment was begun, or where room is short."""
        now = self.log.newest
        if (now == self._tidied_at and not self._is_short()) or self._tidying.locked():
            return
        if self._tidy_task is None or self._tidy_task.done():
            self._tidied_at = now
            self._tidy_task = asyncio.create_task(self._tidy_in_background())

    async def _tidy_in_background(self) -> None:
        try:
            await self._tidy()
        except (StorageError, Overloaded) as failure:
            _log.warning("session cleanup failed; will retry", extra={"fault": str(failure)})

    def _is_short(self) -> bool:
        return self.log.fill > _FULL_SHARE

    async def _tidy(self) -> None:
        async with self._tidying:
            try:
                await asyncio.to_thread(self.log.drop, LIVE, [])  # what could not be removed before
                await self.archive.drop_old(self._is_short)
                await self._move_live_out()
            except OSError as failure:
                fault = failure.strerror or str(failure)
                raise StorageError("sessions", f"old files could not be removed ({fault})", "Look at the disk.") from (
                    failure
                )

    async def _seal_by_age(self) -> None:
        """Let no segment be written so long that what ended in it stays much beyond its time."""
        limit = max(self._retention_ms, _MIN_SEALING_SECONDS * 1000)
        if self.log.age_ms(LIVE) > limit:
            await self.writer.do(lambda: self.log.seal(LIVE))
        await self.archive.seal_by_age()

    async def _move_live_out(self) -> None:
        """Remove the oldest live segments, after what is needed of them was written again at the end."""
        for number, size in self.log.sealed(LIVE).items():
            needed = self._needed_of(number)
            if number >= self.log.current(LIVE):
                if needed:
                    return
                # The next write would open it again, where there is room in it.
                await self.writer.do(lambda: self.log.seal(LIVE))
            cost = sum(self._move_bytes(id_, kept, number) for id_, kept in needed.items())
            if not self._is_worth_moving(number, size, cost):
                return
            for id_, kept in needed.items():
                await self._move(id_, kept, number)
            # Always: what makes this segment superfluous may be newer samples that a power cut would still take.
            await self.writer.sync()
            # What was written before this sync is noted by now; some of it may lie here, and was not noted above.
            if self._needed_of(number):
                return
            await asyncio.to_thread(self.log.drop, LIVE, [number])

    def _needed_of(self, number: int) -> "dict[str, KeptSession]":
        """Sessions that a restart would need a live segment, or an older one, for; as far as writes were answered."""
        return {id_: kept for id_, kept in self._kept.items() if kept.segment <= number or kept.roles_in(number)}

    def _move_bytes(self, session_id: str, kept: KeptSession, number: int) -> int:
        session = self._table.find(session_id)
        streams = session.streams if session is not None else {}
        return 64 + sum(len(streams[role]) * _ROW_BYTES for role in kept.roles_in(number) if role in streams)

    def _is_worth_moving(self, number: int, size: int, cost: int) -> bool:
        if cost <= size * _CHEAP_MOVE_SHARE or number in self.log.suspects():
            return True
        used, needed = self.log.bytes_of(LIVE), self._table.held * _ROW_BYTES
        if self._is_short():
            return used - needed > self.log.segment_bytes
        return used > 2 * needed + 4 * self.log.segment_bytes

    async def _move(self, session_id: str, kept: KeptSession, number: int) -> None:
        """Write again what a session needs of a segment, one stream at a time."""
        session = self._table.find(session_id)
        if session is None:
            return
        async with session.changing:
            if not self._table.has(session):
                return
            start = Start(kept.uuid, session.started_at, kept.started_ms)
            if kept.segment <= number:
                kept.segment = await self.writer.write(start.encode(self._clock.now_ms()), is_urgent=True)
            for role in kept.roles_in(number):
                stream = session.streams[role]
                held = Batch(stream.times, stream.values)
                stored = StoredBatch(kept.uuid, role, stream.total - len(held), held)
                record = stored.encode(self._clock.now_ms(), RecordKind.SNAPSHOT)
                segment = await self.writer.write(record, is_urgent=True)
                stream.forget_order()
                kept.streams[role] = deque([[segment, len(held)]])


def _look_at(ending: "asyncio.Future[SessionEnd | None]") -> None:
    """A failure that no caller awaits any more is expected."""
    if not ending.cancelled():
        ending.exception()


def _unusable(place: str, fault: str) -> DataFolderError:
    remedy = "Name another folder with EDGEINFER_GATEWAY_DATA_FOLDER, or fix this one."
    return DataFolderError(f"data folder {place}", fault, remedy)
