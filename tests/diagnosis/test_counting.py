from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.diagnosis.counting import growth


def counter(*values: float, first: float = 0.0, step: float = 5.0, **labels: str) -> dict[str, object]:
    return {"metric": labels, "values": [(first + step * place, str(value)) for place, value in enumerate(values)]}


def test_what_was_counted_until_the_start_does_not_count() -> None:
    assert growth([counter(10, 12, 15)], 5.0) == {(): 3}


def test_a_restart_counts_from_zero() -> None:
    assert growth([counter(10, 12, 3, 4)], 0.0) == {(): 2 + 3 + 1}


def test_a_counter_whose_base_is_not_known_counts_what_it_grows_by() -> None:
    assert growth([counter(100, 101, first=50.0)], 0.0) == {(): 1}


def test_labels_are_distinguished_and_series_of_one_are_summed() -> None:
    answer = [counter(0, 1, source="none"), counter(0, 2, source="none"), counter(0, 5, source="sidecar")]
    assert growth(answer, 0.0, ("source",)) == {("none",): 3, ("sidecar",): 5}


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40), st.data())
def test_the_parts_of_a_time_add_up_to_the_whole(steps: list[int], data: st.DataObject) -> None:
    totals = [sum(steps[: place + 1]) for place in range(len(steps))]
    cut = data.draw(st.integers(0, len(steps) - 1)) * 5.0
    until = [(moment, value) for moment, value in counter(*totals)["values"] if moment <= cut]  # type: ignore[attr-defined]  # a list of pairs
    before = growth([{"metric": {}, "values": until}], 0.0)[()]
    assert before + growth([counter(*totals)], cut)[()] == growth([counter(*totals)], 0.0)[()]
