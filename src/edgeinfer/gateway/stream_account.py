"""What a stream knows about its own samples: counts since it began, its newest holes, and the timing of the newest."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeinfer.gateway.samples import RisingTimes

_LOST = 1.75
"""A step of more than so many periods means that samples between are missing; jitter alone stays below."""
_GAP = 3.0
"""A step of more than so many periods is a gap: two samples in a row are missing."""
_FEW_STEPS = 4
_MAX_HOLES = 100
_MAX_BATCH_SECONDS = 60.0
_SHORT = 0.5
"""A step of less than so many periods may mean that the sensor has become faster."""
_LEARNED_EVERY = 7
_EVEN = 1.25
"""Steps are alike where the longest is no more than so many of the shortest."""
CLOCK_JUMP = "clock_jump"
EVENTS = ("gap", "missing", "duplicate", "reordered", CLOCK_JUMP, "pause")
"""The names of the metric for `StreamAccount.counts`."""
_WALL_CLOCK_SECONDS = 10 * 365.25 * 86_400
"""A t within ten years of the gateway's clock is one that counts from 1970; another counts from somewhere else."""


HoleKind = Literal["gap", "pause", "clock_jump"]


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a stream at which t does not continue as usual.

    Args:
        kind: samples are missing, the sensor slept, or its clock was set.
        start: t of the sample before it, in seconds.
        end: t of the sample after it; before `start` where the clock went back.
        at: when it ended by the gateway's clock, in seconds since 1970.
    """

    kind: HoleKind
    start: float
    end: float
    at: float


@dataclass(slots=True)
class StreamAccount:
    """Counts of one stream in this run of the gateway, which the telemetry of input quality reads.

    A sample that comes late may close a gap that was counted when its successor came: what is really lost is
    `dropped`.

    Args:
        accepted: samples stored.
        duplicates: samples skipped, because the stream had them already.
        reordered: samples that came after later ones, and were put in their place.
        clock_jumps_forward: times that t went ahead by more than a pause explains.
        clock_jumps_back: times that t went back.
        pauses: holes of more than `MERGE_SECONDS` in t.
        gaps: holes of more than three periods, pauses not among them.
        missing: samples that should have been in holes, pauses not among them, when their successors came.
        longest_gap_seconds: the longest of `gaps`.
        period_seconds: the usual step between two samples; None before a few came.
        clock_offset_seconds: the gateway's clock minus t, for the newest sample as it arrived: delay and clock
            together; None where t does not count from 1970.
        newest_arrived: monotonic seconds of the gateway when the newest samples came; None since a restart.
        holes: the newest ones, each of more than three periods; shared by copies of the account.
    """

    accepted: int = 0
    duplicates: int = 0
    reordered: int = 0
    clock_jumps_forward: int = 0
    clock_jumps_back: int = 0
    pauses: int = 0
    gaps: int = 0
    missing: int = 0
    longest_gap_seconds: float = 0.0
    period_seconds: float | None = None
    clock_offset_seconds: float | None = None
    newest_arrived: float | None = None
    holes: "deque[Hole]" = field(default_factory=lambda: deque(maxlen=_MAX_HOLES))
    counted: tuple[int, ...] = (0,) * len(EVENTS)
    """What of `counts` the metrics have."""
    _steady: int = 0
    """Uploads since the period was learned."""
    _lead_seconds: float = -np.inf
    """The most that t was ever ahead of the gateway's monotonic clock: a pause never adds to it, a clock does."""

    @property
    def dropped(self) -> int:
        """Samples that are missing, those that came late not among them."""
        return max(0, self.missing - self.reordered)

    @property
    def clock_jumps(self) -> int:
        """Jumps of the clock in either direction."""
        return self.clock_jumps_forward + self.clock_jumps_back

    @property
    def counts(self) -> tuple[int, ...]:
        """Counts of what was irregular, in the order of `EVENTS`; each only grows."""
        return self.gaps, self.missing, self.duplicates, self.reordered, self.clock_jumps, self.pauses

    @property
    def rate_hz(self) -> float | None:
        """The usual rate; None before a few samples came."""
        return 1.0 / self.period_seconds if self.period_seconds else None

    def arrive(self, newest_t: float, arrived: float, wall: float) -> None:
        """Samples arrived, the newest of which is of this t."""
        self.newest_arrived = arrived
        offset = wall - newest_t
        self.clock_offset_seconds = offset if abs(offset) < _WALL_CLOCK_SECONDS else None
        self._lead_seconds = max(self._lead_seconds, newest_t - arrived)

    def follow(  # noqa: PLR0913 - the facts of one upload
        self,
        times: NDArray[np.float64],
        *,
        before: float,
        recent: NDArray[np.float64],
        arrived: float,
        wall: float,
        pause_seconds: float,
    ) -> None:
        """Samples were added at the end.

        Args:
            times: (n,) theirs, which jump where the clock did.
            before: t of the one before the first; minus infinity where there is none.
            recent: times of the newest samples on their clock, these among them; a few dozen are enough.
            arrived: monotonic seconds.
            wall: seconds since 1970.
            pause_seconds: a hole of more is a pause or a jump of the clock.
        """
        self.accepted += len(times)
        all_steps = steps = _steps_after(before, times)
        if not len(steps):
            return
        longest = float(steps.max())
        pause_kind: HoleKind = "pause"
        has_jump = longest > pause_seconds or steps.min() <= 0
        if has_jump:
            pause_kind = self._jump(steps, times, arrived, pause_seconds)
            steps = steps[(steps > 0) & (steps <= pause_seconds)]
            longest = float(steps.max(initial=0.0))
        self._learn_period(recent)
        period = self.period_seconds or np.inf
        if longest > _LOST * period:
            self._find_gaps(steps, period)
        if has_jump or longest > _GAP * period:
            kinds: dict[HoleKind, NDArray[np.bool_]] = {"gap": all_steps > _GAP * period}
            kinds[pause_kind] = all_steps > pause_seconds
            kinds["clock_jump"] = kinds.get("clock_jump", False) | (all_steps <= 0)
            self._note_holes(times if np.isinf(before) else np.append(before, times), kinds, wall)

    def follow_steadily(self, rising: RisingTimes, count: int, before: float) -> bool:
        """The same for samples whose steps are as usual; False, and nothing is counted, where they are not.

        The period is learned from every eighth of such uploads, and from every other one: as the mean of steps that
        are alike, else as the median of the newest steps.

        Args:
            rising: of the samples.
            count: how many.
            before: t of the one before the first.
        """
        period = self.period_seconds
        if period is None:
            return False
        step = rising.first - before
        shortest, longest = min(step, rising.min_step), max(step, rising.max_step)
        if not (shortest >= _SHORT * period and longest <= _LOST * period):
            return False
        if self._steady < _LEARNED_EVERY:
            self._steady += 1
        elif count > _FEW_STEPS and longest <= _EVEN * shortest:
            self._steady, self.period_seconds = 0, (rising.last - rising.first) / (count - 1)
        else:
            return False
        self.accepted += count
        return True

    def _note_holes(self, times: NDArray[np.float64], kinds: Mapping[HoleKind, NDArray[np.bool_]], wall: float) -> None:
        """Remember where the holes are.

        Args:
            times: (n + 1,) of the samples before and after each step.
            kinds: (n,) which steps are holes of a kind; of several kinds that fit, the last one counts.
            wall: when the newest of them arrived.
        """
        found: dict[int, HoleKind] = {}
        for kind, mask in kinds.items():
            found |= dict.fromkeys(map(int, np.flatnonzero(mask)), kind)
        for place in sorted(found)[-_MAX_HOLES:]:
            start, end = float(times[place]), float(times[place + 1])
            ago = min(max(0.0, float(times[-1]) - end), _MAX_BATCH_SECONDS)
            self.holes.append(Hole(found[place], start, end, wall - ago))

    def _jump(self, steps: NDArray[np.float64], times: NDArray[np.float64], arrived: float, pause: float) -> HoleKind:
        """Count jumps of the clock; returns what the long holes among the steps are."""
        back = int((steps <= 0).sum())
        ahead = int((steps > pause).sum())
        # A sensor that slept shows a hole as long as it slept; a clock that was set is ahead of where it ever was.
        was_set = ahead > 0 and float(times.max()) - arrived > self._lead_seconds + pause and self.accepted > len(times)
        self.clock_jumps_back += back
        self.clock_jumps_forward += ahead if was_set else 0
        self.pauses += 0 if was_set else ahead
        if back or was_set:
            self._lead_seconds = -np.inf
        return "clock_jump" if was_set else "pause"

    def _learn_period(self, recent: NDArray[np.float64]) -> None:
        self._steady = 0
        if len(recent) > _FEW_STEPS:
            steps = recent[1:] - recent[:-1]
            steps.sort()
            self.period_seconds = float(steps[len(steps) // 2])

    def _find_gaps(self, steps: NDArray[np.float64], period: float) -> None:
        self.missing += _count_missing(steps, period)
        gaps = steps[steps > _GAP * period]
        if len(gaps):
            self.gaps += len(gaps)
            self.longest_gap_seconds = max(self.longest_gap_seconds, float(gaps.max()))

    def fill(self, times: NDArray[np.float64]) -> None:
        """Samples of these times were put in their place before later ones, and close what holes they fall into."""
        self.accepted += len(times)
        self.reordered += len(times)
        if any(hole.kind == "gap" and hole.start < times[-1] and times[0] < hole.end for hole in self.holes):
            left = [part for hole in self.holes for part in self._left_of(hole, times)]
            self.holes = deque(left, maxlen=_MAX_HOLES)

    def _left_of(self, hole: Hole, times: NDArray[np.float64]) -> list[Hole]:
        if hole.kind != "gap":
            return [hole]
        edges = [hole.start, *times[(times > hole.start) & (times < hole.end)].tolist(), hole.end]
        limit = _GAP * (self.period_seconds or 0.0)
        return [
            Hole("gap", start, end, hole.at - (hole.end - end)) for start, end in pairwise(edges) if end - start > limit
        ]


def _count_missing(steps: NDArray[np.float64], period: float) -> int:
    """Samples that should have been within steps that are too long.

    A sample that is stamped late makes a long step next to a short one: whether one sample is missing is decided
    with the step before and the step after.
    """
    places = np.flatnonzero(steps > _LOST * period)
    missing = np.round(steps[places] / period) - 1
    padded = np.concatenate(((0.0,), steps, (0.0,)))
    around = padded[places] + padded[places + 1] + padded[places + 2]
    adjacent = (places > 0).astype(int) + (places < len(steps) - 1)
    net = np.round(around / period) - 1 - adjacent
    return int(np.where(missing == 1, np.clip(net, 0, 1), missing).sum())


def _steps_after(before: float, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) from each sample to the next, the one before them among them where there is one."""
    if not np.isfinite(before):
        return times[1:] - times[:-1]
    steps = np.empty_like(times)
    steps[0] = times[0] - before
    np.subtract(times[1:], times[:-1], out=steps[1:])
    return steps


@dataclass(frozen=True, slots=True)
class Timing:
    """The steps between the newest samples of a stream.

    Args:
        seconds: span that was looked at.
        samples: how many.
        rate_hz: mean rate, holes included.
        jitter_seconds: spread of the steps: half the distance between their 16th and 84th percentile.
        longest_step_seconds: between two samples.
    """

    seconds: float
    samples: int
    rate_hz: float
    jitter_seconds: float
    longest_step_seconds: float


def measure_timing(times: NDArray[np.float64], seconds: float = 10.0) -> Timing | None:
    """The timing of the newest samples on one clock; None for fewer than three.

    Args:
        times: (n,) rising.
        seconds: how far back to look.
    """
    newest = times[np.searchsorted(times, times[-1] - seconds) :] if len(times) else times
    if len(newest) <= 2:  # noqa: PLR2004 - two samples have one step, and one step has no spread
        return None
    steps = newest[1:] - newest[:-1]
    span = float(newest[-1] - newest[0])
    steps.sort()
    spread = _percentile(steps, 84) - _percentile(steps, 16)
    return Timing(span, len(newest), len(steps) / span, spread / 2, float(steps[-1]))


def _percentile(ordered: NDArray[np.float64], percent: int) -> float:
    """As numpy's, which takes five times as long to find out what it was given."""
    place, part = divmod(percent * (len(ordered) - 1), 100)
    below = float(ordered[place])
    return below if not part else below + (float(ordered[place + 1]) - below) * part / 100
