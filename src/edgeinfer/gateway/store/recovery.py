"""What the files of a store hold, and what of it is lost; reads only."""

import struct
from dataclasses import dataclass, field
from uuid import UUID

from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.store.files import Files
from edgeinfer.gateway.store.layout import (
    ARCHIVE,
    LIVE,
    MANIFEST,
    TEMPORARY,
    Manifest,
    Range,
    parse_segment,
    segment_name,
)
from edgeinfer.gateway.store.records import (
    Anchor,
    Archived,
    End,
    RecordKind,
    Scan,
    Start,
    StoredBatch,
    StoreRecord,
    encode,
    scan,
    segment,
    synced_bytes,
)
from edgeinfer.gateway.stream import NEWEST_SAMPLES


@dataclass(frozen=True, slots=True)
class RecoveredPart:
    """Samples of one record.

    Args:
        before: samples that the stream had accepted before these.
        segment: live segment.
        batch: the samples.
        is_late: they go among the samples before, by their times.
    """

    before: int
    segment: int
    batch: Batch
    is_late: bool = False

    @property
    def end(self) -> int:
        """Samples that the stream had accepted with these."""
        return self.before + len(self.batch)


@dataclass(slots=True)
class RecoveredStream:
    """The newest samples of a stream, without a hole."""

    total: int = 0
    parts: list[RecoveredPart] = field(default_factory=list)

    def add(self, before: int, segment: int, batch: Batch, *, is_late: bool = False) -> int:
        """Take in a batch; returns how many samples are missing between it and the one before.

        A record that is not after its predecessor takes its place: the write that it repeats failed for the
        gateway, and reached the file all the same.
        """
        while self.parts and self.parts[-1].before >= before:
            self.parts.pop()
        missing = 0
        if self.parts:
            missing = max(0, before - self.parts[-1].end)
        if missing:
            # Samples on both sides of a hole would make a window that never was.
            self.parts.clear()
        self.parts.append(RecoveredPart(before, segment, batch, is_late))
        self.total = before + len(batch)
        # Counted from where this record begins: a shorter one may take its place, and needs what is older then.
        while before - self.parts[0].end >= NEWEST_SAMPLES:
            self.parts.pop(0)
        return missing


@dataclass(slots=True)
class RecoveredSession:
    """A session that had not ended."""

    start: Start
    segment: int
    """Live segment of its newest START record, 0 where that record is lost."""
    streams: dict[str, RecoveredStream] = field(default_factory=dict)
    newest_role: str = ""


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """A file with something in it that cannot be read, or that is not there.

    Args:
        name: of the file.
        fault: what is wrong with it.
        is_there: whether there is a file to set aside.
    """

    name: str
    fault: str
    is_there: bool = True


@dataclass(slots=True)
class Recovered:
    """What a folder holds.

    Args:
        live: numbers of the live segments, oldest first.
        archive: numbers of the archive's, oldest first.
        torn: bytes at the end of the newest segments that belong to no whole record, by file name; a power cut
            leaves such an end, and so may a killed process.
        keep: bytes of these files that are whole records.
        leftover: files that were to be removed already.
    """

    live: list[int] = field(default_factory=list)
    archive: list[int] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    manifest: Manifest | None = None
    was_clean: bool = False
    sessions: dict[UUID, RecoveredSession] = field(default_factory=dict)
    ended: dict[UUID, str] = field(default_factory=dict)
    closed: dict[UUID, RecoveredSession] = field(default_factory=dict)
    """Ended by a record in a live segment."""
    anchor: tuple[int, Anchor] | None = None
    newest_ms: int = 0
    damaged: list[DamagedFile] = field(default_factory=list)
    torn: dict[str, int] = field(default_factory=dict)
    keep: dict[str, int] = field(default_factory=dict)
    salvage: dict[str, bytes] = field(default_factory=dict)
    """What damaged segments should hold: their whole records."""
    leftover: list[str] = field(default_factory=list)
    lost_samples: int = 0
    touched_sessions: set[UUID] = field(default_factory=set)
    oldest_ms: dict[str, int] = field(default_factory=dict)
    archive_newest_ms: dict[int, int] = field(default_factory=dict)


_UNREADABLE = (struct.error, ValueError, IndexError)


