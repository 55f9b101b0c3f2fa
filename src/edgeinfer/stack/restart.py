"""When a crashed process is started again, and when not."""

from dataclasses import dataclass

EXIT_CONFIGURATION = 78  # what our own commands exit with when starting again cannot help


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Exponential back-off with an end.

    Args:
        first_seconds: wait before the first restart; each further one waits twice as long.
        longest_seconds: no wait is longer.
        most_crashes: as many crashes in a row are the last.
        healthy_seconds: a process that lived this long has begun a new row.
    """

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    most_crashes: int = 8
    healthy_seconds: float = 60.0

    def delay_seconds(self, crashes: int) -> float:
        """Wait after the given number of crashes in a row, from 1 on."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** (crashes - 1))

    def gives_up(self, crashes: int, exit_code: int) -> bool:
        """Whether this crash was the last one."""
        return exit_code == EXIT_CONFIGURATION or crashes >= self.most_crashes
