"""Variables and macros in PromQL, and names of series."""

from typing import Any

import promql_parser
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.console.interpolation import Interpolation, VariableValue, auto_legends, legend
from edgeinfer.console.ranges import TimeRange


def expansion(**choices: VariableValue) -> Interpolation:
    return Interpolation(TimeRange(1000, 4600), 10, 20, choices)


def chosen(*values: str) -> VariableValue:
    return VariableValue(values, is_multiple=True)


def test_macros_become_durations_of_the_step_the_window_and_the_range() -> None:
    text = "rate(a[$__rate_interval]) + b[$__interval] + c[${__range}] + $__range_s + $__interval_ms"
    assert expansion().expand(text) == "rate(a[20s]) + b[10s] + c[3600s] + 3600 + 10000"


def test_all_becomes_its_own_value_and_several_become_a_group() -> None:
    everything = VariableValue(("a", "b"), is_all=True, all_value=".+", is_multiple=True)
    assert expansion(job=everything).expand('up{job=~"$job"}') == 'up{job=~".+"}'
    assert expansion(job=chosen("a", "b")).expand('up{job=~"$job"}') == 'up{job=~"(a|b)"}'
    assert expansion(job=chosen("a")).expand('up{job=~"${job}"}') == 'up{job=~"a"}'


def test_values_match_only_themselves() -> None:
    one = expansion(instance=chosen("10.0.0.1:80")).expand('up{instance=~"$instance"}')
    assert one == r'up{instance=~"10\\.0\\.0\\.1:80"}'


def test_an_unknown_variable_stays_and_is_seen() -> None:
    assert expansion().expand('up{job="$nobody"}') == 'up{job="$nobody"}'


def test_formats_are_kept() -> None:
    assert expansion(job=chosen("a.b", "c")).expand("${job:pipe} ${job:csv}") == "a.b|c a.b,c"


@given(values=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=3, unique=True))
def test_no_value_can_leave_its_quotes(values: list[str]) -> None:
    values = [value.replace("\x00", "x") for value in values]
    expanded = expansion(job=chosen(*values)).expand('up{job=~"$job"}')
    tree: Any = promql_parser.parse(expanded)
    assert tree.name == "up"
    assert len(tree.matchers.matchers) == 1


def test_legends_name_labels_and_leave_out_what_is_absent() -> None:
    assert (
        legend("{{operation}} at {{ instance }}{{gone}}", {"operation": "motifs", "instance": "a"}, "") == "motifs at a"
    )


def test_a_series_without_a_legend_is_named_by_its_labels_or_its_query() -> None:
    assert legend("", {"__name__": "up", "job": "a"}, "up") == 'up{job="a"}'
    assert legend("", {}, "sum(up)") == "sum(up)"


def test_automatic_legends_show_only_what_differs() -> None:
    series = [{"job": "a", "stage": "queue"}, {"job": "a", "stage": "execute"}]
    assert auto_legends(series, "x") == ["queue", "execute"]
