"""Catalog entries as live objects: all closed series from the start, readings only while they are available."""

import pytest
from prometheus_client import CollectorRegistry

from edgeinfer.catalog import sidecar, system
from edgeinfer.catalog.metric import Label, Metric, MetricKind, Owner
from edgeinfer.metrics.instruments import counter, gauge, histogram, info
from edgeinfer.metrics.readings import readings
from edgeinfer.metrics.registry import new_registry

CLOSED = Metric(
    name="closed_total",
    kind=MetricKind.COUNTER,
    unit="requests",
    help="A closed one.",
    owners=(Owner.SIDECAR,),
    labels=(Label("a", ("1", "2")), Label("b", ("3", "4"))),
)


@pytest.fixture
def registry() -> CollectorRegistry:
    return new_registry()


def test_a_counter_has_every_closed_combination_at_zero(registry: CollectorRegistry) -> None:
    counter(CLOSED, registry)
    for a in "12":
        for b in "34":
            assert registry.get_sample_value("closed_total", {"a": a, "b": b}) == 0


def test_a_counter_with_an_open_label_has_no_series_yet(registry: CollectorRegistry) -> None:
    counter(sidecar.HTTP_REQUESTS, registry)
    assert [sample for family in registry.collect() for sample in family.samples] == []


def test_a_histogram_has_the_catalogs_edges(registry: CollectorRegistry) -> None:
    histogram(sidecar.STAGE_DURATION, registry)
    edges = [
        sample.labels["le"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.labels["stage"] == "queue"
    ]
    assert [float(edge) for edge in edges] == [*sidecar.STAGE_DURATION.buckets, float("inf")]


def test_no_series_shows_when_it_was_made(registry: CollectorRegistry) -> None:
    counter(CLOSED, registry)
    assert not [s for family in registry.collect() for s in family.samples if s.name.endswith("_created")]


@pytest.mark.parametrize("make", [counter, gauge, histogram])
def test_an_entry_of_another_kind_is_refused(registry: CollectorRegistry, make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="hailo_model_info"):
        make(sidecar.MODEL_INFO, registry)


def test_a_reading_that_may_be_absent_is_no_plain_gauge(registry: CollectorRegistry) -> None:
    with pytest.raises(ValueError, match="Readings"):
        gauge(system.CPU_USAGE_RATIO, registry)


def test_facts_change_as_a_whole(registry: CollectorRegistry) -> None:
    live = info(sidecar.BUILD_INFO, [("1", "3.11")], registry)
    live.replace([("2", "3.12")])
    name = sidecar.BUILD_INFO.name
    assert registry.get_sample_value(name, {"version": "1", "python": "3.11"}) is None
    assert registry.get_sample_value(name, {"version": "2", "python": "3.12"}) == 1


def test_a_reading_is_absent_before_it_is_had_and_after_it_is_lost(registry: CollectorRegistry) -> None:
    live = readings([system.MEMORY_USAGE, system.CPU_USAGE_RATIO], registry)
    used = {"memory_type": "system_used"}
    assert registry.get_sample_value("hailo_memory_usage_bytes", used) is None
    live.publish(system.MEMORY_USAGE, 5, "system_used")
    live.publish(system.MEMORY_USAGE, 6, "system_total")
    assert registry.get_sample_value("hailo_memory_usage_bytes", used) == 5
    live.withdraw(system.MEMORY_USAGE, "system_used")
    assert registry.get_sample_value("hailo_memory_usage_bytes", used) is None
    live.withdraw(system.MEMORY_USAGE)
    assert "hailo_memory_usage_bytes" not in {family.name for family in registry.collect()}


def test_a_reading_needs_its_labels(registry: CollectorRegistry) -> None:
    live = readings([system.MEMORY_USAGE], registry)
    with pytest.raises(ValueError, match="memory_type"):
        live.publish(system.MEMORY_USAGE, 5)


def test_only_gauges_are_readings(registry: CollectorRegistry) -> None:
    with pytest.raises(ValueError, match="closed_total"):
        readings([CLOSED], registry)
