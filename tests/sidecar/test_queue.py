"""The bounded queue: order, shedding, callers that hang up."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from edgeinfer.backends.base import Inference, Window
from edgeinfer.errors import BackendError, Overloaded
from edgeinfer.metrics.registry import new_registry
from edgeinfer.sidecar.inference import Computed, InferencePool, never, one_by_one
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.pace import Pace
from tests.sidecar.rig import ToyBackend

WINDOW = np.zeros((100, 9), np.float32)
ON_THE_LOOP = Pace(runs_inline=True)


def waits_for(gate: threading.Event) -> Callable[[], None]:
    def before() -> None:
        gate.wait(10)

    return before


def takes_a_moment() -> None:
    threading.Event().wait(0.01)


def make_pool(backend: ToyBackend, *, workers: int = 1, capacity: int = 2) -> tuple[InferencePool, SidecarInstruments]:
    instruments = SidecarInstruments(new_registry())
    return InferencePool(
        one_by_one(backend.infer), instruments, workers=lambda: workers, capacity=capacity
    ), instruments


def brief_pool(backend: ToyBackend, capacity: int = 8) -> InferencePool:
    """Two windows at once, one of them on the loop."""
    instruments = SidecarInstruments(new_registry())
    return InferencePool(
        one_by_one(backend.infer), instruments, workers=lambda: 2, capacity=capacity, pace=lambda: ON_THE_LOOP
    )


async def test_a_full_queue_sheds_and_says_when_to_come_back() -> None:
    gate = threading.Event()
    pool, _ = make_pool(ToyBackend(waits_for(gate)))
    pool.start()
    waiting = [asyncio.create_task(pool.infer(WINDOW)) for _ in range(3)]
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded) as caught:
        await pool.infer(WINDOW)
    assert caught.value.retry_after_seconds >= 1
    gate.set()
    assert all(isinstance(answer, Computed) for answer in await asyncio.gather(*waiting))
    assert isinstance(await pool.infer(WINDOW), Computed)
    await pool.close()


async def test_the_gauges_report_what_waits_and_what_is_computed() -> None:
    gate = threading.Event()
    registry = new_registry()
    backend = ToyBackend(waits_for(gate))
    pool = InferencePool(one_by_one(backend.infer), SidecarInstruments(registry), workers=lambda: 1, capacity=8)
    pool.start()
    waiting = [asyncio.create_task(pool.infer(WINDOW)) for _ in range(4)]
    await asyncio.sleep(0.05)
    assert registry.get_sample_value("hailo_sidecar_queue_depth") == 3
    assert registry.get_sample_value("hailo_sidecar_in_flight") == 1
    assert registry.get_sample_value("hailo_sidecar_queue_capacity") == 8
    gate.set()
    await asyncio.gather(*waiting)
    assert registry.get_sample_value("hailo_sidecar_queue_depth") == 0
    assert registry.get_sample_value("hailo_sidecar_in_flight") == 0
    await pool.close()


async def test_a_caller_that_hangs_up_costs_no_computation() -> None:
    gate = threading.Event()
    backend = ToyBackend(waits_for(gate))
    pool, _ = make_pool(backend, capacity=8)
    pool.start()
    first = asyncio.create_task(pool.infer(WINDOW))
    second = asyncio.create_task(pool.infer(WINDOW))
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.sleep(0)
    gate.set()
    await first
    await pool.close()
    assert backend.windows == 1


async def test_many_windows_on_many_threads_all_come_back_to_their_callers() -> None:
    pool, _ = make_pool(ToyBackend(parallelism=4), workers=4, capacity=1000)
    pool.start()
    windows = [np.full((100, 9), number, np.float32) for number in range(500)]
    answers = await asyncio.gather(*(pool.infer(window) for window in windows))
    assert [answer.inference.latent[0] for answer in answers] == [900 * number for number in range(500)]
    await pool.close()


async def test_closing_finishes_what_was_accepted() -> None:
    pool, _ = make_pool(ToyBackend(takes_a_moment), capacity=20)
    pool.start()
    waiting = [asyncio.create_task(pool.infer(WINDOW)) for _ in range(10)]
    await asyncio.sleep(0)
    await pool.close()
    assert len(await asyncio.gather(*waiting)) == 10


async def test_the_loop_computes_a_brief_window_itself() -> None:
    seen: list[str] = []
    backend = ToyBackend(lambda: seen.append(threading.current_thread().name))
    pool = brief_pool(backend)
    pool.start()
    assert isinstance(await pool.infer(WINDOW), Computed)
    await pool.close()

    assert seen == [threading.current_thread().name]


async def test_threads_take_what_comes_while_the_loop_computes() -> None:
    seen: list[str] = []
    both_compute = threading.Barrier(2)

    def meet() -> None:
        seen.append(threading.current_thread().name)
        both_compute.wait(10)

    pool = brief_pool(ToyBackend(meet))
    pool.start()
    answers = await asyncio.gather(pool.infer(WINDOW), pool.infer(WINDOW))
    await pool.close()

    assert len(answers) == 2
    assert set(seen) == {threading.current_thread().name, "infer-0"}


async def test_a_helping_loop_answers_all_in_the_end() -> None:
    pool = brief_pool(ToyBackend(), capacity=1000)
    pool.start()
    answers = await asyncio.gather(*(pool.infer(WINDOW) for _ in range(500)))
    await pool.close()

    assert len(answers) == 500


async def test_the_loop_takes_the_oldest_first() -> None:
    on_the_loop: list[int] = []
    thread_is_busy, thread_may_end = threading.Event(), threading.Event()
    backend = ToyBackend()

    def compute(window: Window) -> Inference:
        if threading.current_thread() is threading.main_thread():
            on_the_loop.append(int(window[0, 0]))
            assert thread_is_busy.wait(10)
        else:
            thread_is_busy.set()
            thread_may_end.wait(10)
        return backend.infer(window)

    instruments = SidecarInstruments(new_registry())
    pool = InferencePool(one_by_one(compute), instruments, workers=lambda: 2, capacity=8, pace=lambda: ON_THE_LOOP)
    pool.start()
    answered = asyncio.Event()

    def submit(number: int, then: Callable[[], None] = lambda: None) -> None:
        pool.submit(np.full((100, 9), number, np.float32), never, lambda _: then())

    submit(1, lambda: submit(5, answered.set))
    submit(2)
    submit(3)
    submit(4)
    await asyncio.wait_for(answered.wait(), 10)
    thread_may_end.set()
    await pool.close()

    assert on_the_loop == [1, 3, 4, 5]


async def test_a_failure_on_the_loop_is_the_callers_alone() -> None:
    fails = iter([True, False])

    def before() -> None:
        if next(fails):
            raise BackendError("it", "failed", "Look.", error_class="execution_failed")

    pool = brief_pool(ToyBackend(before))
    pool.start()
    with pytest.raises(BackendError):
        await pool.infer(WINDOW)
    assert isinstance(await pool.infer(WINDOW), Computed)
    await pool.close()


async def test_closing_finishes_what_the_loop_took_up() -> None:
    pool = brief_pool(ToyBackend(), capacity=100)
    pool.start()
    waiting = [asyncio.ensure_future(pool.infer(WINDOW)) for _ in range(20)]
    await asyncio.sleep(0)
    await pool.close()

    assert all(isinstance(answer, Computed) for answer in await asyncio.gather(*waiting))
