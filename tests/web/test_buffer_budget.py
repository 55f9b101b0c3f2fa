"""Who has to give back when too much is held."""

from dataclasses import dataclass

from edgeinfer.web.buffer_budget import BufferBudget


@dataclass(eq=False)
class Holder:
    evicted: bool = False

    def evict(self) -> None:
        self.evicted = True


def test_the_oldest_gives_back_first_and_only_as_many_as_must() -> None:
    budget, holders = BufferBudget(100), [Holder() for _ in range(4)]
    for holder in holders:
        budget.hold(holder, 30)
    assert [holder.evicted for holder in holders] == [True, False, False, False]
    assert budget.used_bytes == 90


def test_who_holds_more_than_before_keeps_its_place() -> None:
    budget, first, second = BufferBudget(100), Holder(), Holder()
    budget.hold(first, 10)
    budget.hold(second, 10)
    budget.hold(first, 50)
    budget.hold(second, 60)
    assert (first.evicted, second.evicted, budget.used_bytes) == (True, False, 60)


def test_who_has_given_back_begins_again() -> None:
    budget, first, second = BufferBudget(100), Holder(), Holder()
    budget.hold(first, 40)
    budget.hold(second, 40)
    budget.release(first)
    budget.hold(first, 70)
    assert (first.evicted, second.evicted) == (False, True)


def test_one_that_holds_too_much_alone_gives_back_too() -> None:
    budget, only = BufferBudget(100), Holder()
    budget.hold(only, 101)
    assert (only.evicted, budget.used_bytes) == (True, 0)


def test_what_is_being_answered_is_never_evicted_and_counts() -> None:
    budget, holder = BufferBudget(100), Holder()
    budget.hold(holder, 50)
    assert budget.pin(60)
    assert (holder.evicted, budget.used_bytes) == (True, 60)
    assert not budget.pin(50)
    budget.unpin(60)
    assert (budget.pin(100), budget.used_bytes) == (True, 100)
