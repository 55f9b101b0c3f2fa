import pytest

from edgeinfer.catalog import device, gateway, sidecar
from edgeinfer.monitoring.promql import Queries, QueryError, Recorded, matching, one_of, other_than, selector
from edgeinfer.monitoring.recording import REQUESTS

Q = Queries("5m", {"job": matching("$job")})


def test_a_rate_is_summed_by_its_labels_within_the_scope() -> None:
    assert Q.rate(gateway.INFERENCE_REQUESTS, by=("status",)) == (
        'sum by (status) (rate(hailo_inference_requests_total{job=~"$job"}[5m]))'
    )


def test_a_quantile_keeps_le_among_its_labels() -> None:
    assert Q.quantile(0.95, gateway.INFERENCE_DURATION, by=("operation",)) == (
        "histogram_quantile(0.95, sum by (le, operation) "
        '(rate(hailo_inference_duration_seconds_bucket{job=~"$job"}[5m])))'
    )


def test_a_scope_reaches_only_series_that_have_its_labels() -> None:
    narrow = Queries("5m", {"chip_id": matching("$chip")})
    assert narrow.gauge(device.TEMPERATURE) == 'max(hailo_hardware_temperature_celsius{chip_id=~"$chip"})'
    assert narrow.gauge(sidecar.QUEUE_DEPTH) == "max(hailo_sidecar_queue_depth)"


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Q.rate(device.TEMPERATURE), "is a gauge, not a counter"),
        (lambda: Q.gauge(gateway.INFERENCE_REQUESTS), "is a counter, not a gauge"),
        (lambda: Q.quantile(0.95, sidecar.QUEUE_DEPTH), "is a gauge, not a histogram"),
        (lambda: Q.rate(gateway.INFERENCE_REQUESTS, by=("colour",)), "has no label colour"),
        (lambda: Q.rate(gateway.INFERENCE_REQUESTS, where={"status": "good"}), "never is good"),
        (lambda: Q.rate(gateway.INFERENCE_REQUESTS, where={"status": one_of("success", "bad")}), "never is bad"),
        (lambda: Q.rate(gateway.INFERENCE_REQUESTS, where={"status": other_than("bad")}), "never is bad"),
        (lambda: Q.at_most(0.12, gateway.INFERENCE_DURATION), "is not one of its edges"),
        (lambda: Q.quantile(95, gateway.INFERENCE_DURATION), "between 0 and 1"),
        (lambda: Q.recorded(REQUESTS, by=("instance",)), "has no label instance"),
        (lambda: Q.rate(Recorded("a:b:c")), "recorded already"),
        (lambda: selector(gateway.INFERENCE_REQUESTS, {"le": "1"}), "has no label le"),
    ],
)
def test_a_query_that_could_match_nothing_fails_when_it_is_built(build: object, says: str) -> None:
    assert callable(build)
    with pytest.raises(QueryError, match=says):
        build()


def test_the_share_under_the_latency_objective_is_exact() -> None:
    assert 'le="0.1"' in Q.at_most(0.1, gateway.INFERENCE_DURATION)
