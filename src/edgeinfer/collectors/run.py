"""Runs collectors in the background: each on a thread of its own, timed, its success marked."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, time

from prometheus_client import CollectorRegistry, Counter

from edgeinfer.catalog import system
from edgeinfer.collectors.base import Collector, NothingToRead, SourceFault
from edgeinfer.metrics.instruments import counter
from edgeinfer.metrics.readings import Readings, readings

_log = logging.getLogger(__name__)
_STOP_SECONDS = 5.0
_NOTHING = "nothing_to_read"


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """What is told about the collectors themselves."""

    marks: Readings
    errors: Counter


def run_metrics(registry: CollectorRegistry) -> RunMetrics:
    """The metrics of collectors, on the registry."""
    marks = [system.COLLECTOR_SUCCESS, system.COLLECTOR_DURATION, system.COLLECTOR_LAST_SUCCESS]
    return RunMetrics(readings(marks, registry), counter(system.COLLECTOR_ERRORS, registry))


def run_once(
    collector: Collector,
    metrics: RunMetrics,
    *,
    wall_clock: Callable[[], float] = time,
    clock: Callable[[], float] = perf_counter,
) -> bool:
    """Run a collector, mark how it went, and say whether it read what it is for."""
    started = clock()
    reason = _reason_of_failure(collector)
    metrics.marks.publish(system.COLLECTOR_DURATION, clock() - started, collector.name)
    if reason == _NOTHING:
        # A source that does not exist, such as the monitor files of a Hailo-10H, is no failure to shout about.
        metrics.marks.withdraw(system.COLLECTOR_SUCCESS, collector.name)
    else:
        metrics.marks.publish(system.COLLECTOR_SUCCESS, float(not reason), collector.name)
    if reason:
        metrics.errors.labels(collector.name, reason).inc()
        return False
    metrics.marks.publish(system.COLLECTOR_LAST_SUCCESS, wall_clock(), collector.name)
    return True


def _reason_of_failure(collector: Collector) -> str:
    try:
        collector.collect()
    except NothingToRead as absence:
        _log.debug("nothing to read", extra={"collector": collector.name, "detail": str(absence)})
        return _NOTHING
    except SourceFault as fault:
        _log.info("a source could not be read", extra={"collector": collector.name, "detail": str(fault)})
        return fault.reason
    except PermissionError as failure:
        _log.info("a source may not be read", extra={"collector": collector.name, "detail": str(failure)})
        return "permission"
    except Exception:  # noqa: BLE001  # a collector that nobody foresaw failing must not end its thread
        _log.exception("a collector failed in a way that nobody foresaw", extra={"collector": collector.name})
        return "failed"
    return ""


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
        while not self._stop.is_set():
            started = perf_counter()
            run_once(collector, self._metrics)
            self._stop.wait(max(0.0, collector.interval_seconds - (perf_counter() - started)))
