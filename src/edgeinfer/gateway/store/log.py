"""The segment files of a store: appending, syncing, and removing whole ones. Called by one thread, but for `drop`."""

import errno
import logging
from dataclasses import dataclass, field
from threading import Lock

from edgeinfer.gateway.store.clock import StoreClock
from edgeinfer.gateway.store.files import AppendFile, Files
from edgeinfer.gateway.store.layout import ARCHIVE, LIVE, MANIFEST, RESERVE, TEMPORARY, Manifest, Range, segment_name
from edgeinfer.gateway.store.records import segment, synced
from edgeinfer.gateway.store.recovery import Recovered

_log = logging.getLogger(__name__)
_MAX_SEGMENT_BYTES = 4 * 1024 * 1024
_MIN_SEGMENT_BYTES = 64 * 1024
_RESERVE_BYTES = 64 * 1024
_MAX_HEADROOM_BYTES = 1024 * 1024
_MS_BETWEEN_NOTES = 250
SERIES = (LIVE, ARCHIVE)


class NotInPlace(OSError):
    """The open file is not the one in the folder any more."""


@dataclass(slots=True)
class _Series:
    """Segments of one kind, and the one that is written."""

    name: str
    sealed: dict[int, int] = field(default_factory=dict)
    """Bytes of each by number, oldest first."""
    first: int = 1
    last: int = 0
    file: AppendFile | None = None
    size: int = 0
    oldest_ms: int = 0
    closed_size: int | None = None
    is_noted: bool = True
    """Whether a record says how much of the file is on the disk."""
    noted_ms: int = -_MS_BETWEEN_NOTES
    synced_size: int = 0
    suspect: set[int] = field(default_factory=set)
    """Segments that a sync failed for: the kernel may have forgotten what was to be written."""

    @property
    def bytes(self) -> int:
        return sum(self.sealed.values()) + self.size


