"""From a latency bucket to one request's log line: which calls carry an exemplar, and which are logged."""

import logging
from bisect import bisect_left
from collections.abc import Callable, Sequence

_log = logging.getLogger(__name__)
_TRACED_STAYS_SECONDS = 60.0


class ExemplarSampler:
    """Picks calls worth a log line: one per latency bucket every few seconds, and failures up to a rate.

    A call that is picked gets an exemplar with its request id, and exactly those calls get a line with
    the same id, so that each exemplar leads to a line.

    Args:
        bounds: upper bounds of the histogram's buckets, in seconds.
        clock: monotonic seconds.
        interval_seconds: at most one exemplar per bucket in this time.
        failures_per_second: failures logged in a second; more are counted in the next line.
    """

    def __init__(
        self,
        bounds: Sequence[float],
        clock: Callable[[], float],
        *,
        interval_seconds: float = 5.0,
        failures_per_second: int = 5,
    ) -> None:
        self._bounds = tuple(bounds)
        self._clock = clock
        self._interval = interval_seconds
        self._due = [-float("inf")] * (len(self._bounds) + 1)
        self._traced_due = self._due.copy()
        self._failures_per_second = failures_per_second
        self._second = -1
        self._failures = 0
        self._unlogged = 0

    def is_due(self, seconds: float, *, is_traced: bool = False) -> bool:
        """Whether a call of this duration is picked; the next one in its bucket is then some seconds off.

        A bucket's exemplar that leads to a trace stays for a minute before one that does not takes its place.
        """
        bucket = bisect_left(self._bounds, seconds)
        now = self._clock()
        due = self._traced_due if is_traced else self._due
        if now < due[bucket]:
            return False
        due[bucket] = now + self._interval
        if is_traced:
            self._due[bucket] = now + _TRACED_STAYS_SECONDS
        return True

    def log(self, request_id: str, operation: str, sidecar: str, seconds: float, **more: object) -> None:
        """The line of a call that was picked."""
        _log.info(
            "inference",
            extra={
                "request_id": request_id,
                "operation": operation,
                "sidecar": sidecar,
                "duration_ms": round(1000 * seconds, 3),
                **more,
            },
        )

    def report_failure(self, request_id: str, operation: str, error_type: str, fault: str, **more: object) -> None:
        """The line of a failed call, unless too many failed this second."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._failures = second, 0
        self._failures += 1
        if self._failures > self._failures_per_second:
            self._unlogged += 1
            return
        unlogged, self._unlogged = self._unlogged, 0
        extra = {"request_id": request_id, "operation": operation, "error_type": error_type, "fault": fault, **more}
        if unlogged:
            extra["failures_not_logged"] = unlogged
        _log.warning("inference failed", extra=extra)
