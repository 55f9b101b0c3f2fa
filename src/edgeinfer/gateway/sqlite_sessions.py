"""Sessions that survive the process: in memory for reading, in a journal before the 202 goes out."""

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edgeinfer.errors import DataFolderError
from edgeinfer.gateway.journal import Journal, Statement
from edgeinfer.gateway.samples import CHANNELS, Batch
from edgeinfer.gateway.sessions import Ended, Session, SessionTable
from edgeinfer.gateway.stream import NEWEST_SAMPLES, Stream

_ROW_BYTES = 8 + 4 * len(CHANNELS)
# Old batches go in portions: a delete with each insert would double the writing.
_SURPLUS_SAMPLES = 500
_FULL_SHARE = 0.9

_ADD_SESSION = "INSERT INTO sessions (id, started_at) VALUES (?, ?)"
_END_SESSION = "UPDATE sessions SET ended_at = ?, reason = ? WHERE id = ?"
_ADD_BATCH = "INSERT INTO batches (session, role, number, total, samples) VALUES (?, ?, ?, ?, ?)"
_DROP_BATCHES = "DELETE FROM batches WHERE session = ? AND role = ? AND number < ?"
_DROP_OLD_BATCHES = "DELETE FROM batches WHERE session IN (SELECT id FROM sessions WHERE ended_at < ?)"
_DROP_OLD_SESSIONS = "DELETE FROM sessions WHERE ended_at < ?"
_CHECK = "UPDATE checks SET count = count + 1"
_LIVE_BATCHES = """
SELECT b.session, b.role, b.number, b.total, b.samples FROM batches b JOIN sessions s ON s.id = b.session
WHERE s.ended_at IS NULL ORDER BY b.rowid
"""


@dataclass(slots=True)
class _Written:
    """The batches of one stream that are in the file."""

    next_number: int = 0
    counts: "deque[tuple[int, int]]" = field(default_factory=deque)
    samples: int = 0

    def add(self, count: int) -> None:
        self.counts.append((self.next_number, count))
        self.next_number += 1
        self.samples += count

    def surplus(self, coming: int) -> int:
        """Number of the first batch worth keeping once `coming` samples join, 0 while all are."""
        spare = self.samples + coming - NEWEST_SAMPLES
        if spare < _SURPLUS_SAMPLES:
            return 0
        first = 0
        for number, count in self.counts:
            if spare < count:
                break
            spare -= count
            first = number + 1
        return first

    def drop(self, before: int) -> None:
        while self.counts and self.counts[0][0] < before:
            self.samples -= self.counts.popleft()[1]


