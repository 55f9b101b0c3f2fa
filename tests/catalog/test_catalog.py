"""The catalog keeps its own rules, so that whatever derives from it can rely on them."""

import re

import pytest

from edgeinfer.catalog.all import all_metrics, metrics_of
from edgeinfer.catalog.metric import Label, Metric, MetricKind, Owner
from edgeinfer.catalog.system import HTTP_REFUSALS
from edgeinfer.catalog.units import UNITS

BASE_UNITS = re.compile(r"_(milliseconds|ms|microseconds|minutes|kilobytes|megabytes|mb)(_|$)")
SIDECAR = (Owner.SIDECAR,)


def ids(metric: Metric) -> str:
    return metric.name


@pytest.mark.parametrize("metric", all_metrics(), ids=ids)
def test_an_entry_can_be_read_by_a_new_reader(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert metric.help[0].isupper() or metric.help[0].isdigit()
    assert metric.unit in UNITS
    assert metric.owners


@pytest.mark.parametrize("metric", all_metrics(), ids=ids)
def test_units_are_base_units(metric: Metric) -> None:
    if metric.deprecated_by:
        assert metric.deprecated_by in {other.name for other in all_metrics()}
    else:
        assert not BASE_UNITS.search(metric.name)
        assert "percent" not in metric.name


@pytest.mark.parametrize("metric", all_metrics(), ids=ids)
def test_buckets_rise(metric: Metric) -> None:
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_no_name_is_used_twice() -> None:
    names = [name for metric in all_metrics() for name in metric.series_names]
    assert len(names) == len(set(names))


def test_each_name_belongs_to_the_process_that_the_requirements_give_it() -> None:
    for metric in metrics_of(Owner.SIDECAR):
        assert metric.name.startswith("hailo_")
    for metric in metrics_of(Owner.GATEWAY):
        assert metric.name.startswith(("edgeinfer_", "hailo_"))
    sidecar = {metric.name for metric in metrics_of(Owner.SIDECAR)}
    gateway = {metric.name for metric in metrics_of(Owner.GATEWAY)}
    # What the HTTP server that they share counts is distinguished by job, as process_* is.
    assert sidecar & gateway == {HTTP_REFUSALS.name}


def test_the_objective_of_latency_is_an_edge() -> None:
    for metric in all_metrics():
        if metric.name in {"hailo_inference_duration_seconds", "edgeinfer_http_request_duration_seconds"}:
            assert 0.1 in metric.buckets


def test_closed_combinations_are_all_of_them() -> None:
    metric = Metric(
        name="a_total",
        kind=MetricKind.COUNTER,
        unit="requests",
        help="A.",
        owners=SIDECAR,
        labels=(Label("x", ("1", "2")), Label("y", ("3", "4", "5"))),
    )
    assert len(set(metric.closed_combinations())) == 6


def test_an_open_label_has_no_combinations() -> None:
    metric = Metric(
        name="a_total",
        kind=MetricKind.COUNTER,
        unit="requests",
        help="A.",
        owners=SIDECAR,
        labels=(Label("x", ("1", "2")), Label("y", bounded_by="something")),
    )
    assert list(metric.closed_combinations()) == []


@pytest.mark.parametrize(
    ("name", "kind", "buckets"),
    [
        ("a_seconds", MetricKind.COUNTER, ()),
        ("a_total", MetricKind.GAUGE, ()),
        ("a_seconds", MetricKind.HISTOGRAM, ()),
        ("a_seconds", MetricKind.GAUGE, (1.0,)),
        ("a_info", MetricKind.GAUGE, ()),
        ("a", MetricKind.INFO, ()),
    ],
)
def test_an_entry_that_breaks_the_rules_cannot_be_made(name: str, kind: MetricKind, buckets: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=name):
        Metric(name=name, kind=kind, unit="seconds", help="A.", owners=SIDECAR, buckets=buckets)


@pytest.mark.parametrize(("values", "bounded_by"), [((), ""), (("a",), "something")])
def test_a_label_is_closed_or_bounded(values: tuple[str, ...], bounded_by: str) -> None:
    with pytest.raises(ValueError, match="x"):
        Label("x", values, bounded_by)
