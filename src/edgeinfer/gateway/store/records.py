"""Records of the store: how each lies on the disk, and how they are found again in a damaged file.

A file is a row of records. Each begins with 21 bytes: a mark, the length of its payload, a CRC-32 of all that
follows the CRC, its kind, and the store's time in milliseconds. A record whose CRC does not hold is skipped up to
the next mark behind which one does: damage costs the records that it touches, and no other.
"""

import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from uuid import UUID

import msgspec
import numpy as np

from edgeinfer.gateway.samples import Batch
from edgeinfer.model.window import CHANNELS

MARK = b"\xe1IR\x01"
MAX_PAYLOAD_BYTES = 512 * 1024
_HEAD = struct.Struct("<4sIIBQ")
_CHECKED = struct.Struct("<IBQ")
HEAD_BYTES = _HEAD.size
SAMPLE_BYTES = 8 + 4 * len(CHANNELS)


class RecordKind(IntEnum):
    """What a record says."""

    SEGMENT = 1
    ANCHOR = 2
    START = 3
    BATCH = 4
    SNAPSHOT = 5
    END = 6
    PROBE = 7
    ARCHIVED = 8
    SYNCED = 9
    LATE = 10


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """One record as it was found.

    Args:
        kind: one of `RecordKind`, or a number that a newer version wrote.
        time_ms: the store's time when it was written.
        payload: its content.
        place: where it begins in its file.
    """

    kind: int
    time_ms: int
    payload: memoryview
    place: int


@dataclass(slots=True)
class Scan:
    """What a file holds.

    Args:
        records: those whose CRC holds, in their order.
        damaged: (first, end) of each range of bytes that is not a record, except for a torn end.
        torn_from: where the end begins that is not a record; the size of the file where there is none.
    """

    records: list[StoreRecord] = field(default_factory=list)
    damaged: list[tuple[int, int]] = field(default_factory=list)
    torn_from: int = 0


def encode(kind: int, time_ms: int, *parts: bytes | memoryview) -> bytes:
    payload = b"".join(parts)
    length = len(payload)
    crc = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(length, kind, time_ms)))
    return _HEAD.pack(MARK, length, crc, kind, time_ms) + payload


def scan(data: bytes) -> Scan:
    """Find the records of a file."""
    found = Scan()
    place, size = 0, len(data)
    while place < size:
        end = _end_of_record(data, place)
        if end:
            found.records.append(_record(data, place, end))
            place = end
            continue
        following = _next_record(data, place + 1)
        if following < 0:
            break
        found.damaged.append((place, following))
        place = following
    found.torn_from = place
    return found


def _record(data: bytes, place: int, end: int) -> StoreRecord:
    _, _, _, kind, time_ms = _HEAD.unpack_from(data, place)
    return StoreRecord(kind, time_ms, memoryview(data)[place + HEAD_BYTES : end], place)


def _end_of_record(data: bytes, place: int) -> int:
    """Where the record that begins here ends, 0 where none does."""
    if len(data) - place < HEAD_BYTES:
        return 0
    mark, length, crc, kind, time_ms = _HEAD.unpack_from(data, place)
    end = int(place + HEAD_BYTES + length)
    if mark != MARK or length > MAX_PAYLOAD_BYTES or end > len(data):
        return 0
    checked = zlib.crc32(_CHECKED.pack(length, kind, time_ms))
    return end if zlib.crc32(memoryview(data)[place + HEAD_BYTES : end], checked) == crc else 0


def _next_record(data: bytes, place: int) -> int:
    while (place := data.find(MARK, place)) >= 0:
        if _end_of_record(data, place):
            return place
        place += 1
    return -1


_SEGMENT = struct.Struct("<HI")
_ANCHOR = struct.Struct("<16sQ")
_START = struct.Struct("<16sdQ")
_BATCH = struct.Struct("<16sQB")
_END = struct.Struct("<16sB")
_ARCHIVED = struct.Struct("<16sddBQQB")
_STREAM = struct.Struct("<QIB")
_SYNCED = struct.Struct("<Q")
_VERSION = 1
REASONS = ("stopped", "expired", "evicted")


def segment(number: int, time_ms: int) -> bytes:
    """The first record of a file."""
    return encode(RecordKind.SEGMENT, time_ms, _SEGMENT.pack(_VERSION, number))


@dataclass(frozen=True, slots=True)
class Anchor:
    """Ties the store's time to the clock of one boot of the machine.

    Args:
        boot_id: of the kernel.
        boot_ms: milliseconds since that boot.
    """

    boot_id: UUID
    boot_ms: int

    def encode(self, time_ms: int) -> bytes:
        return encode(RecordKind.ANCHOR, time_ms, _ANCHOR.pack(self.boot_id.bytes, self.boot_ms))

    @classmethod
    def decode(cls, record: StoreRecord) -> "Anchor":
        """From a record; raises struct.error."""
        boot_id, boot_ms = _ANCHOR.unpack(record.payload)
        return cls(UUID(bytes=boot_id), boot_ms)


@dataclass(frozen=True, slots=True)
class Start:
    """A session began.

    Args:
        session: its id.
        started_at: wall clock, seconds since 1970; for people only.
        started_ms: the store's time.
    """

    session: UUID
    started_at: float
    started_ms: int

    def encode(self, time_ms: int) -> bytes:
        return encode(RecordKind.START, time_ms, _START.pack(self.session.bytes, self.started_at, self.started_ms))

    @classmethod
    def decode(cls, record: StoreRecord) -> "Start":
        """From a record; raises struct.error."""
        session, started_at, started_ms = _START.unpack(record.payload)
        return cls(UUID(bytes=session), started_at, started_ms)