class SqliteSessions:
    """Keeps sessions in a journal and in memory, in this order.

    Args:
        table: the sessions in memory.
        journal: the file.
        retention_seconds: how long an ended session stays in the file.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        table: SessionTable,
        journal: Journal,
        *,
        retention_seconds: float = 86_400.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._journal = journal
        self._retention = retention_seconds
        self._wall = wall
        self._written: dict[str, dict[str, _Written]] = {}

    @property
    def kind(self) -> str:
        """What keeps them, in words."""
        return self._journal.kind

    def open(self) -> None:
        """Open the file and bring back the sessions that had not ended; blocks.

        Raises:
            DataFolderError: as `Journal.open`.
        """
        connection = self._journal.open()
        try:
            sessions = _read_sessions(connection, self._table.restore_end)
            self._read_batches(connection, sessions)
        except (sqlite3.Error, ValueError) as failure:
            self._journal.close()
            remedy = "Move the file away to start without the sessions of before."
            raise DataFolderError(self._journal.kind, f"its content cannot be read ({failure})", remedy) from failure
        for session in sessions.values():
            self._table.restore(session)

    def _read_batches(self, connection: sqlite3.Connection, sessions: dict[str, Session]) -> None:
        for session_id in sessions:
            self._written[session_id] = {}
        for session_id, role, number, total, blob in connection.execute(_LIVE_BATCHES):
            session, batch = sessions[session_id], _from_blob(blob)
            session.apply(session.streams.get(role) or Stream(role), batch, 0.0)
            session.streams[role].total = total
            written = self._written[session_id].setdefault(role, _Written())
            written.next_number = number
            written.add(len(batch))

    def close(self) -> None:
        """Finish writing and close the file; blocks."""
        self._journal.close()

    async def start(self) -> Session:
        """A new session; evicts the one silent longest where there are too many."""
        for old in self._table.surplus():
            await self._end(old, "evicted")
        session = self._table.new()
        await self._journal.write([(_ADD_SESSION, (session.id, session.started_at))])
        self._written[session.id] = {}
        self._table.add(session)
        return session

    def get(self, session_id: str) -> Session:
        """A session under way."""
        return self._table.get(session_id)

    async def append(self, session_id: str, role: str, batch: Batch) -> Stream:
        """Keep samples; they are committed on return."""
        async with self._table.get(session_id).changing:
            # It may have ended while this waited for its turn.
            session = self._table.get(session_id)
            stream = session.stream_for(role)
            stream.check(batch)
            if len(batch):
                await self._write(session, stream, batch)
            self._table.apply(session, stream, batch)
            return stream

    async def _write(self, session: Session, stream: Stream, batch: Batch) -> None:
        written = self._written[session.id].setdefault(stream.role, _Written())
        total = stream.total + len(batch)
        kept = _newest(batch)
        statements: list[Statement] = [
            (_ADD_BATCH, (session.id, stream.role, written.next_number, total, _to_blob(kept)))
        ]
        first = written.surplus(len(kept))
        if first:
            statements.append((_DROP_BATCHES, (session.id, stream.role, first)))
        await self._journal.write(statements)
        written.add(len(kept))
        written.drop(first)

    async def stop(self, session_id: str) -> Ended:
        """End a session."""
        ended = await self._end(self._table.get(session_id), "stopped")
        # Raises where another request ended it first.
        return ended or self._raise_ended(session_id)

    def _raise_ended(self, session_id: str) -> Ended:
        self._table.get(session_id)
        raise AssertionError("a session that ended is not in the table")

    async def _end(self, session: Session, reason: str) -> Ended | None:
        async with session.changing:
            if not self._table.has(session):
                return None
            await self._journal.write([(_END_SESSION, (self._wall(), reason, session.id))])
            self._written.pop(session.id, None)
            return self._table.end(session, reason)

    async def expire(self) -> None:
        """End silent sessions, and drop from the file what ended long ago, sooner where room is short."""
        for session in self._table.idle():
            await self._end(session, "expired")
        is_short = self._journal.fill > _FULL_SHARE
        before = self._wall() - (0.0 if is_short else self._retention)
        await self._journal.write([(_DROP_OLD_BATCHES, (before,)), (_DROP_OLD_SESSIONS, (before,))])

    async def check(self) -> None:
        """Prove by a write that samples could be kept."""
        await self._journal.write([(_CHECK, ())])


def _read_sessions(connection: sqlite3.Connection, remember: Callable[[str, str], None]) -> dict[str, Session]:
    sessions = {}
    rows = connection.execute("SELECT id, started_at, ended_at, reason FROM sessions ORDER BY coalesce(ended_at, 0)")
    for session_id, started_at, ended_at, reason in rows:
        if ended_at is None:
            sessions[session_id] = Session(session_id, started_at, 0.0, 0.0)
        else:
            remember(session_id, reason)
    return sessions


def _newest(batch: Batch) -> Batch:
    return Batch(batch.times[-NEWEST_SAMPLES:], batch.values[-NEWEST_SAMPLES:])


def _to_blob(batch: Batch) -> bytes:
    return batch.times.astype("<f8", copy=False).tobytes() + batch.values.astype("<f4", copy=False).tobytes()


def _from_blob(blob: bytes) -> Batch:
    count, rest = divmod(len(blob), _ROW_BYTES)
    if rest:
        raise ValueError(f"a batch of {len(blob)} bytes is not whole samples")
    times = np.frombuffer(blob, "<f8", count)
    values = np.frombuffer(blob, "<f4", offset=8 * count).reshape(count, len(CHANNELS))
    return Batch(times.astype(np.float64, copy=False), values.astype(np.float32, copy=False))
