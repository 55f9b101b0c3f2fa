"""The period that an alert's text names is the one its expression covers, also where measuring has just begun."""

import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser

from edgeinfer.monitoring.alerts import all_alerts
from tools.promql_tree import children
from tools.promtool_tests import case_of, run

_LONG_SECONDS = 3600
# These say how something went over the whole window; others, such as `increase` and `max_over_time`, check whether
# something was there or happened in it, which is true however short the past is.
_COURSES = (
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "stddev_over_time",
    "deriv",
    "predict_linear",
    "delta",
)
_RESERVATION = "as recorded"
_GUARD = re.compile(r"\nand max by \(job, instance\) \((\w+) offset (\w+)\)")


def long_windows(expression: str) -> Iterator[tuple[str, float]]:
    """Functions with a range of an hour or more, and of how many seconds."""
    waiting = [promql_parser.parse(expression)]
    while waiting:
        node = waiting.pop()
        waiting += children(node)
        if isinstance(node, promql_parser.Call):
            for argument in node.args:
                seconds = argument.range.total_seconds() if isinstance(argument, promql_parser.MatrixSelector) else 0
                if seconds >= _LONG_SECONDS and node.func.name in _COURSES:
                    yield node.func.name, seconds


ABOUT_THE_PAST = [alert for alert in all_alerts() if list(long_windows(alert.expression))]


def test_an_alert_that_compares_with_a_past_waits_for_it_or_says_that_it_may_be_short() -> None:
    assert len(ABOUT_THE_PAST) >= 3
    silent = [
        alert.name
        for alert in ABOUT_THE_PAST
        if not _GUARD.search(alert.expression) and _RESERVATION not in alert.description
    ]
    assert silent == []


def test_the_guard_reaches_as_far_back_as_the_window() -> None:
    for alert in ABOUT_THE_PAST:
        guard = _GUARD.search(alert.expression)
        if guard:
            longest = max(seconds for _, seconds in long_windows(alert.expression))
            assert next(long_windows(f"deriv(x[{guard[2]}])"))[1] >= longest, alert.name


def test_a_guard_that_is_taken_away_turns_the_proof_red(promtool: Path, tmp_path: Path) -> None:
    """So one of its negative cases has only the newest part of the series."""
    guarded = [alert for alert in ABOUT_THE_PAST if _GUARD.search(alert.expression)]
    assert guarded
    eager = [case_of(alert, expression=_GUARD.sub("", alert.expression)) for alert in guarded]
    assert run(promtool, eager, tmp_path).keys() == {alert.name for alert in guarded}
