from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.stack.restart import EXIT_CONFIGURATION, RestartPolicy

POLICY = RestartPolicy(first_seconds=0.5, longest_seconds=30.0, most_crashes=8, healthy_seconds=60.0)


def test_each_restart_waits_twice_as_long_as_the_one_before() -> None:
    assert [POLICY.delay_seconds(crashes) for crashes in range(1, 5)] == [0.5, 1.0, 2.0, 4.0]


@given(st.integers(1, 500))
def test_no_wait_is_longer_than_the_longest(crashes: int) -> None:
    assert 0.5 <= POLICY.delay_seconds(crashes) <= 30.0


def test_a_wrong_configuration_is_not_tried_twice() -> None:
    assert POLICY.gives_up(1, EXIT_CONFIGURATION)


def test_gives_up_after_the_last_crash_in_a_row_and_not_before() -> None:
    assert not POLICY.gives_up(7, 1)
    assert POLICY.gives_up(8, -9)
