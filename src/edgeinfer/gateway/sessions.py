"""Sessions of phones: what they are, how many there may be, and the seam behind which they are kept."""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

import msgspec

from edgeinfer.errors import InvalidSamples, StoppedSession, UnknownSession
from edgeinfer.gateway.instruments import SessionInstruments
from edgeinfer.gateway.placement import Piece, Placement
from edgeinfer.gateway.samples import ROLE_PATTERN, Batch
from edgeinfer.gateway.stream import Stream
from edgeinfer.gateway.stream_account import CLOCK_JUMP, EVENTS

MAX_ROLES = 2
SHORT_ID = 8
"""Characters of an id that alerts name, and that find its session."""
_REMEMBERED_ENDS = 10_000
_role = re.compile(ROLE_PATTERN, re.ASCII)
_START_ANOTHER = "Start one with POST /api/v1/analysis/start."


def canonical_id(given: str) -> str:
    """A session's id as this service writes it: UUIDs are written in lower case and read in either (RFC 9562, 4)."""
    return given.lower()


@dataclass(slots=True)
class Session:
    """One session under way.

    Args:
        id: its name in the API.
        started_at: wall clock, seconds since 1970.
        started: monotonic seconds.
        touched: monotonic seconds of its newest samples.
        restored_at: wall clock of the start of the gateway that brought it back from the store; None in the run that
            began it. What is counted, answered and said by its sender is known from then on.
    """

    id: str
    started_at: float
    started: float
    touched: float
    restored_at: float | None = None
    streams: dict[str, Stream] = field(default_factory=dict)
    newest_role: str = ""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while samples are on their way to the disk, so that the next ones are checked against them."""

    @property
    def total_samples(self) -> int:
        """Samples accepted since the start."""
        return sum(stream.total for stream in self.streams.values())

    @property
    def held_samples(self) -> int:
        """Samples held at this moment."""
        return sum(len(stream) for stream in self.streams.values())

    def stream(self, role: str | None = None) -> Stream:
        """The stream of a role, or the one that got samples last.

        Raises:
            InvalidSamples: no stream has this role.
        """
        name = self.newest_role if role is None else role
        if name in self.streams:
            return self.streams[name]
        if role is None:
            return Stream("default")
        known = ", ".join(self.streams) or "none yet"
        raise InvalidSamples("role", "the session has no stream of this role", f"Its streams: {known}.")

    def stream_for(self, role: str, *, is_empty: bool = False) -> Stream:
        """The stream that samples of a role go to, new or not; it joins the session with its first samples.

        Args:
            role: of the upload.
            is_empty: it has no samples, and so is never one stream too many.

        Raises:
            InvalidSamples: the role is not a short token, or one too many.
        """
        if role in self.streams:
            return self.streams[role]
        if not _role.fullmatch(role):
            raise InvalidSamples("role", "it is not a short token", f"Use a role that matches {ROLE_PATTERN}.")
        if len(self.streams) >= MAX_ROLES and not is_empty:
            known = ", ".join(self.streams)
            raise InvalidSamples("role", f"the session has {MAX_ROLES} streams already", f"Use one of: {known}.")
        return Stream(role)

    def apply(self, stream: Stream, placement: Placement, now: float, wall: float) -> bool:
        """Keep what was placed; returns whether all of it was as usual, so that nothing but samples is to be counted.

        An upload without samples keeps the session alive, and changes nothing else.
        """
        self.touched = now
        stream.account.duplicates += placement.known
        if not placement.pieces:
            return not placement.known
        is_usual = stream.accept(placement.pieces, now, wall)
        self.streams[stream.role] = stream
        self.newest_role = stream.role
        return is_usual and not placement.known

    def restore(self, stream: Stream, piece: Piece) -> None:
        """Take in samples of a run before, which nobody accounts for again."""
        stream.insert(piece)
        self.streams[stream.role] = stream


class Stored(msgspec.Struct, frozen=True):
    """What became of an upload.

    Args:
        stream: it went to.
        accepted: samples stored.
        known: samples skipped, because the stream had them.
        late: samples among the accepted that were put before later ones.
        clock_jumps: times that its clock jumped, in either direction.
    """

    stream: Stream
    accepted: int
    known: int
    late: int
    clock_jumps: int


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """A session that came to its end."""

    id: str
    reason: str
    duration_seconds: float
    total_samples: int


class SessionStore(Protocol):
    """Keeps sessions. Whatever raises has changed nothing."""

    @property
    def kind(self) -> str:
        """What keeps them, in words for a health page."""

    def open(self) -> None:
        """Make ready, with the sessions of the run before where they were kept; blocks, before serving begins.

        Raises:
            DataFolderError: the folder cannot be used.
        """

    def close(self) -> None:
        """Close files; blocks, after serving has ended; safe to call twice."""

    async def start(self) -> Session:
        """A new session."""

    def get(self, session_id: str) -> Session:
        """A session under way.

        Raises:
            UnknownSession: there never was one, as far as is known.
            StoppedSession: it has ended.
        """

    async def append(self, session_id: str, role: str, batch: Batch) -> Stored:
        """Keep what is new of samples in any order; on return it survives what the store promises.

        Raises:
            UnknownSession, StoppedSession: as `get`.
            InvalidSamples: a role that is none, or times that go back and forth too often.
            StorageError: it could not be stored; none of it was accepted.
        """

    def append_now(self, session_id: str, role: str, batch: Batch) -> Stored | None:
        """The same without waiting; None, and nothing has changed, where `append` has to wait. Raises as `append`."""

    def age_seconds(self, stream: Stream) -> float | None:
        """How long ago the newest samples of a stream arrived; None for those of a run before."""

    async def stop(self, session_id: str) -> SessionEnd:
        """End a session; raises as `get`, and StorageError."""

    async def expire(self) -> None:
        """End the sessions that have been silent for too long."""

    async def check(self) -> str:
        """Prove that samples could be kept now; says what goes wrong all the same, or nothing.

        Raises:
            StorageError: they could not.
        """


class SessionTable:
    """The sessions in memory, within their bounds.

    Args:
        instruments: where starts, ends and samples are counted.
        max_sessions: one more evicts the session that was silent longest.
        idle_seconds: silence after which a session expires.
        clock: monotonic seconds.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        instruments: SessionInstruments,
        *,
        max_sessions: int = 1000,
        idle_seconds: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._instruments = instruments
        self._max_sessions = max_sessions
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._wall = wall
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # the one silent longest comes first
        self._ended: OrderedDict[str, str] = OrderedDict()
        self.on_end: Callable[[Session, str], None] = lambda _session, _reason: None
        """Called with each session that ends and the reason, while it still has its samples."""
        instruments.active.set_function(self._sessions.__len__)
        self._held = 0
        instruments.held.set_function(lambda: self._held)

    def new(self) -> Session:
        """A session that is not in the table yet."""
        now = self._clock()
        return Session(str(uuid4()), self._wall(), now, now)

    def add(self, session: Session) -> None:
        self._sessions[session.id] = session
        self._instruments.started.inc()

    def restore(self, session: Session, age_seconds: float) -> None:
        """Take in a session of the run before that began so long ago; its silence counts from now."""
        session.touched = self._clock()
        session.restored_at = self._wall()
        session.started = session.touched - age_seconds
        self._sessions[session.id] = session
        self._held += session.held_samples

    def restore_end(self, session_id: str, reason: str, *, is_older: bool = False) -> None:
        """Remember a session that ended in a run before; one older than the others only where there is room."""
        if is_older and (session_id in self._sessions or len(self._ended) >= _REMEMBERED_ENDS):
            return
        self._remember(session_id, reason)
        if is_older:
            self._ended.move_to_end(session_id, last=False)

    def get(self, session_id: str) -> Session:
        """A session under way; raises UnknownSession or StoppedSession."""
        session = self._sessions.get(session_id)
        if session is not None:
            return session
        if session_id in self._ended:
            raise StoppedSession("session", f"it was {self._ended[session_id]}", _START_ANOTHER)
        raise UnknownSession("session", "no session has this id", _START_ANOTHER)

    def find(self, session_id: str) -> Session | None:
        """A session under way, None where there is none."""
        return self._sessions.get(session_id)

    def age_seconds(self, stream: Stream) -> float | None:
        """How long ago the newest samples of a stream arrived; None for those of a run before."""
        arrived = stream.account.newest_arrived
        return None if arrived is None else max(0.0, self._clock() - arrived)

    def all(self) -> list[Session]:
        return list(self._sessions.values())

    @property
    def held(self) -> int:
        """Samples that all sessions hold."""
        return self._held

    def has(self, session: Session) -> bool:
        """Whether a session is still under way."""
        return session.id in self._sessions

    def apply(self, session: Session, stream: Stream, placement: Placement) -> Stored:
        """Keep what was placed in a stream of a session of the table."""
        account, accepted, before = stream.account, placement.accepted, len(stream)
        counted = account.counted
        is_usual = session.apply(stream, placement, self._clock(), self._wall())
        self._held += len(stream) - before
        self._sessions.move_to_end(session.id)
        self._instruments.received.inc(accepted)
        if is_usual:
            return Stored(stream, accepted, 0, 0, 0)
        account.counted = account.counts
        jumps = 0
        for event, count, old in zip(EVENTS, account.counted, counted, strict=True):
            if count > old:
                self._instruments.events[event].inc(count - old)
            if event == CLOCK_JUMP:
                jumps = count - old
        return Stored(stream, accepted, placement.known, placement.late, jumps)

    def end(self, session: Session, reason: str) -> SessionEnd:
        del self._sessions[session.id]
        self._held -= session.held_samples
        self._remember(session.id, reason)
        self.on_end(session, reason)
        self._instruments.ended[reason].inc()
        return SessionEnd(session.id, reason, max(0.0, self._clock() - session.started), session.total_samples)

    def _remember(self, session_id: str, reason: str) -> None:
        self._ended[session_id] = reason
        if len(self._ended) > _REMEMBERED_ENDS:
            self._ended.popitem(last=False)

    def surplus(self) -> list[Session]:
        """The sessions that must go before another one may start, silent longest first."""
        too_many = len(self._sessions) + 1 - self._max_sessions
        return [session for session, _ in zip(self._sessions.values(), range(too_many), strict=False)]

    def idle(self) -> list[Session]:
        """The sessions that have been silent for too long."""
        return list(self._idle())

    def _idle(self) -> Iterator[Session]:
        limit = self._clock() - self._idle_seconds
        for session in self._sessions.values():
            if session.touched >= limit:
                return
            yield session


