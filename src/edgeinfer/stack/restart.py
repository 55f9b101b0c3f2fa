"""When a crashed process is started again; it always is, sooner or later."""

from dataclasses import dataclass

EXIT_CONFIGURATION = 78  # what our own commands exit with when their configuration must be fixed


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Exponential back-off without an end: what stood in the way, such as a full disk, may go away.

    Args:
        first_seconds: wait before the first restart; each further one waits twice as long.
        max_seconds: no wait is longer, before a process is given up.
        max_crashes: with as many crashes in a row a process counts as given up.
        healthy_seconds: a process that lived this long has begun a new row.
        given_up_seconds: wait after that; each further one waits twice as long.
        max_given_up_seconds: no wait is longer than this.
    """

    first_seconds: float = 0.5
    max_seconds: float = 30.0
    max_crashes: int = 8
    healthy_seconds: float = 60.0
    given_up_seconds: float = 60.0
    max_given_up_seconds: float = 300.0

    def is_given_up(self, crashes: int) -> bool:
        """Whether so many consecutive crashes are more than a transient failure."""
        return crashes >= self.max_crashes

    def delay_seconds(self, crashes: int, *, is_main_job: bool = False) -> float:
        """Wait after the given number of crashes in a row, from 1 on; the main job never waits for minutes."""
        if not self.is_given_up(crashes) or is_main_job:
            return _doubled(self.first_seconds, crashes - 1, self.max_seconds)
        return _doubled(self.given_up_seconds, crashes - self.max_crashes, self.max_given_up_seconds)


def _doubled(seconds: float, times: int, longest: float) -> float:
    return min(longest, seconds * 2.0 ** min(times, 60))  # a week of crashes is past what a float can double
