"""Memory, disk and CPU of the machine, without a zero that was never read."""

import psutil
import pytest
from prometheus_client import CollectorRegistry

from edgeinfer.collectors.system import METRICS, SystemCollector
from edgeinfer.metrics.readings import readings
from edgeinfer.metrics.registry import new_registry


@pytest.fixture
def registry() -> CollectorRegistry:
    return new_registry()


def make(registry: CollectorRegistry, *percents: float) -> SystemCollector:
    left = iter(percents)
    return SystemCollector(readings(METRICS, registry), lambda: next(left))


def test_memory_is_that_of_process_and_machine(registry: CollectorRegistry) -> None:
    make(registry, 0.0).collect()
    values = {
        kind: registry.get_sample_value("hailo_memory_usage_bytes", {"memory_type": kind})
        for kind in ("process_resident", "system_used", "system_available", "system_total")
    }
    assert values["system_total"] == psutil.virtual_memory().total
    assert values["process_resident"]
    assert values["process_resident"] > 1_000_000
    assert all(value is not None and 0 < value <= values["system_total"] for value in values.values())


def test_disk_is_that_of_the_root_folder(registry: CollectorRegistry) -> None:
    make(registry, 0.0).collect()
    available, total = (
        registry.get_sample_value("hailo_disk_space_bytes", {"space": space}) for space in ("available", "total")
    )
    assert total == psutil.disk_usage("/").total
    assert available is not None
    assert 0 < available < total


def test_cpu_is_absent_until_there_is_something_to_compare_with(registry: CollectorRegistry) -> None:
    collector = make(registry, 0.0, 42.0, 7.5)
    collector.collect()
    assert registry.get_sample_value("hailo_cpu_usage_percent") is None
    assert registry.get_sample_value("hailo_cpu_usage_ratio") is None
    collector.collect()
    assert registry.get_sample_value("hailo_cpu_usage_percent") == 42.0
    assert registry.get_sample_value("hailo_cpu_usage_ratio") == 0.42
    collector.collect()
    assert registry.get_sample_value("hailo_cpu_usage_ratio") == 0.075


def test_it_reads_every_ten_seconds(registry: CollectorRegistry) -> None:
    assert make(registry).interval_seconds == 10
