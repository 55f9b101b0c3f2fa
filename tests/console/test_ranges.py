"""Time ranges, steps and rate windows, against the figures of Grafana's own tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.console.ranges import (
    TimeRange,
    format_duration,
    parse_duration,
    parse_range,
    rate_interval,
    round_interval,
    step_for,
)
from edgeinfer.errors import InvalidBody

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [("now-1h", "now", 3600), ("now-30d", "now", 2_592_000), ("now-1h", "now-30m", 1800), ("0", "60000", 60)],
)
def test_a_range_is_as_long_as_it_says(start: str, end: str, seconds: float) -> None:
    assert parse_range(start, end, NOW).seconds == seconds


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("now", "now-1h"),
        ("now", "now"),
        ("yesterday", "now"),
        ("now-1h; drop", "now"),
        ("-1", "now"),
        ("now-9y", "now"),
    ],
)
def test_what_is_no_range_is_refused(start: str, end: str) -> None:
    with pytest.raises(InvalidBody):
        parse_range(start, end, NOW)


@pytest.mark.parametrize(
    ("milliseconds", "becomes"),
    [(4, 1), (15, 20), (14, 10), (1400, 1000), (7499, 5000), (7501, 10000), (13000, 15000), (50000, 60000)],
)
def test_intervals_round_as_grafana_rounds_them(milliseconds: float, becomes: float) -> None:
    assert round_interval(milliseconds / 1000) == becomes / 1000


@pytest.mark.parametrize(
    ("range_seconds", "points", "step"),
    [(3600, 360, 10), (3600, 720, 5), (3600, 2000, 5), (900, 100, 10), (2_592_000, 360, 7200), (86400, 600, 120)],
)
def test_a_panel_gets_the_step_that_grafana_would_choose(range_seconds: float, points: int, step: float) -> None:
    assert step_for(range_seconds, points, 5) == step


@given(range_seconds=st.floats(10, 5 * 31_536_000), points=st.integers(1, 2000))
def test_no_range_asks_for_more_points_than_prometheus_gives(range_seconds: float, points: int) -> None:
    assert range_seconds / step_for(range_seconds, points, 5) <= 11_000


def test_a_rate_window_holds_four_scrapes_or_a_step_and_one() -> None:
    assert rate_interval(5, 5) == 20
    assert rate_interval(30, 5) == 35


def test_the_last_point_of_a_long_range_is_of_the_newest_minute() -> None:
    month = TimeRange(1003, 1003 + 30 * 86_400).aligned(7200)
    assert month.end == (1003 + 30 * 86_400) // 60 * 60
    assert month.start <= 1003
    assert (month.end - month.start) % 7200 == 0


def test_aligned_ends_are_multiples_of_the_step_and_not_later() -> None:
    aligned = TimeRange(1003, 2006).aligned(10)
    assert aligned == TimeRange(1000, 2000)


@given(start=st.integers(0, 2_000_000_000), step=st.sampled_from([5, 10, 15, 60, 7200]))
def test_aligning_twice_changes_nothing(start: int, step: int) -> None:
    once = TimeRange(start, start + 3600).aligned(step)
    assert once.aligned(step) == once


@pytest.mark.parametrize(("seconds", "text"), [(5, "5s"), (60, "1m"), (90, "90s"), (0.5, "500ms"), (7200, "2h")])
def test_durations_are_written_as_prometheus_reads_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds


def test_a_duration_that_is_a_variable_is_none() -> None:
    assert parse_duration("$interval") is None
    assert parse_duration(">10s") == 10
