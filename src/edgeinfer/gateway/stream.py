"""The newest samples of one sensor in a session."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import InputError, NotEnoughSamples, UnusableWindow
from edgeinfer.gateway.clock_units import name_unit
from edgeinfer.gateway.known_activity import KnownActivities
from edgeinfer.gateway.placement import MERGE_SECONDS, Piece, Placement, place
from edgeinfer.gateway.resampling import WindowSource, cut_window
from edgeinfer.gateway.samples import SAMPLE_SECONDS, WINDOW_SAMPLES, Batch, RisingTimes
from edgeinfer.gateway.stream_account import StreamAccount, Timing, measure_timing
from edgeinfer.model.window import CHANNELS

NEWEST_SAMPLES = 2000
TIMELINE_WINDOWS = 300
_FIRST_ROWS = 128
# Room beyond what is kept, so that moving the rows to the front is rare.
_SLACK_ROWS = 500
# What the usual step between samples is taken from.
_RECENT_ROWS = 33
_TIME_BYTES, _ROW_BYTES = 8, 4 * len(CHANNELS)


class AnalyzedWindow(msgspec.Struct, frozen=True):
    """One analysed window of a stream.

    Args:
        end: time of its last sample, in seconds.
        seconds: time it covers that no analysed window before it covered.
        top: index of the motif that scored highest.
    """

    end: float
    seconds: float
    top: int


class TimelineEntry(msgspec.Struct, frozen=True):
    """One analysed window in the timeline of a stream.

    Args:
        end: time of its last sample, in seconds.
        top: index of the motif that scored highest.
        source: "sidecar" or "fallback".
        activity: what its sender knows was done, or empty.
        answered_at: by the gateway's clock, in seconds since 1970.
    """

    end: float
    top: int
    source: str
    activity: str
    answered_at: float


@dataclass(slots=True)
class Stream:
    """Samples of one role, the 2000 that were accepted last, in one piece of memory.

    Their rows are in segments, one after another: a segment is on one clock and in rising time. It ends where t goes
    back, or has a hole of more than `MERGE_SECONDS`. Only the newest segment grows, at its end and in its holes.
    """

    role: str
    total: int = 0
    seen: "deque[AnalyzedWindow]" = field(default_factory=lambda: deque(maxlen=NEWEST_SAMPLES // WINDOW_SAMPLES))
    timeline: "deque[TimelineEntry]" = field(default_factory=lambda: deque(maxlen=TIMELINE_WINDOWS))
    account: StreamAccount = field(default_factory=StreamAccount)
    activities: KnownActivities = field(default_factory=KnownActivities)
    _times: NDArray[np.float64] = field(default_factory=lambda: np.empty(_FIRST_ROWS, np.float64))
    _values: NDArray[np.float32] = field(default_factory=lambda: np.empty((_FIRST_ROWS, len(CHANNELS)), np.float32))
    _first: int = 0
    _end: int = 0
    _segment: int = 0
    """Rows of the newest segment."""
    _order: NDArray[np.int64] | None = None
    """(n,) at which place each row was accepted; None while that is the order of the rows."""
    _newest: float = -np.inf
    """Time of the last row."""
    _bytes: "tuple[NDArray[np.float64], memoryview, memoryview] | None" = None
    """Times, and the bytes of times and values: rows that came as bytes are kept by a copy of these."""

    def __len__(self) -> int:
        return self._end - self._first

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds of the samples held; a view."""
        return self._times[self._first : self._end]

    @property
    def values(self) -> NDArray[np.float32]:
        """(n, 9) of the samples held; a view."""
        return self._values[self._first : self._end]

    @property
    def segment_length(self) -> int:
        """How many of the newest rows are on the current clock."""
        return self._segment

    @property
    def current(self) -> Batch:
        """The samples of the newest segment, in rising time; a view."""
        first = self._end - self._segment
        return Batch(self._times[first : self._end], self._values[first : self._end])

    @property
    def newest_seconds(self) -> float:
        """Time of the newest sample on the current clock, minus infinity before the first."""
        return self._newest

    @property
    def newest_on_any_clock(self) -> float:
        """Time of the newest sample, whatever clock it is on; minus infinity before the first."""
        return self._newest if self._segment == self._end - self._first else float(self.times.max())

    @property
    def timing(self) -> Timing | None:
        """The timing of the newest ten seconds on the current clock; None before three samples."""
        return measure_timing(self.current.times)

    def window(self) -> tuple[NDArray[np.float32], WindowSource]:
        """A copy of the newest second, (100, 9), and what it was made from.

        Raises:
            NotEnoughSamples, UnusableWindow: the samples make no window.
        """
        current = self.current
        try:
            return cut_window(current.times, current.values)
        except InputError as failure:
            raise self._explain(failure) from failure

    def _explain(self, failure: InputError) -> InputError:
        """The same failure, with what its window alone cannot know."""
        fields = {**failure.fields, "role": self.role, "newest_t": self.newest_seconds if len(self) else None}
        unit = name_unit(self.times[-WINDOW_SAMPLES:])
        if unit:
            fields |= {"reason": "unit", "unit": unit}
            return UnusableWindow(f"t of stream {self.role}", f"it looks like {unit}", "Send seconds.", fields=fields)
        thing, fault = f"stream {self.role}", failure.fault
        if isinstance(failure, NotEnoughSamples) and len(self) > self._segment:
            fields["reason"] = "new_segment"
            fault += ", since its clock jumped or it paused"
        return type(failure)(thing, fault, failure.remedy, fields=fields)

    def place(self, batch: Batch) -> Placement:
        """Decide what becomes of each sample of an upload; changes nothing. Raises InvalidSamples."""
        return place(self, batch)

    def copy(self) -> "Stream":
        """Another stream with the same rows."""
        order = None if self._order is None else self._order.copy()
        times, values = self.times.copy(), self.values.copy()
        return Stream(
            self.role,
            self.total,
            _times=times,
            _values=values,
            _end=len(times),
            _segment=self._segment,
            _order=order,
            _newest=self._newest,
        )

    def accept(self, pieces: Iterable[Piece], arrived: float, wall: float) -> bool:
        """Keep what was placed and account for it; returns whether all of it was as usual.

        Args:
            pieces: in the order of their placement.
            arrived: monotonic seconds.
            wall: seconds since 1970.
        """
        is_usual = True
        for piece in pieces:
            before, rising = self._newest, piece.batch.rising
            self.insert(piece)
            if (
                rising is not None
                and not piece.is_late
                and self.account.follow_steadily(rising, piece.batch.count, before)
            ):
                self.account.arrive(self._newest, arrived, wall)
                continue
            is_usual = False
            if piece.is_late:
                self.account.fill(piece.batch.times)
                continue
            self.account.follow(
                piece.batch.times,
                before=before,
                recent=self.current.times[-_RECENT_ROWS:],
                arrived=arrived,
                wall=wall,
                pause_seconds=MERGE_SECONDS,
            )
            self.account.arrive(self.newest_seconds, arrived, wall)
        return is_usual

    def insert(self, piece: Piece) -> None:
        """Keep samples, and drop what was accepted before the newest 2000."""
        if piece.is_late:
            self._merge(piece.batch)
        else:
            self.append(piece.batch)

    def append(self, batch: Batch) -> None:
        """Keep samples behind those held; of more than fit, the newest."""
        if not batch.count:
            return
        kept = min(batch.count, NEWEST_SAMPLES)
        if self._end + kept > len(self._times):
            self._make_room(kept)
        before = self._newest
        if self._order is not None:
            first = self.total + batch.count - kept
            self._order = np.concatenate((self._order, np.arange(first, first + kept)))
        self._copy(batch, kept)
        self._end += kept
        self.total += batch.count
        self._newest = float(self._times[self._end - 1]) if batch.rising is None else batch.rising.last
        self._grow_segment(before, kept, batch.rising)
        self._let_go()

    def _copy(self, batch: Batch, kept: int) -> None:
        """Put the newest samples of a batch behind the last row."""
        if batch.packed is None or kept < batch.count:
            self._times[self._end : self._end + kept] = batch.times[batch.count - kept :]
            self._values[self._end : self._end + kept] = batch.values[batch.count - kept :]
            return
        if self._bytes is None or self._bytes[0] is not self._times:
            self._bytes = self._times, self._times.data.cast("B"), self._values.data.cast("B")
        _, times, values = self._bytes
        times[_TIME_BYTES * self._end : _TIME_BYTES * (self._end + kept)] = batch.packed[0]
        values[_ROW_BYTES * self._end : _ROW_BYTES * (self._end + kept)] = batch.packed[1]

    def _grow_segment(self, before: float, rows: int, rising: RisingTimes | None) -> None:
        if rising is not None and rows and rising.max_step <= MERGE_SECONDS:
            first_step = rising.first - before if self._segment else SAMPLE_SECONDS
            self._segment = self._segment + rows if 0 < first_step <= MERGE_SECONDS else rows
            return
        added = self._times[self._end - rows : self._end]
        steps = np.empty(rows)
        steps[0] = added[0] - before if self._segment else SAMPLE_SECONDS
        np.subtract(added[1:], added[:-1], out=steps[1:])
        if steps.min() > 0 and steps.max() <= MERGE_SECONDS:
            self._segment += rows
            return
        cuts = np.flatnonzero((steps <= 0) | (steps > MERGE_SECONDS))
        self._segment = rows - int(cuts[-1])

    def _merge(self, batch: Batch) -> None:
        """Keep late samples in their place in the newest segment."""
        first = self._end - self._segment
        places = first - self._first + np.searchsorted(self._times[first : self._end], batch.times)
        order = np.arange(self.total - len(self), self.total) if self._order is None else self._order
        accepted = np.arange(self.total, self.total + len(batch))
        self._times = np.insert(self.times, places, batch.times)
        self._values = np.insert(self.values, places, batch.values, axis=0)
        self._order = np.insert(order, places, accepted)
        self._first, self._end = 0, len(self._times)
        self.total += len(batch)
        self._segment += len(batch)
        self._find_newest()
        self._let_go()

    def _let_go(self) -> None:
        """Keep the 2000 that were accepted last: what the store brings back after a restart."""
        if self._order is None:
            self._first = max(self._first, self._end - NEWEST_SAMPLES)
            self._segment = min(self._segment, self._end - self._first)
            return
        if len(self) > NEWEST_SAMPLES:
            kept = self._order >= self.total - NEWEST_SAMPLES
            self._times, self._values, self._order = self.times[kept], self.values[kept], self._order[kept]
            self._first, self._end = 0, len(self._times)
            self._find_newest()
        self._settle()

    def _settle(self) -> None:
        """Find the newest segment again after rows went, and forget the order once it is that of the rows."""
        order = self._order
        if order is not None and (np.diff(order) > 0).all():
            self._order = None
        steps = np.diff(self.times)
        cuts = np.flatnonzero((steps <= 0) | (steps > MERGE_SECONDS))
        self._segment = len(self) - (int(cuts[-1]) + 1 if len(cuts) else 0)

    def _find_newest(self) -> None:
        self._newest = float(self._times[self._end - 1]) if len(self) else -np.inf

    def forget_order(self) -> None:
        """The rows were written to the store as they lie: from now on that is the order in which they go."""
        self._order = None

    def _make_room(self, rows: int) -> None:
        """Move what is held to the front, of a larger piece of memory where it needs one."""
        held = len(self)
        capacity = min(max(2 * (held + rows), _FIRST_ROWS), NEWEST_SAMPLES + max(_SLACK_ROWS, rows))
        capacity = max(capacity, held + rows)
        times, values = self._times, self._values
        if capacity > len(times):
            times = np.empty(capacity, np.float64)
            values = np.empty((capacity, len(CHANNELS)), np.float32)
        times[:held] = self.times.copy()
        values[:held] = self.values.copy()
        self._times, self._values = times, values
        self._first, self._end = 0, held

    def note(self, window_end: float, top: int) -> None:
        """Remember what an analysed window showed."""
        length = WINDOW_SAMPLES * SAMPLE_SECONDS
        before = self.seen[-1].end if self.seen else -np.inf
        if window_end < before:  # the clock went back: its time starts again
            self.seen.clear()
            before = -np.inf
        if window_end > before:
            self.seen.append(AnalyzedWindow(window_end, min(length, window_end - before), top))

    def seconds_by_motif(self) -> dict[int, float]:
        """Time in the recent analysed windows in which each motif scored highest; without those that never did."""
        seconds: dict[int, float] = {}
        for seen in self.seen:
            seconds[seen.top] = seconds.get(seen.top, 0.0) + seen.seconds
        return seconds
