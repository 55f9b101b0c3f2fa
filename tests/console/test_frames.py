"""Prometheus' answers on one grid of time."""

import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.console.annotations import events
from edgeinfer.console.dashboard_files import PanelQuery
from edgeinfer.console.frames import instant_frame, range_frame, to_wire
from edgeinfer.console.ranges import TimeRange
from tests.console.fake_prometheus import series
from tests.console.wire import from_wire


def target(legend: str = "{{job}}", expression: str = "up") -> PanelQuery:
    return PanelQuery(
        "A", expression, legend, is_instant=False, is_range=True, wants_exemplars=False, min_step_seconds=None
    )


def test_missing_points_are_gaps_and_not_zero() -> None:
    frame = range_frame(target(), [series([(10, "1"), (30, "0")], job="a")], TimeRange(0, 40), 10)
    assert orjson.loads(orjson.dumps(frame.as_document()))["columns"] == [[None, 1, None, 0, None]]
    assert frame.names == ["a"]


def test_a_full_row_is_placed_as_one_with_gaps_is() -> None:
    points = [(at * 10.0, f"{at * 0.25}") for at in range(12)]
    full, gappy = series(points, job="a"), series([*points[:3], *points[4:]], job="b")
    frame = range_frame(target(), [full, gappy], TimeRange(0, 110), 10)
    assert frame.values[0].tolist() == [at * 0.25 for at in range(12)]
    assert np.isnan(frame.values[1][3])
    assert np.array_equal(np.delete(frame.values[0], 3), np.delete(frame.values[1], 3))


def test_not_a_number_is_a_gap_and_infinity_survives_json() -> None:
    frame = range_frame(target(), [series([(0, "NaN"), (10, "+Inf"), (20, "-Inf")])], TimeRange(0, 20), 10)
    assert orjson.loads(orjson.dumps(frame.as_document()))["columns"] == [[None, "Infinity", "-Infinity"]]


def test_series_of_a_range_keep_the_order_of_the_answer_by_which_grafana_colors_them() -> None:
    found = [series([(0, "1")], le=edge) for edge in ("+Inf", "10", "0.5", "2")]
    assert range_frame(target("{{le}}"), found, TimeRange(0, 0), 5).names == ["+Inf", "10", "0.5", "2"]


def test_values_of_one_moment_come_in_an_order_that_stays_with_edges_by_size() -> None:
    found = [{"metric": {"le": edge}, "value": [0, "1"]} for edge in ("+Inf", "10", "0.5", "2")]
    assert instant_frame(target("{{le}}"), found, 0).names == ["0.5", "2", "10", "+Inf"]


def test_an_expression_that_sorts_keeps_its_order() -> None:
    found = [{"metric": {"job": name}, "value": [0, "1"]} for name in ("b", "a")]
    assert instant_frame(target(expression="sort_desc(up)"), found, 0).names == ["b", "a"]
    assert instant_frame(target(), found, 0).names == ["a", "b"]


def test_more_series_than_can_be_drawn_are_left_out_and_counted() -> None:
    found = [series([(0, "1")], job=f"{number:03}") for number in range(230)]
    frame = range_frame(target(), found, TimeRange(0, 0), 5)
    assert len(frame.values) == 200
    assert frame.left_out == 30


VALUES = st.one_of(
    st.none(), st.just(0.0), st.integers(-(2**60), 2**60).map(float), st.floats(-1e300, 1e300, allow_subnormal=False)
)


@given(st.lists(VALUES, min_size=1, max_size=30))
def test_a_value_on_the_wire_is_the_value_to_six_digits(values: list[float | None]) -> None:
    row = np.array([[math.nan if value is None else value for value in values]])
    [column] = orjson.loads(orjson.dumps(to_wire(row)))
    for value, wire in zip(values, from_wire(column), strict=True):
        assert (value is None) == (wire is None)
        assert (value == 0) == (wire == 0)
        if value:
            assert math.isclose(float(wire or 0), value, rel_tol=1.01e-5)


@pytest.mark.parametrize("length", [1, 20])
def test_rounding_a_value_of_the_wire_once_more_goes_as_rounding_the_value_itself(length: int) -> None:
    for value, shown in ((21.2499999, "21.2"), (21.2500001, "21.3"), (0.97499999, "0.97"), (-21.2500001, "-21.3")):
        wire = from_wire(to_wire(np.array([[value]]).repeat(length, 1))[0])[-1]
        places = len(shown.split(".")[1])
        assert f"{Decimal(str(wire)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)}" == shown


@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.95, 0.975, 94, 104])
def test_a_value_just_below_a_threshold_stays_below_on_the_wire(threshold: float) -> None:
    below, above = threshold * (1 - 1e-12), threshold * (1 + 1e-12)
    for length in (1, 20):
        low, edge, high = (
            float(from_wire(to_wire(np.array([[value]]).repeat(length, 1))[0])[-1] or 0)
            for value in (below, threshold, above)
        )
        assert low < edge == threshold <= high


def test_a_time_keeps_its_milliseconds_and_a_rate_its_six_digits() -> None:
    rate, moment, count = 6.4285714285714285, 1_795_493_835.123, 3_141_593.0
    for length in (1, 20):
        written = [from_wire(column)[-1] for column in to_wire(np.array([[rate], [moment], [count]]).repeat(length, 1))]
        assert written == [6.42857, moment, count]


def test_a_small_value_next_to_a_large_one_keeps_its_digits() -> None:
    row = [4096.5, 0.0012345678, 0.0, *[4096.5] * 9]
    assert from_wire(to_wire(np.array([row]))[0])[:3] == [4096.5, 0.00123456, 0]


def test_infinity_among_many_values_survives_json() -> None:
    [column] = orjson.loads(orjson.dumps(to_wire(np.array([[math.inf, -math.inf, math.nan, *[1.5] * 9]]))))
    assert from_wire(column)[:4] == ["Infinity", "-Infinity", None, 1.5]


def test_an_annotation_is_a_stretch_above_zero() -> None:
    found = events(
        {"name": "Alerts", "iconColor": "red", "titleFormat": "{{alertname}}", "textFormat": "{{severity}}"},
        [series([(0, "1"), (5, "1"), (10, "0"), (60, "1")], alertname="Hot", severity="warning")],
        5,
    )
    assert [(one["start"], one["end"]) for one in found] == [(0, 5), (60, 60)]
    assert found[0]["title"] == "Hot"
    assert found[0]["text"] == "warning"