def recover(files: Files, *, whole: bool = False) -> Recovered:
    """Read a folder.

    Args:
        files: the folder.
        whole: read every archive segment, not the newest alone.

    Raises:
        OSError: the folder itself cannot be read.
    """
    found = Recovered(sizes=files.sizes())
    _read_manifest(files, found)
    _list_segments(found)
    for number in list(found.live):
        _read_live(files, found, number)
    for number in list(found.archive):
        if whole or number == found.archive[-1]:
            read_archive(files, found, number)
    for session in found.sessions:
        found.ended.pop(session, None)
    return found


def _read_manifest(files: Files, found: Recovered) -> None:
    found.leftover += [name for name in found.sizes if name == MANIFEST + TEMPORARY]
    if MANIFEST not in found.sizes:
        if any(parse_segment(name) for name in found.sizes):
            found.damaged.append(DamagedFile(MANIFEST, "it is missing", is_there=False))
        return
    try:
        found.manifest = Manifest.decode(files.read(MANIFEST))
    except (OSError, ValueError) as failure:
        found.damaged.append(DamagedFile(MANIFEST, f"it cannot be read ({failure})"))


def _list_segments(found: Recovered) -> None:
    numbers: dict[str, list[int]] = {LIVE: [], ARCHIVE: []}
    for name in found.sizes:
        if parsed := parse_segment(name):
            numbers[parsed[0]].append(parsed[1])
    found.was_clean = found.manifest is not None
    for series, there in numbers.items():
        kept = sorted(there)
        if found.manifest is not None:
            expected = found.manifest.series[series]
            found.leftover += [segment_name(series, number) for number in kept if number < expected.first]
            kept = [number for number in kept if number >= expected.first]
            missing = set(range(expected.first, expected.last + 1)) - set(kept)
            found.damaged += [
                DamagedFile(segment_name(series, number), "it is missing", is_there=False) for number in sorted(missing)
            ]
            found.was_clean &= expected.size is not None or expected.last < expected.first
        (found.live if series == LIVE else found.archive).extend(kept)


def _read(files: Files, found: Recovered, series: str, number: int) -> Scan | None:
    name = segment_name(series, number)
    try:
        data = files.read(name)
    except OSError as failure:
        found.damaged.append(DamagedFile(name, f"it cannot be read ({failure.strerror or failure})"))
        return None
    scanned = scan(data)
    if not scanned.records and _is_unborn(found, series, number):
        found.leftover.append(name)
        (found.live if series == LIVE else found.archive).remove(number)
        return None
    if series == LIVE and _is_open(found, LIVE, number):
        _end_where_unsynced(scanned)
    fault = _fault(found, series, number, scanned, len(data))
    if fault:
        found.damaged.append(DamagedFile(name, fault))
        found.salvage[name] = _salvage(number, scanned)
    for record in scanned.records:
        found.newest_ms = max(found.newest_ms, record.time_ms)
    found.oldest_ms[name] = scanned.records[0].time_ms if scanned.records else 0
    return scanned


def _is_open(found: Recovered, series: str, number: int) -> bool:
    """Whether a segment was written when the gateway ended, and so may be torn at its end."""
    is_newest = number == (found.live if series == LIVE else found.archive)[-1]
    expected = found.manifest.series[series] if found.manifest is not None else Range()
    return is_newest and (number > expected.last or expected.size is None)


def _is_unborn(found: Recovered, series: str, number: int) -> bool:
    """Whether a segment was being made when the gateway ended: the manifest names it once it has a first record."""
    return found.manifest is not None and number > found.manifest.series[series].last


def _end_where_unsynced(scanned: Scan) -> None:
    """Let a file end at the first damage behind what is known to be synced.

    A power cut keeps any part of what was not synced. What is behind a part that it did not keep is younger, and
    would make a hole in its stream before which older, promised samples lie.
    """
    try:
        on_disk = synced_bytes(scanned.records)
    except struct.error:
        return
    torn = [first for first, _ in scanned.damaged if first >= on_disk]
    if not torn:
        return
    scanned.torn_from = torn[0]
    scanned.records = [record for record in scanned.records if record.place < torn[0]]
    scanned.damaged = [(first, end) for first, end in scanned.damaged if first < torn[0]]


