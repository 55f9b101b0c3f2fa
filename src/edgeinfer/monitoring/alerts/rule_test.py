"""Rule tests of an alert: series that make it fire and resolve, and cases in which it must not fire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

Segments = tuple[tuple[float | None, int], ...]


@dataclass(frozen=True, slots=True)
class Values:
    """How one series moves: segments of a value (or of a growth per second) and a number of seconds."""

    segments: Segments
    counts: bool

    @property
    def seconds(self) -> int:
        """Total length of all segments."""
        return sum(length for _, length in self.segments)


def gauge(*segments: tuple[float | None, int]) -> Values:
    """A series that holds each value for so many seconds; None means that it is absent."""
    return Values(segments, counts=False)


def counter(*segments: tuple[float, int]) -> Values:
    """A counter that grows by so much a second for so many seconds."""
    return Values(segments, counts=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCase:
    """A further case of the rule test: one in which the alert must stay silent, or must fire as well.

    Args:
        why: what is different.
        at: seconds after the start at which to evaluate.
    """

    why: str
    series: Mapping[str, Values]
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """Series over time in which the alert waits, fires and resolves.

    Args:
        series: selector with all labels, to how it moves.
        pending_at: seconds at which it must not fire yet; only where the alert has a `for`.
        firing_at: seconds at which it must fire.
        resolved_at: seconds at which it must be over.
        labels: what the expression leaves of the series' labels.
        expected_description: the expected description, word for word.
        interval_seconds: between samples and between evaluations.
    """

    series: Mapping[str, Values]
    firing_at: int
    resolved_at: int
    expected_description: str
    pending_at: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    interval_seconds: int = 15

    def __post_init__(self) -> None:
        times = [time for time in (self.pending_at, self.firing_at, self.resolved_at) if time is not None]
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError("an alert first waits, then fires, then resolves")
