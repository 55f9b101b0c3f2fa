"""One answer for all who ask the same."""

import asyncio

import pytest

from edgeinfer.console.single_flight import SingleFlightCache


class Counting:
    def __init__(self, failure: Exception | None = None) -> None:
        self.calls = 0
        self.failure = failure
        self.gate = asyncio.Event()

    async def __call__(self) -> int:
        self.calls += 1
        await self.gate.wait()
        if self.failure:
            raise self.failure
        return self.calls


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_those_who_ask_together_share_one_computation() -> None:
    shared: SingleFlightCache[str, int] = SingleFlightCache(10)
    work = Counting()
    asking = [asyncio.create_task(shared.get("a", work)) for _ in range(20)]
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(*asking) == [1] * 20


async def test_an_answer_serves_until_it_is_old() -> None:
    clock = Clock()
    shared: SingleFlightCache[str, int] = SingleFlightCache(10, clock=clock)
    work = Counting()
    work.gate.set()
    await shared.get("a", work)
    clock.now = 9
    assert await shared.get("a", work) == 1
    clock.now = 11
    assert await shared.get("a", work) == 2


async def test_a_failure_reaches_all_and_is_not_kept() -> None:
    shared: SingleFlightCache[str, int] = SingleFlightCache(10)
    work = Counting(ValueError("no"))
    work.gate.set()
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await shared.get("a", work)
    assert work.calls == 2


async def test_one_who_leaves_does_not_end_the_work_of_others() -> None:
    shared: SingleFlightCache[str, int] = SingleFlightCache(10)
    work = Counting()
    leaving = asyncio.create_task(shared.get("a", work))
    staying = asyncio.create_task(shared.get("a", work))
    await asyncio.sleep(0)
    leaving.cancel()
    work.gate.set()
    assert await staying == 1


async def test_answers_do_not_pile_up() -> None:
    shared: SingleFlightCache[int, int] = SingleFlightCache(1000, most=8)
    work = Counting()
    work.gate.set()
    for key in range(100):
        await shared.get(key, work)
    assert len(shared) <= 9