class SegmentLog:
    """Two series of segments in a folder: `live` for sessions under way, `archive` for those that ended.

    Args:
        files: the folder.
        clock: the store's time.
        max_bytes: of all files together.
    """

    def __init__(self, files: Files, clock: StoreClock, *, max_bytes: int) -> None:
        self._files = files
        self._clock = clock
        self._max_bytes = max_bytes
        self._headroom = min(_MAX_HEADROOM_BYTES, max_bytes // 4)
        self.segment_bytes = max(_MIN_SEGMENT_BYTES, min(_MAX_SEGMENT_BYTES, max_bytes // 32))
        self._series = {name: _Series(name) for name in SERIES}
        self._changing = Lock()  # the manifest, and which segments are sealed
        self._unremoved: dict[str, int] = {}
        """Bytes by name of files that nobody needs any more, and the disk keeps."""
        self._has_reserve = False
        self._has_manifest = False
        self.written_bytes = 0
        self.syncs = 0

    @property
    def place(self) -> str:
        """Where the files are."""
        return self._files.place

    @property
    def max_bytes(self) -> int:
        """Of all files together."""
        return self._max_bytes

    @property
    def used_bytes(self) -> int:
        """Of all files together, now."""
        kept = self._has_reserve * _RESERVE_BYTES + sum(self._unremoved.values())
        for series in self._series.values():
            kept += series.size + sum(series.sealed.values())
        return kept

    @property
    def fill(self) -> float:
        """Share of what the limit lets in that is used."""
        return self.used_bytes / (self._max_bytes - self._headroom)

    def bytes_of(self, series: str) -> int:
        return self._series[series].bytes

    def current(self, series: str) -> int:
        """Number of the segment that was written last."""
        return self._series[series].last

    @property
    def newest(self) -> tuple[int, int]:
        """Numbers of the segments that were written last, live and archive."""
        return self._series[LIVE].last, self._series[ARCHIVE].last

    def sealed(self, series: str) -> dict[int, int]:
        """Bytes of each segment that is not written any more, oldest first."""
        with self._changing:
            return dict(self._series[series].sealed)

    def suspects(self) -> set[int]:
        """Live segments whose bytes may not have reached the disk."""
        return set(self._series[LIVE].suspect)

    def age_ms(self, series: str) -> int:
        """Time since the first record of the segment that is written, 0 where none is."""
        part = self._series[series]
        return self._clock.now_ms() - part.oldest_ms if part.file is not None else 0

    def adopt(self, found: Recovered) -> None:
        """Continue from what was recovered; writes nothing."""
        for name, numbers in ((LIVE, found.live), (ARCHIVE, found.archive)):
            part = self._series[name]
            expected = found.manifest.series[name] if found.manifest is not None else Range()
            part.last = max([*numbers, expected.last])
            part.first = numbers[0] if numbers else part.last + 1
            part.sealed = {number: found.sizes[segment_name(name, number)] for number in numbers}
            newest = segment_name(name, part.last)
            if numbers and numbers[-1] == part.last:
                kept = found.keep.get(newest, found.sizes[newest])
                part.sealed[part.last] = kept
                part.closed_size = kept
                part.oldest_ms = found.oldest_ms.get(newest, found.newest_ms)
        self._has_reserve = RESERVE in found.sizes
        self._has_manifest = found.manifest is not None

    def has_room(self, data_bytes: int, *, is_urgent: bool) -> bool:
        """Whether the limit lets so many bytes in; what makes room later, or ends a session, may use the headroom."""
        room = self._max_bytes - self.used_bytes - data_bytes
        return room >= (0 if is_urgent else self._headroom)

    def fits(self, series: str, data_bytes: int) -> bool:
        """Whether so many bytes go behind what is written already: no file must be begun or synced for them."""
        part = self._series[series]
        return part.file is not None and part.size + data_bytes <= self.segment_bytes

    def append(self, series: str, data: bytes) -> int:
        """Write records at the end; returns the number of their segment.

        Raises:
            NotInPlace: the file was moved or deleted.
            OSError: nothing of it is kept.
        """
        part = self._series[series]
        file = self._writable(part, len(data))
        if not file.is_in_place():
            raise NotInPlace(errno.ESTALE, f"{segment_name(series, part.last)} was moved, replaced or deleted")
        data = self._note_sync(part) + data
        try:
            file.append(data)
        except OSError:
            self._roll_back(part, file)
            raise
        part.size = file.size
        self.written_bytes += len(data)
        return part.last

    def _note_sync(self, part: _Series) -> bytes:
        """Say now and then how much of the file is on the disk: what is damaged behind that, a power cut may tear."""
        if part.is_noted or part.name != LIVE:
            return b""
        now = self._clock.now_ms()
        if now - part.noted_ms < _MS_BETWEEN_NOTES:
            return b""
        part.is_noted, part.noted_ms = True, now
        return synced(now, part.synced_size)

    def _writable(self, part: _Series, coming: int) -> AppendFile:
        if part.file is not None and part.size + coming > self.segment_bytes and part.size > self.segment_bytes // 8:
            self._try_to_seal(part)
        if part.file is None:
            self._open_segment(part)
        assert part.file is not None  # noqa: S101 - opened above
        return part.file

    def _try_to_seal(self, part: _Series) -> None:
        try:
            self.seal(part.name)
        except OSError as failure:
            _log.warning("a segment grows beyond its size", extra={"fault": str(failure), "series": part.name})

    def _open_segment(self, part: _Series) -> None:
        """Open the newest segment where there is room in it, else make the next one."""
        if not self._has_manifest:
            # Before the first segment: one without a manifest is a manifest that was lost.
            self.rewrite_manifest()
        with self._changing:
            reopened = part.closed_size is not None and part.closed_size < self.segment_bytes
            number = part.last if reopened else part.last + 1
            file = self._files.append_to(segment_name(part.name, number))
            try:
                self._begin(part, file, number, part.closed_size or 0 if reopened else 0)
            except OSError:
                file.close()
                raise
        self._keep_reserve()

    def _begin(self, part: _Series, file: AppendFile, number: int, size: int) -> None:
        """Make a file the one that is written.

        The manifest names a new segment once it has its first record, and calls an old one open before it grows: so
        that what is missing in a file is missed, and what a kill leaves is not.
        """
        now = self._clock.now_ms()
        before = part.last, part.first, part.closed_size
        if file.size != size:
            file.truncate(size)
        if not size:
            file.append(segment(number, now))
            file.sync()
            self._files.sync_names()
            part.oldest_ms = now
        part.last, part.closed_size = number, None
        part.first = min(part.first, number) if part.sealed else number
        part.file = file
        try:
            self._write_manifest()
            file.append(self._clock.anchor().encode(now))
        except OSError:
            part.last, part.first, part.closed_size = before
            part.file = None
            raise
        part.size = file.size
        part.is_noted, part.synced_size = False, size
        part.sealed.pop(number, None)

    def _roll_back(self, part: _Series, file: AppendFile) -> None:
        """Forget what a failed write left behind."""
        try:
            file.truncate(part.size)
        except OSError:
            # What it left may be a whole record. The next write of its stream takes its place.
            self._abandon(part)

    def _abandon(self, part: _Series) -> None:
        """Stop writing to a segment whose disk fails."""
        file, part.file = part.file, None
        if file is None:
            return
        with self._changing:
            part.suspect.add(part.last)
            part.sealed[part.last] = part.size
            part.closed_size, part.size = None, 0
        file.close()

    def sync(self) -> None:
        """Return once everything written is on the disk; the archive's first.

        Raises:
            OSError: what was written since the last sync may be lost; the segment is not written any more.
        """
        for name in (ARCHIVE, LIVE):
            part = self._series[name]
            if part.file is None:
                continue
            try:
                part.file.sync()
            except OSError:
                # After a failed sync the kernel may call the lost pages clean: nothing more is trusted to this file.
                self._abandon(part)
                raise
            part.is_noted, part.synced_size = False, part.size
        self.syncs += 1

    def seal(self, series: str) -> None:
        """End the segment that is written, or that the next write would open again; that write begins another."""
        part = self._series[series]
        if part.file is None:
            with self._changing:
                part.closed_size = None
            return
        part.file.sync()
        with self._changing:
            file, part.file = part.file, None
            part.sealed[part.last] = part.size
            part.size = 0
        file.close()

    def drop(self, series: str, numbers: list[int]) -> None:
        """Remove the oldest segments, which are sealed, and what could not be removed before; on any one thread.

        Raises:
            OSError: some are still there.
        """
        part = self._series[series]
        with self._changing:
            gone = {number: part.sealed.pop(number) for number in numbers if number in part.sealed}
            if gone:
                self._forget(part, gone)
            self._unremoved |= {segment_name(series, number): size for number, size in gone.items()}
        for name in list(self._unremoved):
            self._files.remove(name)
            self._unremoved.pop(name, None)

    def _forget(self, part: _Series, gone: dict[int, int]) -> None:
        """Let the manifest name them no more; raises OSError, and then it names them still."""
        if part.last in gone:
            part.closed_size = None
        before, part.first = part.first, min(part.sealed, default=part.last + (part.file is None))
        try:
            self._write_manifest()
        except OSError:
            part.first = before
            part.sealed = dict(sorted((part.sealed | gone).items()))
            raise
        part.suspect -= gone.keys()

    def _write_manifest(self) -> None:
        ranges = {}
        for name, part in self._series.items():
            size = part.sealed.get(part.last) if part.file is None else None
            ranges[name] = Range(part.first, part.last, size)
        self._put_manifest(Manifest(ranges))

    def rewrite_manifest(self) -> None:
        """Rewrite the manifest; raises OSError."""
        with self._changing:
            self._write_manifest()

    def resize(self, series: str, number: int, size: int) -> None:
        """Take note that a sealed segment was replaced."""
        with self._changing:
            if number in self._series[series].sealed:
                self._series[series].sealed[number] = size

    def _put_manifest(self, manifest: Manifest) -> None:
        self._files.remove(MANIFEST + TEMPORARY)
        file = self._files.append_to(MANIFEST + TEMPORARY)
        try:
            file.append(manifest.encode())
            file.sync()
        finally:
            file.close()
        self._files.rename(MANIFEST + TEMPORARY, MANIFEST)
        self._files.sync_names()
        self._has_manifest = True

    def release_reserve(self) -> bool:
        """Give the disk back the room that was kept for ending sessions; False where none was left."""
        if not self._has_reserve:
            return False
        self._has_reserve = False
        try:
            self._files.remove(RESERVE)
        except OSError:
            return False
        return True

    def keep_reserve(self) -> None:
        """Keep some room for ending sessions on a full disk, where it is not kept already."""
        if not self._has_reserve:
            self._keep_reserve()

    def _keep_reserve(self) -> None:
        if self._has_reserve:
            return
        try:
            file = self._files.append_to(RESERVE)
            try:
                if file.size < _RESERVE_BYTES:
                    file.append(bytes(_RESERVE_BYTES - file.size))
            finally:
                file.close()
        except OSError as failure:
            _log.warning("cannot reserve space for ending sessions", extra={"fault": str(failure)})
            return
        self._has_reserve = True

    def close(self) -> None:
        """Sync and close; after it the manifest knows how long the files are.

        Raises:
            OSError: the next start will not know whether the end of a file is missing.
        """
        try:
            for name in SERIES:
                self.seal(name)
            with self._changing:
                if any(part.last for part in self._series.values()):
                    self._write_manifest()
        finally:
            for part in self._series.values():
                if part.file is not None:
                    part.file.close()
                    part.file = None
