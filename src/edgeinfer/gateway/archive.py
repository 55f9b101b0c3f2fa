"""The sessions that have ended, in the store's archive: kept for their time, checked, and removed."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from edgeinfer.gateway.instruments import StoreInstruments
from edgeinfer.gateway.sessions import SessionTable
from edgeinfer.gateway.store.clock import StoreClock
from edgeinfer.gateway.store.files import Files
from edgeinfer.gateway.store.layout import ARCHIVE, parse_segment
from edgeinfer.gateway.store.log import SegmentLog
from edgeinfer.gateway.store.recovery import Recovered, read_archive
from edgeinfer.gateway.store.repair import Repair, repair
from edgeinfer.gateway.store.writer import BatchedWriter

_log = logging.getLogger(__name__)
_SEALING_SHARE_OF_RETENTION = 1 / 8
_SCRUB_SECONDS = 0.5
_DROPS_AT_ONCE = 8


@dataclass(slots=True)
class Archive:
    """Housekeeping of the archive's segments, on the event loop.

    Args:
        files: the folder.
        log: its segments.
        writer: what writes to them.
        table: the sessions in memory, which know of ends.
        instruments: where losses are shown.
        clock: the store's time.
        retention_ms: how long an ended session stays in the files, by that time.
        wall: seconds since 1970; for people only.
    """

    files: Files
    log: SegmentLog
    writer: BatchedWriter
    table: SessionTable
    instruments: StoreInstruments
    clock: StoreClock
    retention_ms: int
    wall: Callable[[], float]
    repaired: Repair = field(default_factory=Repair)
    early_drops: int = 0
    unread: list[int] = field(default_factory=list)
    """Segments that the start did not read."""
    _newest_ms: dict[int, int] = field(default_factory=dict)

    def adopt(self, found: Recovered, repaired: Repair) -> None:
        """Take over what the start found."""
        self.repaired = repaired
        self._newest_ms = dict(found.archive_newest_ms)
        self.unread = [number for number in found.archive if number not in found.archive_newest_ms]

    def losses(self) -> list[str]:
        """What was lost or dropped, in words."""
        said = []
        if self.repaired.losses:
            said.append(f"lost at the start: {self.repaired.losses}")
        if self.repaired.torn:
            said.append(f"at the start: {self.repaired.torn}")
        if self.early_drops:
            said.append(f"{self.early_drops} archive segments were dropped before their time, for want of room")
        return said

    def note_end(self, now_ms: int) -> None:
        """Take note that the end of a session was written."""
        self._newest_ms[self.log.current(ARCHIVE)] = now_ms

    async def seal_by_age(self) -> None:
        """Let no segment be written so long that what is in it stays much beyond its time."""
        if self.log.age_ms(ARCHIVE) > self.retention_ms * _SEALING_SHARE_OF_RETENTION:
            await self.writer.do(lambda: self.log.seal(ARCHIVE))

    async def drop_old(self, is_short: Callable[[], bool]) -> None:
        """Remove segments whose time is over, and while room is short the oldest."""
        if is_short() and not self.log.sealed(ARCHIVE) and self.log.bytes_of(ARCHIVE):
            await self.writer.do(lambda: self.log.seal(ARCHIVE))
        while over := self._past_retention():
            if over[-1] == self.log.current(ARCHIVE):
                # The next end of a session would open it again; it may have done so just now.
                await self.writer.do(lambda: self.log.seal(ARCHIVE))
                over = self._past_retention()
            await asyncio.to_thread(self.log.drop, ARCHIVE, over)
            for number in over:
                self._newest_ms.pop(number, None)
        while is_short() and (oldest := next(iter(self.log.sealed(ARCHIVE)), None)) is not None:
            await asyncio.to_thread(self.log.drop, ARCHIVE, [oldest])
            self._newest_ms.pop(oldest, None)
            self._report_early_drop(oldest)

    def _past_retention(self) -> list[int]:
        """The oldest segments in which everything is past its time; a few, because each costs the disk a moment."""
        over: list[int] = []
        for number in self.log.sealed(ARCHIVE):
            newest = self._newest_ms.get(number)
            if newest is None or self.clock.now_ms() - newest <= self.retention_ms or len(over) == _DROPS_AT_ONCE:
                break
            over.append(number)
        return over

    def _report_early_drop(self, number: int) -> None:
        self.early_drops += 1
        self.instruments.early_drops.inc()
        _log.warning(
            "ended sessions were dropped before their time, for want of room",
            extra={"segment": number, "retention_hours": self.retention_ms / 3_600_000, "limit": self.log.max_bytes},
        )

    async def read_unread(self) -> None:
        """Check some of the archive that the start did not read: bit rot is said, and set aside."""
        ends = time.monotonic() + _SCRUB_SECONDS
        while self.unread and time.monotonic() < ends:
            number = self.unread.pop()
            if number not in self.log.sealed(ARCHIVE):
                continue
            # The number after it makes it one that is not written any more.
            found = Recovered(archive=[number, number + 1])
            await asyncio.to_thread(read_archive, self.files, found, number)
            self._newest_ms.setdefault(number, found.archive_newest_ms.get(number, self.clock.now_ms()))
            for uuid, reason in found.ended.items():
                self.table.restore_end(str(uuid), reason, is_older=True)
            if found.damaged:
                await self._repair(found)

    async def _repair(self, found: Recovered) -> None:
        done = await asyncio.to_thread(repair, self.files, found, self.wall)
        self.repaired = Repair("; ".join(filter(None, (self.repaired.losses, done.losses))), self.repaired.torn)
        for name, size in found.sizes.items():
            if parsed := parse_segment(name):
                self.log.resize(*parsed, size)
