from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.stack.restart import RestartPolicy

POLICY = RestartPolicy(first_seconds=0.5, max_seconds=30.0, max_crashes=8, healthy_seconds=60.0)


def test_each_restart_waits_twice_as_long_as_the_one_before() -> None:
    assert [POLICY.delay_seconds(crashes) for crashes in range(1, 5)] == [0.5, 1.0, 2.0, 4.0]


@given(st.integers(1, 100_000))
def test_no_wait_is_longer_than_the_max_and_none_is_forever(crashes: int) -> None:
    assert 0.5 <= POLICY.delay_seconds(crashes) <= 300.0
    assert 0.5 <= POLICY.delay_seconds(crashes, is_main_job=True) <= 30.0


def test_what_is_given_up_is_tried_again_with_a_growing_pause() -> None:
    assert [POLICY.delay_seconds(crashes) for crashes in (7, 8, 9, 10, 11, 12)] == [
        30.0,
        60.0,
        120.0,
        240.0,
        300.0,
        300.0,
    ]


def test_is_given_up_after_the_last_crash_in_a_row_and_not_before() -> None:
    assert not POLICY.is_given_up(7)
    assert POLICY.is_given_up(8)
