from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.loadgen.profile import DEFAULT, QUICK, Profile, stress_users
from edgeinfer.loadgen.schedule import Operation, process_schedule, session_schedule


def a_profile(**given: float) -> Profile:
    return Profile("test", **{"users": 3, "seconds": 20, **given})  # type: ignore[arg-type]  # numbers as given


def test_the_profiles_are_those_of_the_source_document() -> None:
    assert (QUICK.users, QUICK.seconds) == (5, 15)
    assert (DEFAULT.users, DEFAULT.seconds) == (10, 60)
    assert stress_users(200) == [5, 10, 20, 30, 45, 68, 102, 153]
    assert stress_users(12) == [5, 10]


@given(seed=st.integers(0, 1000), user=st.integers(0, 50), seconds=st.floats(2, 60), speed=st.floats(0.5, 8))
def test_a_session_begins_streams_and_stops_in_order(seed: int, user: int, seconds: float, speed: float) -> None:
    dues = list(session_schedule(a_profile(seed=seed, seconds=seconds, speed=speed), user))
    assert dues[0].operation is Operation.START
    assert dues[-1].operation is Operation.STOP
    assert all(earlier.at_seconds <= later.at_seconds for earlier, later in pairwise(dues))
    firsts = [due.first_sample for due in dues if due.operation is Operation.STREAM]
    assert firsts == list(range(0, len(firsts) * 25, 25))


def test_motifs_are_asked_once_for_each_window_of_new_samples() -> None:
    dues = list(session_schedule(a_profile(), 0))
    batches = 0
    for due in dues:
        batches += due.operation is Operation.STREAM
        assert due.operation is not Operation.MOTIFS or batches % 4 == 0
    assert sum(due.operation is Operation.MOTIFS for due in dues) == batches // 4


def test_the_same_seed_gives_the_same_moments_and_another_gives_others() -> None:
    one, same, other = (list(process_schedule(a_profile(seed=seed), 1)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_random_arrivals_have_the_rate_that_was_asked_for() -> None:
    dues = list(process_schedule(a_profile(seconds=2000, process_per_second=3), 0))
    assert abs(len(dues) / 2000 - 3) < 0.15
    assert all(0 < due.at_seconds < 2000 for due in dues)


def test_no_analyses_are_due_where_none_are_wanted() -> None:
    assert not list(process_schedule(a_profile(process_per_second=0), 0))
