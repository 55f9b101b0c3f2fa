"""The result of each request."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from edgeinfer.loadgen.schedule import Operation

NOT_SENT = "not_sent"
NO_SESSION = "no_session"


class RequestRecord(NamedTuple):
    """One request; times are seconds since the run began."""

    operation: Operation
    due: float
    sent: float
    done: float
    lag: float
    """How much later than it could have been the generator itself sent it."""
    status: int
    """HTTP status, 0 where none came."""
    failure: str
    """Empty on success, else the class of the failure."""
    source: str
    """Of an analysis: sidecar or fallback."""

    @property
    def latency(self) -> float:
        """Seconds from when it was due: what a person would wait."""
        return self.done - self.due

    @property
    def service(self) -> float:
        """Seconds from when it was sent: what the service took."""
        return self.done - self.sent

    @property
    def is_success(self) -> bool:
        """Whether it did what it was for; an answer from the fallback counts."""
        return not self.failure


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of an ordered, non-empty sequence does not exceed."""
    rank = max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))
    return ordered[rank]


class Records(list[RequestRecord]):
    """The finished requests of one run."""

    def of(self, *operations: Operation) -> "Records":
        """The records of these operations, in their order."""
        return Records(record for record in self if record.operation in operations)

    def between(self, start: float, end: float) -> "Records":
        """Those due in a span of time."""
        return Records(record for record in self if start <= record.due < end)

    def ordered(self, value: Callable[[RequestRecord], float]) -> list[float]:
        """One number of each record, in growing order."""
        return sorted(value(record) for record in self)

    def failures(self) -> Counter[str]:
        """Failed requests by class, such as "timeout" or the API's "overloaded"."""
        return Counter(record.failure for record in self if record.failure)

    def sources(self) -> Counter[str]:
        """Analyses by where their answer came from."""
        return Counter(record.source for record in self if record.source)