class MemorySessions:
    """Keeps sessions in memory; they end with the process.

    Args:
        table: the sessions.
    """

    kind = "memory: sessions end with the process"

    def __init__(self, table: SessionTable) -> None:
        self._table = table

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    async def start(self) -> Session:
        """A new session; evicts the one silent longest where there are too many."""
        for session in self._table.surplus():
            self._table.end(session, "evicted")
        session = self._table.new()
        self._table.add(session)
        return session

    def get(self, session_id: str) -> Session:
        return self._table.get(session_id)

    async def append(self, session_id: str, role: str, batch: Batch) -> Stored:
        return self.append_now(session_id, role, batch)

    def append_now(self, session_id: str, role: str, batch: Batch) -> Stored:
        session = self._table.get(session_id)
        stream = session.stream_for(role, is_empty=not len(batch))
        return self._table.apply(session, stream, stream.place(batch))

    def age_seconds(self, stream: Stream) -> float | None:
        """How long ago the newest samples of a stream arrived."""
        return self._table.age_seconds(stream)

    async def stop(self, session_id: str) -> SessionEnd:
        return self._table.end(self._table.get(session_id), "stopped")

    async def expire(self) -> None:
        """End the sessions that have been silent for too long."""
        for session in self._table.idle():
            self._table.end(session, "expired")

    async def check(self) -> str:
        return ""