def _salvage(number: int, scanned: Scan) -> bytes:
    kept = [record for record in scanned.records if record.kind != RecordKind.SEGMENT]
    oldest = kept[0].time_ms if kept else 0
    return segment(number, oldest) + b"".join(encode(record.kind, record.time_ms, record.payload) for record in kept)


def _fault(found: Recovered, series: str, number: int, scanned: Scan, size: int) -> str:
    name = segment_name(series, number)
    expected = found.manifest.series[series] if found.manifest is not None else None
    is_open = _is_open(found, series, number)
    torn = size - scanned.torn_from
    closed_size = expected.size if expected is not None and number == expected.last else None
    if closed_size is not None and size != closed_size:
        return f"it has {size} bytes where {closed_size} were when the gateway stopped"
    if scanned.damaged:
        lost = sum(end - first for first, end in scanned.damaged)
        return f"{lost} of its {size} bytes in {len(scanned.damaged)} places are no records"
    if not scanned.records:
        return f"it has no record at all in {size} bytes"
    if scanned.records and scanned.records[0].kind != RecordKind.SEGMENT:
        return "its head is not the head of a segment"
    if torn and not is_open:
        return f"its last {torn} bytes are no record"
    if torn:
        found.torn[name] = torn
        found.keep[name] = scanned.torn_from
    return ""


def _read_live(files: Files, found: Recovered, number: int) -> None:
    scanned = _read(files, found, LIVE, number)
    if scanned is None:
        return
    for record in scanned.records:
        try:
            _apply(found, number, record)
        except _UNREADABLE as failure:
            name = segment_name(LIVE, number)
            found.damaged.append(DamagedFile(name, f"a record of kind {record.kind} makes no sense ({failure})"))


def _apply(found: Recovered, number: int, record: StoreRecord) -> None:
    if record.kind == RecordKind.ANCHOR:
        found.anchor = (record.time_ms, Anchor.decode(record))
    elif record.kind == RecordKind.START:
        start = Start.decode(record)
        session = found.sessions.setdefault(start.session, RecoveredSession(start, number))
        session.start, session.segment = start, number
    elif record.kind in {RecordKind.BATCH, RecordKind.SNAPSHOT, RecordKind.LATE}:
        _apply_batch(found, number, record)
    elif record.kind == RecordKind.END:
        end = End.decode(record)
        if ended := found.sessions.pop(end.session, None):
            found.closed[end.session] = ended
        found.ended[end.session] = end.reason


def _apply_batch(found: Recovered, number: int, record: StoreRecord) -> None:
    stored = StoredBatch.decode(record)
    if closed := found.closed.pop(stored.session, None):
        # Its end reached the file, but not the client: it continues.
        found.sessions[stored.session] = closed
        del found.ended[stored.session]
    session = found.sessions.get(stored.session)
    if session is None:
        # Its START is lost; what came after it is not.
        start = Start(stored.session, 0.0, record.time_ms)
        session = found.sessions[stored.session] = RecoveredSession(start, 0)
        found.touched_sessions.add(stored.session)
    stream = session.streams.setdefault(stored.role, RecoveredStream())
    if record.kind == RecordKind.SNAPSHOT:
        stream.parts.clear()
        stream.total = stored.before
    missing = stream.add(stored.before, number, stored.batch, is_late=record.kind == RecordKind.LATE)
    if missing:
        found.lost_samples += missing
        found.touched_sessions.add(stored.session)
    session.newest_role = stored.role


def read_archive(files: Files, found: Recovered, number: int) -> None:
    """Read one archive segment into what was found."""
    scanned = _read(files, found, ARCHIVE, number)
    if scanned is None:
        return
    for record in scanned.records:
        if record.kind != RecordKind.ARCHIVED:
            continue
        try:
            archived = Archived.decode(record)
        except _UNREADABLE as failure:
            name = segment_name(ARCHIVE, number)
            found.damaged.append(DamagedFile(name, f"a record makes no sense ({failure})"))
            continue
        found.ended.setdefault(archived.session, archived.reason)
    if scanned.records:
        found.archive_newest_ms[number] = max(record.time_ms for record in scanned.records)
