"""Collectors in the background: timed, marked, and none of them costing another."""

import logging
import threading

import pytest

from edgeinfer.collectors.base import NothingToRead, SourceFault
from edgeinfer.collectors.run import Collectors, Runner, run_metrics
from edgeinfer.metrics.registry import new_registry


class Scripted:
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


class Turning:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_run_is_timed_and_its_success_marked() -> None:
    registry = new_registry()
    ticks = iter([10.0, 10.25])
    runner = Runner(Scripted("one"), run_metrics(registry), wall_clock=lambda: 500.0, clock=lambda: next(ticks))
    assert runner.run()
    marks = {"collector": "one"}
    assert registry.get_sample_value("hailo_collector_duration_seconds", marks) == 0.25
    assert registry.get_sample_value("hailo_collector_success", marks) == 1.0
    assert registry.get_sample_value("hailo_collector_last_success_timestamp_seconds", marks) == 500.0


def test_success_is_absent_as_soon_as_there_is_nothing_to_read_any_more() -> None:
    registry = new_registry()
    collector = Scripted("one")
    runner = Runner(collector, run_metrics(registry))
    assert runner.run()
    collector.failure = NothingToRead("no chip on the bus")
    assert not runner.run()
    assert registry.get_sample_value("hailo_collector_success", {"collector": "one"}) is None


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (SourceFault("stale", "old"), "stale"),
        (PermissionError(13, "denied"), "permission"),
        (ZeroDivisionError(), "failed"),
    ],
)
def test_a_failed_run_is_counted_by_its_reason_and_leaves_the_last_success(failure: Exception, reason: str) -> None:
    registry = new_registry()
    collector = Scripted("one")
    runner = Runner(collector, run_metrics(registry), wall_clock=lambda: 500.0)
    runner.run()
    collector.failure = failure
    assert not runner.run()
    assert registry.get_sample_value("hailo_collector_success", {"collector": "one"}) == 0.0
    assert registry.get_sample_value("hailo_collector_last_success_timestamp_seconds", {"collector": "one"}) == 500.0
    labels = {"collector": "one", "reason": reason}
    assert registry.get_sample_value("hailo_collector_errors_total", labels) == 1.0


def test_nothing_to_read_is_no_error_is_said_once_and_is_looked_for_less_and_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry, clock = new_registry(), Turning()
    collector = Scripted("one", NothingToRead("no chip"))
    collector.interval_seconds = 1.0
    runner = Runner(collector, run_metrics(registry), clock=clock)
    waits = []
    with caplog.at_level(logging.INFO):
        for _ in range(9):
            assert not runner.run()
            waits.append(runner.interval_seconds)
            clock.now += waits[-1]
        collector.failure = None
        assert runner.run()
    assert waits == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0, 30.0]
    assert runner.interval_seconds == 1.0
    errors = [family for family in registry.collect() if family.name == "hailo_collector_errors"]
    assert [sample for family in errors for sample in family.samples if sample.value] == []
    assert registry.get_sample_value("hailo_collector_success", {"collector": "one"}) == 1.0
    said = [(record.getMessage(), getattr(record, "detail", "")) for record in caplog.records]
    assert said == [("nothing to read here; looking again now and then", "no chip"), ("the source is read", "")]


def test_a_collector_of_a_slow_pace_is_not_hurried_by_having_nothing_to_read() -> None:
    collector = Scripted("one", NothingToRead("no chip"))
    collector.interval_seconds = 120.0
    runner = Runner(collector, run_metrics(new_registry()))
    runner.run()
    assert runner.interval_seconds == 120.0


@pytest.mark.parametrize("failure", [SourceFault("failed", "no answer"), PermissionError(13, "denied"), KeyError("x")])
def test_a_failure_that_lasts_is_counted_each_time_and_logged_once_in_ten_minutes(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    registry, clock = new_registry(), Turning()
    collector = Scripted("one", failure)
    runner = Runner(collector, run_metrics(registry), clock=clock)
    with caplog.at_level(logging.INFO):
        for _ in range(12 * 60):
            runner.run()
            clock.now += 1.0
        assert len(caplog.records) == 2
        assert {record.levelname for record in caplog.records} <= {"WARNING", "ERROR"}
        collector.failure = SourceFault("failed", "something else")
        runner.run()
    assert len(caplog.records) == 3
    counted = [family for family in registry.collect() if family.name == "hailo_collector_errors"]
    assert sum(sample.value for family in counted for sample in family.samples if sample.name.endswith("_total")) == 721


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
