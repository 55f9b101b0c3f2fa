"""What every collector promises, asked of each one; a new file that holds one must join."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edgeinfer.catalog.all import all_metrics
from edgeinfer.collectors.base import Collector
from edgeinfer.collectors.found import collector_names
from edgeinfer.collectors.run import RunMetrics, Runner, run_metrics
from edgeinfer.collectors.system import METRICS, SystemCollector
from edgeinfer.metrics.readings import readings
from edgeinfer.metrics.registry import new_registry
from tests.collectors.chips import station
from tests.fakes.hailo_platform.machine import Machine

Made = tuple[Collector, CollectorRegistry, RunMetrics]


def of_the_machine(_: Path) -> Made:
    registry = new_registry()
    return SystemCollector(readings(METRICS, registry)), registry, run_metrics(registry)


def of_the_chips(name: str) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        built = station(Machine("4.23.0"), folder)
        return built.collectors[name], built.registry, built.marks

    return make


FACTORIES: dict[str, Callable[[Path], Made]] = {
    "system": of_the_machine,
    **{name: of_the_chips(name) for name in collector_names()},
}


@pytest.fixture(params=FACTORIES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    return FACTORIES[request.param](tmp_path)


def values(registry: CollectorRegistry, prefix: str = "") -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith(prefix)
    }


def test_every_collector_is_asked() -> None:
    assert set(FACTORIES) >= {"hailo_device", "hailo_driver", "hailo_monitor", "raspberry_pi", "system"}


def test_it_has_a_name_and_a_pace(made: Made) -> None:
    collector, _, _ = made
    assert collector.name in FACTORIES  # the name of its file
    assert collector.interval_seconds > 0


def test_making_it_publishes_nothing(made: Made) -> None:
    _, registry, _ = made
    sensors = {metric.name for metric in all_metrics() if metric.sensor}
    assert not sensors & {name for name, _ in values(registry)}


def test_every_run_is_marked_well_or_not(made: Made) -> None:
    collector, registry, marks = made
    label = {"collector": collector.name}
    for _ in range(3):
        went_well = Runner(collector, marks).run()
        success = registry.get_sample_value("hailo_collector_success", label)
        counted = sum(value for key, value in values(registry, "hailo_collector_errors_total").items())
        # Neither well nor counted is a source that this machine does not have.
        assert success == (float(went_well) if went_well or counted else None)
        duration = registry.get_sample_value("hailo_collector_duration_seconds", label)
        assert duration is not None
        assert duration >= 0


def test_it_publishes_only_what_the_catalog_names(made: Made) -> None:
    collector, registry, marks = made
    Runner(collector, marks).run()
    known = {name for metric in all_metrics() for name in metric.series_names}
    assert {name for name, _ in values(registry)} <= known


def test_nothing_that_is_read_is_infinite_or_no_number(made: Made) -> None:
    collector, registry, marks = made
    for _ in range(2):
        Runner(collector, marks).run()
    for key, value in values(registry, "hailo_").items():
        assert abs(value) < 1e30, key


def test_it_can_be_closed_twice_and_before_its_first_run(made: Made) -> None:
    collector, _, marks = made
    collector.close()
    Runner(collector, marks).run()
    collector.close()
    collector.close()
