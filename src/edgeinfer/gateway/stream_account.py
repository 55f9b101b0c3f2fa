"""What a stream knows about its own samples: counts since it began, and the timing of the newest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LOST = 1.75
"""A step of more than so many periods means that samples between are missing; jitter alone stays below."""
_GAP = 3.0
"""A step of more than so many periods is a gap: two samples in a row are missing."""
_FEW_STEPS = 4
_WALL_CLOCK_SECONDS = 10 * 365.25 * 86_400
"""A t within ten years of the gateway's clock is one that counts from 1970; another counts from somewhere else."""


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
    def events(self) -> dict[str, int]:
        """Counts of what was irregular, by the names of the metric; each only grows."""
        return {
            "gap": self.gaps,
            "missing": self.missing,
            "duplicate": self.duplicates,
            "reordered": self.reordered,
            "clock_jump": self.clock_jumps,
            "pause": self.pauses,
        }

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

    def follow(
        self,
        times: NDArray[np.float64],
        *,
        before: float,
        recent: NDArray[np.float64],
        arrived: float,
        pause_seconds: float,
    ) -> None:
        """Samples were added at the end.

        Args:
            times: (n,) theirs, which jump where the clock did.
            before: t of the one before the first; minus infinity where there is none.
            recent: times of the newest samples on their clock, these among them; a few dozen are enough.
            arrived: monotonic seconds.
            pause_seconds: a hole of more is a pause or a jump of the clock.
        """
        self.accepted += len(times)
        steps = _steps_after(before, times)
        if not len(steps):
            return
        longest = float(steps.max())
        if longest > pause_seconds or steps.min() <= 0:
            self._jump(steps, times, arrived, pause_seconds)
            steps = steps[(steps > 0) & (steps <= pause_seconds)]
            longest = float(steps.max(initial=0.0))
        self._learn_period(recent)
        if self.period_seconds and longest > _LOST * self.period_seconds:
            self._find_gaps(steps, self.period_seconds)

    def _jump(self, steps: NDArray[np.float64], times: NDArray[np.float64], arrived: float, pause: float) -> None:
        back = int((steps <= 0).sum())
        ahead = int((steps > pause).sum())
        # A sensor that slept shows a hole as long as it slept; a clock that was set is ahead of where it ever was.
        was_set = ahead > 0 and float(times.max()) - arrived > self._lead_seconds + pause and self.accepted > len(times)
        self.clock_jumps_back += back
        self.clock_jumps_forward += ahead if was_set else 0
        self.pauses += 0 if was_set else ahead
        if back or was_set:
            self._lead_seconds = -np.inf

    def _learn_period(self, recent: NDArray[np.float64]) -> None:
        if len(recent) > _FEW_STEPS:
            steps = recent[1:] - recent[:-1]
            steps.sort()
            self.period_seconds = float(steps[len(steps) // 2])

    def _find_gaps(self, steps: NDArray[np.float64], period: float) -> None:
        self.missing += int((np.round(steps[steps > _LOST * period] / period) - 1).sum())
        gaps = steps[steps > _GAP * period]
        if len(gaps):
            self.gaps += len(gaps)
            self.longest_gap_seconds = max(self.longest_gap_seconds, float(gaps.max()))

    def fill(self, count: int) -> None:
        """Samples were put in their place before later ones."""
        self.accepted += count
        self.reordered += count


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
    steps = np.diff(newest)
    span = float(newest[-1] - newest[0])
    low, high = np.percentile(steps, (16, 84))
    return Timing(span, len(newest), len(steps) / span, float(high - low) / 2, float(steps.max()))
