"""Collectors in the background: timed, marked, and none of them costing another."""

import threading

import pytest

from edgeinfer.collectors.base import NothingToRead, SourceFault
from edgeinfer.collectors.run import Collectors, run_metrics, run_once
from edgeinfer.metrics.registry import new_registry


class Scripted:
    """A collector that does what it is told."""

    interval_seconds = 0.01

    def __init__(self, name: str, failure: Exception | None = None) -> None:
        self.name = name
        self.failure = failure
        self.ran = threading.Event()
        self.closed = 0

    def collect(self) -> None:
        self.ran.set()
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.closed += 1


def test_a_run_is_timed_and_its_success_marked() -> None:
    registry = new_registry()
    ticks = iter([10.0, 10.25])
    assert run_once(Scripted("one"), run_metrics(registry), wall_clock=lambda: 500.0, clock=lambda: next(ticks))
    marks = {"collector": "one"}
    assert registry.get_sample_value("hailo_collector_duration_seconds", marks) == 0.25
    assert registry.get_sample_value("hailo_collector_success", marks) == 1.0
    assert registry.get_sample_value("hailo_collector_last_success_timestamp_seconds", marks) == 500.0


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (NothingToRead("no chip"), "nothing_to_read"),
        (SourceFault("stale", "old"), "stale"),
        (PermissionError(13, "denied"), "permission"),
        (ZeroDivisionError(), "failed"),
    ],
)
def test_a_failed_run_is_counted_by_its_reason_and_leaves_the_last_success(failure: Exception, reason: str) -> None:
    registry = new_registry()
    metrics = run_metrics(registry)
    collector = Scripted("one")
    run_once(collector, metrics, wall_clock=lambda: 500.0)
    collector.failure = failure
    assert not run_once(collector, metrics, wall_clock=lambda: 600.0)
    expected = None if reason == "nothing_to_read" else 0.0
    assert registry.get_sample_value("hailo_collector_success", {"collector": "one"}) == expected
    assert registry.get_sample_value("hailo_collector_last_success_timestamp_seconds", {"collector": "one"}) == 500.0
    labels = {"collector": "one", "reason": reason}
    assert registry.get_sample_value("hailo_collector_errors_total", labels) == 1.0


def test_a_failing_collector_does_not_cost_another_and_all_are_closed() -> None:
    bad, good = Scripted("bad", ZeroDivisionError()), Scripted("good")
    running = Collectors([bad, good], run_metrics(new_registry()))
    running.start()
    for collector in (bad, good):
        assert collector.ran.wait(5)
        collector.ran.clear()
        assert collector.ran.wait(5)  # and once more
    running.stop()
    assert (bad.closed, good.closed) == (1, 1)
