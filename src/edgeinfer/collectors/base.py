"""What a collector is: one source, read in the background, published as readings."""

from typing import Literal, Protocol

__all__ = [
    "MAX_IDLE_SECONDS",
    "Collector",
    "FaultReason",
    "NothingToRead",
    "SourceFault",
]

FaultReason = Literal["permission", "malformed", "stale", "timeout", "failed"]

# A collector with nothing to read is run less and less often, up to this: what appears is seen within it.
MAX_IDLE_SECONDS = 30.0


class NothingToRead(Exception):
    """The source does not exist on this machine; its series stay absent, and nothing is counted as an error."""


class SourceFault(Exception):
    """The source is there and could not be read.

    Args:
        reason: value of the `reason` label.
        message: what was wrong, for the log.
    """

    def __init__(self, reason: FaultReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Collector(Protocol):
    """Reads one source; the constructor does no I/O.

    `edgeinfer.collectors.run` calls it on its own thread, times it, marks its success and keeps one
    failing collector from costing another.
    """

    @property
    def name(self) -> str:
        """Value of the `collector` label."""

    @property
    def interval_seconds(self) -> float:
        """Seconds between two runs."""

    def collect(self) -> None:
        """Read and publish.

        Raises:
            NothingToRead: the source is absent.
            SourceFault: the source could not be read, with the reason that is counted.
            Exception: any other is a failed run too.
        """

    def close(self) -> None:
        """Release what is held open; safe to call twice."""
