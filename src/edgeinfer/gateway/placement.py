"""Where the samples of an upload go in a stream: behind it, into its holes, or nowhere because it has them."""

from itertools import pairwise
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import InvalidSamples
from edgeinfer.gateway.samples import Batch

MERGE_SECONDS = 10.0
"""Samples so much older than the newest are put in their place; a longer hole in t ends a segment."""
_STEP_BACK_SECONDS = 0.1
"""Going back by less is jitter of the sensor's own times, and merged sample by sample."""
_MIN_INTERLEAVED = 4
_MAX_RUNS = 64


class Piece(msgspec.Struct, frozen=True):
    """Samples that are stored by one record.

    Args:
        batch: in rising time, but where the clock jumped.
        is_late: they go into the current segment by their times, not behind it.
    """

    batch: Batch
    is_late: bool = False


class Placement(msgspec.Struct):
    """What becomes of an upload.

    Args:
        pieces: what is stored, in this order.
        known: samples that the stream had.
    """

    pieces: list[Piece] = []
    known: int = 0

    @property
    def accepted(self) -> int:
        """Samples that are stored."""
        accepted = 0
        for piece in self.pieces:
            accepted += piece.batch.count
        return accepted

    @property
    def late(self) -> int:
        """Samples among them that were put before later ones."""
        late = 0
        for piece in self.pieces:
            if piece.is_late:
                late += piece.batch.count
        return late


class Rows(Protocol):
    """A stream, as far as placing needs it."""

    def __len__(self) -> int:
        """How many samples are held."""

    @property
    def newest_on_any_clock(self) -> float:
        """Time of the newest sample, whatever clock it is on; minus infinity before the first."""

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds of all samples held."""

    @property
    def values(self) -> NDArray[np.float32]:
        """(n, 9) of all samples held."""

    @property
    def segment_length(self) -> int:
        """How many of the newest rows are on the current clock, in rising time."""

    def copy(self) -> "Rows":
        """Another one with the same rows."""

    def insert(self, piece: Piece) -> None:
        """Store a piece."""


def place(stream: Rows, batch: Batch) -> Placement:
    """Decide about each sample of an upload, whatever its order.

    Raises:
        InvalidSamples: its times go back and forth too often to be a sensor's.
    """
    if _is_behind_all(stream, batch):
        return Placement([Piece(batch)])
    placement = Placement()
    runs = _runs(batch, placement)
    if len(runs) == 1:
        placement.pieces = _place_run(stream, runs[0], placement)
        return placement
    scratch = stream.copy()
    for run in runs:
        for piece in _place_run(scratch, run, placement):
            scratch.insert(piece)
            placement.pieces.append(piece)
    return placement


def _is_behind_all(stream: Rows, batch: Batch) -> bool:
    """Whether samples rise, and come after all that the stream holds, as nearly every upload does."""
    rising = batch.rising
    if rising is not None:
        return rising.first > stream.newest_on_any_clock
    times = batch.times
    return bool(len(times) and times[0] > stream.newest_on_any_clock and (times[1:] > times[:-1]).all())


def _take(batch: Batch, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Batch:
    return Batch(batch.times[chosen], batch.values[chosen])


def _runs(batch: Batch, placement: Placement) -> list[Batch]:
    """Parts in strictly rising time; of adjacent samples with the same t the first counts."""
    if not len(batch):
        return []
    is_repeated = np.diff(batch.times, prepend=-np.inf) == 0
    placement.known += int(is_repeated.sum())
    batch = _take(batch, ~is_repeated)
    cuts = np.flatnonzero(np.diff(batch.times) < 0) + 1
    if len(cuts) < _MAX_RUNS:
        edges = [0, *cuts.tolist(), len(batch)]
        return [_take(batch, np.arange(first, end)) for first, end in pairwise(edges)]
    if (np.maximum.accumulate(batch.times) - batch.times).max() > MERGE_SECONDS:
        fault = f"its times go back {len(cuts)} times, by more than {MERGE_SECONDS:g} s"
        raise InvalidSamples("t", fault, "Send samples in the order in which they were measured.")
    order = np.argsort(batch.times, kind="stable")
    return _runs(_take(batch, order), placement)


def _place_run(stream: Rows, run: Batch, placement: Placement) -> list[Piece]:
    is_known = _known(stream, run)
    placement.known += int(is_known.sum())
    segment = stream.times[len(stream.times) - stream.segment_length :]
    if len(segment):
        # Sensors round their times: of two samples with one t the first counts, as within an upload.
        is_same_time = (run.times > segment[-1] - _STEP_BACK_SECONDS) & _is_contained_in(segment, run.times) & ~is_known
        placement.known += int(is_same_time.sum())
        is_known |= is_same_time
    new = _take(run, ~is_known) if is_known.any() else run
    if not len(new):
        return []
    if not len(segment) or new.times[0] > segment[-1] or _went_back(segment, new, run.times[is_known]):
        return [Piece(new)]
    is_late = new.times < segment[-1]
    pieces = [Piece(_take(new, is_late), is_late=True), Piece(_take(new, ~is_late))]
    return [piece for piece in pieces if len(piece.batch)]


def _is_contained_in(rising: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which times are among those of a segment."""
    places = np.searchsorted(rising, times).clip(max=len(rising) - 1)
    found: NDArray[np.bool_] = rising[places] == times
    return found


def _known(stream: Rows, run: Batch) -> NDArray[np.bool_]:
    """Which samples the stream holds, with their t and all of their values."""
    times, values = stream.times, stream.values
    known = np.zeros(len(run), np.bool_)
    if not len(times):
        return known
    first = len(times) - stream.segment_length
    order = np.arange(first, len(times))
    for rows in (order, np.argsort(times[:first], kind="stable")):
        if not len(rows):
            continue
        sorted_times = times[rows]
        place = np.searchsorted(sorted_times, run.times)
        # On several clocks one t may stand several times.
        while True:
            inside = place < len(rows)
            candidates = rows[place.clip(max=len(rows) - 1)]
            has_time = inside & (times[candidates] == run.times)
            if not has_time.any():
                break
            known |= has_time & (values[candidates] == run.values).all(axis=1)
            place = place + has_time
            if not (has_time & ~known).any():
                break
    return known


def _went_back(segment: NDArray[np.float64], new: Batch, known: NDArray[np.float64]) -> bool:
    """Whether samples that are not after the newest come from a clock that was set back, not from a late upload.

    A late upload fills a hole. A clock that went back gives times at which the stream has other samples already, or
    its samples lie among those of the stream.
    """
    newest = segment[-1]
    if newest - new.times[0] > MERGE_SECONDS:
        return True
    if _is_contained_in(segment, new.times).any():
        return True
    late = new.times[new.times < newest]
    if newest - late[0] < _STEP_BACK_SECONDS or len(late) < _MIN_INTERLEAVED:
        return False
    between = segment[(segment > late[0]) & (segment < late[-1])]
    others = len(between) - int(((known > late[0]) & (known < late[-1])).sum())
    return 2 * others >= len(late)
