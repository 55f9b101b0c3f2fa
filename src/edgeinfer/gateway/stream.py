"""The newest samples of one sensor in a session."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import DuplicateSamples, InvalidSamples, NotEnoughSamples
from edgeinfer.gateway.samples import CHANNELS, WINDOW_SAMPLES, Batch

NEWEST_SAMPLES = 2000
_FIRST_ROWS = 128
# Room beyond what is kept, so that moving the rows to the front is rare.
_SLACK_ROWS = 500


@dataclass(frozen=True, slots=True)
class AnalyzedWindow:
    """One analysed window of a stream.

    Args:
        end: time of its last sample, in seconds.
        seconds: time it covers that no analysed window before it covered.
        top: index of the motif that scored highest.
    """

    end: float
    seconds: float
    top: int


@dataclass(slots=True)
class Stream:
    """Samples of one role in rising time, the newest 2000 of them, in one piece of memory."""

    role: str
    total: int = 0
    seen: "deque[AnalyzedWindow]" = field(default_factory=lambda: deque(maxlen=NEWEST_SAMPLES // WINDOW_SAMPLES))
    _times: NDArray[np.float64] = field(default_factory=lambda: np.empty(_FIRST_ROWS, np.float64))
    _values: NDArray[np.float32] = field(default_factory=lambda: np.empty((_FIRST_ROWS, len(CHANNELS)), np.float32))
    _first: int = 0
    _end: int = 0

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
    def newest_seconds(self) -> float:
        """Time of the newest sample, minus infinity before the first."""
        return float(self._times[self._end - 1]) if self._end else -np.inf

    def window(self) -> NDArray[np.float32]:
        """A copy of the newest 100 samples, (100, 9).

        Raises:
            NotEnoughSamples: the stream has no whole window yet.
        """
        if len(self) < WINDOW_SAMPLES:
            fault = f"it holds {len(self)} samples of the {WINDOW_SAMPLES} that make a window"
            raise NotEnoughSamples(f"stream {self.role}", fault, "Stream more samples, then ask again.")
        return self._values[self._end - WINDOW_SAMPLES : self._end].copy()

    def check(self, batch: Batch) -> None:
        """Prove that a batch continues the stream.

        Raises:
            DuplicateSamples: all of its samples are held already.
            InvalidSamples: some of them are not after the newest that is held.
        """
        newest = self.newest_seconds
        if not len(batch) or batch.times[0] > newest:
            return
        if self._holds(batch):
            fault = f"all {len(batch)} are stored already; the newest stored t is {newest}"
            raise DuplicateSamples("samples", fault, f"Go on with samples after t={newest}.")
        fault = f"its t={batch.times[0]} is not after the newest stored t={newest} of stream {self.role}"
        raise InvalidSamples("sample 0", fault, f"Send only samples after t={newest}.")

    def _holds(self, batch: Batch) -> bool:
        places = np.searchsorted(self.times, batch.times)
        if places[-1] >= len(self):
            return False
        same_times = np.array_equal(self.times[places], batch.times)
        return bool(same_times and np.array_equal(self.values[places], batch.values))

    def append(self, batch: Batch) -> None:
        """Keep a checked batch, and let go of what is older than the newest 2000 samples."""
        self.total += len(batch)
        kept = min(len(batch), NEWEST_SAMPLES)
        self._make_room(kept)
        self._times[self._end : self._end + kept] = batch.times[len(batch) - kept :]
        self._values[self._end : self._end + kept] = batch.values[len(batch) - kept :]
        self._end += kept
        self._first = max(self._first, self._end - NEWEST_SAMPLES)

    def _make_room(self, rows: int) -> None:
        if self._end + rows <= len(self._times):
            return
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
        length = WINDOW_SAMPLES * 0.01
        before = self.seen[-1].end if self.seen else -np.inf
        if window_end > before:
            self.seen.append(AnalyzedWindow(window_end, min(length, window_end - before), top))

    def seconds_of(self, motif: int) -> float:
        """Time in the recent analysed windows in which this motif scored highest."""
        return sum(seen.seconds for seen in self.seen if seen.top == motif)
