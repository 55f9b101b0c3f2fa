"""Runs collectors in the background: each on a thread of its own, timed, its success marked."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic, time

from prometheus_client import CollectorRegistry, Counter

from edgeinfer.catalog import system
from edgeinfer.collectors.base import MAX_IDLE_SECONDS, Collector, NothingToRead, SourceFault
from edgeinfer.logs import LogLimiter
from edgeinfer.metrics.instruments import counter
from edgeinfer.metrics.readings import Readings, readings

_log = logging.getLogger(__name__)
_STOP_SECONDS = 5.0
_SUBJECT = "run"
_MAX_DOUBLINGS = 10  # more than lead to the longest wait from the shortest interval


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """Metrics about the collectors themselves."""

    marks: Readings
    errors: Counter


def run_metrics(registry: CollectorRegistry) -> RunMetrics:
    """The metrics of collectors, on the registry."""
    marks = [system.COLLECTOR_SUCCESS, system.COLLECTOR_DURATION, system.COLLECTOR_LAST_SUCCESS]
    return RunMetrics(readings(marks, registry), counter(system.COLLECTOR_ERRORS, registry))


class Runner:
    """One collector: run, timed, its success marked, and logged when something changes.

    Args:
        collector: what to run.
        metrics: where to mark how it went.
        wall_clock: seconds since the epoch.
        clock: seconds for durations and for what was logged lately.
    """

    def __init__(
        self,
        collector: Collector,
        metrics: RunMetrics,
        *,
        wall_clock: Callable[[], float] = time,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._collector = collector
        self._metrics = metrics
        self._wall_clock = wall_clock
        self._clock = clock
        self._logged = LogLimiter(clock)
        self._idle_runs = 0

    @property
    def interval_seconds(self) -> float:
        """Time from this run to the next: the collector's own, and longer the longer there is nothing to read."""
        own = self._collector.interval_seconds
        return max(own, min(own * 2.0**self._idle_runs, MAX_IDLE_SECONDS))

    def run(self) -> bool:
        """Run it once; returns whether it read what it is for."""
        started = self._clock()
        reason = self._reason_of_failure()
        self._metrics.marks.publish(system.COLLECTOR_DURATION, self._clock() - started, self._collector.name)
        self._idle_runs = min(self._idle_runs + 1, _MAX_DOUBLINGS) if reason is None else 0
        if reason is None:
            self._metrics.marks.withdraw(system.COLLECTOR_SUCCESS, self._collector.name)
            return False
        self._metrics.marks.publish(system.COLLECTOR_SUCCESS, float(not reason), self._collector.name)
        if reason:
            self._metrics.errors.labels(self._collector.name, reason).inc()
            return False
        self._metrics.marks.publish(system.COLLECTOR_LAST_SUCCESS, self._wall_clock(), self._collector.name)
        return True

    def _reason_of_failure(self) -> str | None:
        """Why the run failed: empty if it did not, None if there is nothing to read."""
        try:
            self._collector.collect()
        except NothingToRead as absence:
            self._log(logging.INFO, "nothing to read here; looking again now and then", str(absence))
            return None
        except SourceFault as fault:
            self._log(logging.WARNING, "a source could not be read", str(fault))
            return fault.reason
        except PermissionError as failure:
            self._log(logging.WARNING, "a source may not be read", str(failure))
            return "permission"
        except Exception as failure:  # noqa: BLE001  # no exception of a collector may end its thread
            if self._logged.is_due(_SUBJECT, type(failure).__name__):
                _log.exception("unexpected error in a collector", extra={"collector": self._collector.name})
            return "failed"
        if self._logged.forget(_SUBJECT):
            _log.info("the source is read", extra={"collector": self._collector.name})
        return ""

    def _log(self, level: int, message: str, detail: str) -> None:
        if self._logged.is_due(_SUBJECT, message + detail):
            _log.log(level, message, extra={"collector": self._collector.name, "detail": detail})


class Collectors:
    """The collectors of one process, from start to stop.

    Args:
        collectors: what to run, each at its interval.
        metrics: where to mark how it went.
    """

    def __init__(self, collectors: Sequence[Collector], metrics: RunMetrics) -> None:
        self._collectors = collectors
        self._metrics = metrics
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Run each collector now and then at its interval."""
        for collector in self._collectors:
            thread = threading.Thread(
                target=self._run, args=(collector,), name=f"collector-{collector.name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End the threads and close the collectors; one that hangs is left to the end of the process."""
        self._stop.set()
        for collector, thread in zip(self._collectors, self._threads, strict=True):
            thread.join(_STOP_SECONDS)
            if not thread.is_alive():
                collector.close()
        self._threads.clear()

    def _run(self, collector: Collector) -> None:
        runner = Runner(collector, self._metrics)
        while not self._stop.is_set():
            started = monotonic()
            runner.run()
            self._stop.wait(max(0.0, runner.interval_seconds - (monotonic() - started)))