class StoredBatch(msgspec.Struct, frozen=True):
    """Samples of one stream, as a BATCH behind those before, as LATE in their place among those on the same clock.

    Args:
        session: its id.
        role: of the stream.
        before: samples that the stream had accepted before these.
        batch: the samples.
    """

    session: UUID
    role: str
    before: int
    batch: Batch

    def encode(self, time_ms: int, kind: RecordKind = RecordKind.BATCH) -> bytes:
        """As a record; a SNAPSHOT takes the place of everything that the stream held."""
        role = self.role.encode()
        head = _BATCH.pack(self.session.bytes, self.before, len(role))
        return encode(kind, time_ms, head, role, *_to_bytes(self.batch))

    @classmethod
    def decode(cls, record: StoreRecord) -> "StoredBatch":
        """From a record; raises struct.error or ValueError."""
        session, before, length = _BATCH.unpack_from(record.payload)
        rest = record.payload[_BATCH.size :]
        return cls(UUID(bytes=session), bytes(rest[:length]).decode(), before, _from_bytes(rest[length:]))


@dataclass(frozen=True, slots=True)
class End:
    """A session ended.

    Args:
        session: its id.
        reason: one of `REASONS`.
    """

    session: UUID
    reason: str

    def encode(self, time_ms: int) -> bytes:
        return encode(RecordKind.END, time_ms, _END.pack(self.session.bytes, REASONS.index(self.reason)))

    @classmethod
    def decode(cls, record: StoreRecord) -> "End":
        """From a record; raises struct.error or IndexError."""
        session, reason = _END.unpack(record.payload)
        return cls(UUID(bytes=session), REASONS[reason])


@dataclass(frozen=True, slots=True)
class Archived:
    """A session that ended, whole.

    Args:
        session: its id.
        started_at: wall clock, seconds since 1970.
        ended_at: wall clock, seconds since 1970.
        reason: one of `REASONS`.
        duration_ms: by the store's time.
        streams: role, samples accepted, and the newest of them.
    """

    session: UUID
    started_at: float
    ended_at: float
    reason: str
    duration_ms: int
    streams: tuple[tuple[str, int, Batch], ...]

    def encode(self, time_ms: int) -> bytes:
        reason, total = REASONS.index(self.reason), sum(total for _, total, _ in self.streams)
        times = (self.started_at, self.ended_at, reason, self.duration_ms)
        parts = [_ARCHIVED.pack(self.session.bytes, *times, total, len(self.streams))]
        for role, accepted, batch in self.streams:
            name = role.encode()
            parts += [_STREAM.pack(accepted, len(batch), len(name)), name, *_to_bytes(batch)]
        return encode(RecordKind.ARCHIVED, time_ms, *parts)

    @classmethod
    def decode(cls, record: StoreRecord) -> "Archived":
        """From a record; raises struct.error, ValueError or IndexError."""
        session, started_at, ended_at, reason, duration_ms, _, count = _ARCHIVED.unpack_from(record.payload)
        streams = tuple(_streams(record.payload[_ARCHIVED.size :], count))
        return cls(UUID(bytes=session), started_at, ended_at, REASONS[reason], duration_ms, streams)


def _streams(rest: memoryview, count: int) -> Iterator[tuple[str, int, Batch]]:
    for _ in range(count):
        accepted, samples, length = _STREAM.unpack_from(rest)
        rest = rest[_STREAM.size :]
        end = length + samples * SAMPLE_BYTES
        yield bytes(rest[:length]).decode(), accepted, _from_bytes(rest[length:end])
        rest = rest[end:]


def synced(time_ms: int, size: int) -> bytes:
    """Says that so many bytes of this file are on the disk: damage before that was not caused by a power cut."""
    return encode(RecordKind.SYNCED, time_ms, _SYNCED.pack(size))


def synced_bytes(records: list[StoreRecord]) -> int:
    """Bytes of a file that were on the disk, as far as its records know; raises struct.error."""
    sizes = (_SYNCED.unpack(record.payload)[0] for record in records if record.kind == RecordKind.SYNCED)
    return max(sizes, default=0)


def probe(time_ms: int, payload_bytes: int) -> bytes:
    """A record that says nothing, of the size of a batch."""
    return encode(RecordKind.PROBE, time_ms, bytes(payload_bytes))


def _to_bytes(batch: Batch) -> tuple[bytes, bytes]:
    if batch.packed is not None and sys.byteorder == "little":
        return batch.packed
    return batch.times.astype("<f8", copy=False).tobytes(), batch.values.astype("<f4", copy=False).tobytes()


def _from_bytes(data: memoryview) -> Batch:
    count, rest = divmod(len(data), SAMPLE_BYTES)
    if rest:
        raise ValueError(f"a batch of {len(data)} bytes is not whole samples")
    times = np.frombuffer(data, "<f8", count)
    values = np.frombuffer(data, "<f4", offset=8 * count).reshape(count, len(CHANNELS))
    return Batch(times.astype(np.float64, copy=False), values.astype(np.float32, copy=False))
