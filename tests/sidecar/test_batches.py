"""Windows that wait together are computed together, and each caller gets what it would get alone."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edgeinfer.backends.base import Inference, Window
from edgeinfer.errors import BackendError, InvalidOutput, InvalidWindow, Overloaded
from edgeinfer.metrics.registry import new_registry
from edgeinfer.sidecar.batch import submit_all
from edgeinfer.sidecar.inference import ClientDisconnected, Computed, InferencePool, never, one_by_one
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.model import ServedModel
from edgeinfer.sidecar.pace import ON_THREADS, Pace
from tests.sidecar.rig import BatchToyBackend, ToyBackend, running, shipped_card, window

BATCHES_OF_FOUR = Pace(runs_inline=True, max_batch=4, min_handover=4)


def always() -> bool:
    return True


def numbered(number: int) -> Window:
    return np.full((100, 9), number, np.float32)


class Runs:
    """Computes like a toy, and keeps which windows each run had, and on which thread."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.runs: list[tuple[str, list[int]]] = []
        self.before = before
        self._infer_all = one_by_one(ToyBackend().infer)

    def __call__(self, windows: Sequence[Window]) -> Sequence[Inference | Exception]:
        where = "loop" if threading.current_thread() is threading.main_thread() else "thread"
        self.runs.append((where, [int(window[0, 0]) for window in windows]))
        self.before()
        return self._infer_all(windows)


def pool_of(runs: Runs, pace: Pace = BATCHES_OF_FOUR, workers: int = 2) -> InferencePool:
    instruments = SidecarInstruments(new_registry())
    pool = InferencePool(runs, instruments, workers=lambda: workers, capacity=100, pace=lambda: pace)
    pool.start()
    return pool


async def ask(pool: InferencePool, count: int) -> list[int]:
    """What windows 0 to `count` were answered, as their numbers."""
    answers = await asyncio.gather(*(pool.infer(numbered(number)) for number in range(count)))
    return [int(answer.inference.latent[0] / 900) for answer in answers]


async def test_what_waits_when_the_loop_is_free_is_one_run_and_oldest_first() -> None:
    runs = Runs()
    pool = pool_of(runs, workers=1)

    assert await ask(pool, 6) == list(range(6))
    assert runs.runs == [("loop", [0, 1, 2, 3]), ("loop", [4, 5])]
    await pool.close()


async def test_a_window_that_is_alone_waits_for_no_other() -> None:
    runs = Runs()
    pool = pool_of(runs)
    for _ in range(3):
        assert await ask(pool, 1) == [0]
    assert runs.runs == [("loop", [0])] * 3
    await pool.close()


async def test_a_thread_gets_a_share_that_is_worth_waking_it() -> None:
    both_compute = threading.Barrier(2)

    def meet() -> None:
        both_compute.wait(10)

    runs = Runs(meet)
    pool = pool_of(runs)

    for _ in range(3):  # a thread that is done is free again
        runs.runs.clear()
        assert await ask(pool, 8) == list(range(8))
        assert sorted(runs.runs) == [("loop", [0, 1, 2, 3]), ("thread", [4, 5, 6, 7])]
    await pool.close()


async def test_a_thread_whose_windows_the_loop_took_back_gets_a_share_again() -> None:
    thread_is_busy, thread_may_end = threading.Event(), threading.Event()

    def hold_the_thread() -> None:
        if threading.current_thread() is not threading.main_thread():
            thread_is_busy.set()
            thread_may_end.wait(10)

    runs, pace, workers = Runs(hold_the_thread), [ON_THREADS], [1]
    instruments = SidecarInstruments(new_registry())
    pool = InferencePool(runs, instruments, workers=lambda: workers[0], capacity=100, pace=lambda: pace[0])
    pool.start()
    held = [asyncio.ensure_future(pool.infer(numbered(number))) for number in range(3)]
    await asyncio.sleep(0)
    assert await asyncio.to_thread(thread_is_busy.wait, 10)
    pace[0] = BATCHES_OF_FOUR
    assert await ask(pool, 1) == [0]
    await asyncio.gather(*held[1:])  # by the loop, because the only thread is held
    thread_may_end.set()
    await held[0]

    both_compute = threading.Barrier(2, timeout=10)
    runs.before, workers[0] = both_compute.wait, 2
    assert await asyncio.wait_for(ask(pool, 8), 10) == list(range(8))
    await pool.close()


async def test_less_than_that_the_loop_computes_alone() -> None:
    runs = Runs()
    pool = pool_of(runs)

    assert await ask(pool, 7) == list(range(7))
    assert {where for where, _ in runs.runs} == {"loop"}
    await pool.close()


async def test_whoever_computes_what_every_caller_gets_its_own_answer() -> None:
    """Threads and the loop take runs from each other all the time here."""
    runs = Runs()
    pool = pool_of(runs, Pace(runs_inline=True, max_batch=3, min_handover=1), workers=3)

    for count in (1, 50, 2, 99):
        assert await ask(pool, count) == list(range(count))
    await pool.close()
    assert sum(len(numbers) for _, numbers in runs.runs) == 152
    assert max(len(numbers) for _, numbers in runs.runs) == 3


async def test_a_caller_that_hung_up_is_left_out_of_its_run() -> None:
    runs = Runs()
    pool = pool_of(runs)
    asked = (pool.infer(numbered(number), has_hung_up) for number, has_hung_up in enumerate((never, always, never)))
    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Computed, ClientDisconnected, Computed]
    assert runs.runs == [("loop", [0, 2])]
    await pool.close()


async def test_a_run_that_raises_is_every_callers_failure_and_not_the_end() -> None:
    def crash(_: Sequence[Window]) -> Sequence[Inference | Exception]:
        raise RuntimeError("a bug")

    instruments = SidecarInstruments(new_registry())
    pool = InferencePool(crash, instruments, workers=lambda: 1, capacity=9, pace=lambda: BATCHES_OF_FOUR)
    pool.start()
    answers = await asyncio.gather(*(pool.infer(numbered(1)) for _ in range(3)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["a bug"] * 3
    await pool.close()


def served(backend: ToyBackend) -> ServedModel:
    model = ServedModel(backend, shipped_card(), SidecarInstruments(new_registry()))
    model.description = backend.open()
    return model


def test_a_run_that_fails_is_done_again_one_by_one_and_only_the_bad_window_fails() -> None:
    class RefusesSevens(BatchToyBackend):
        def infer(self, window: Window) -> Inference:
            if window[0, 0] == 7:
                raise BackendError("it", "dislikes 7", "Send 8.", error_class="execution_failed")
            return super().infer(window)

    outcomes = served(RefusesSevens()).infer_all([numbered(number) for number in (1, 7, 3)])

    good = [outcome.latent[0] for outcome in outcomes if isinstance(outcome, Inference)]
    assert good == [900, 2700]
    assert isinstance(outcomes[1], BackendError)
    assert outcomes[1].fault == "dislikes 7"


def test_an_output_that_overflows_is_its_own_callers_error() -> None:
    windows = [numbered(1), np.full((100, 9), 3e38, np.float32), numbered(3)]
    backend = BatchToyBackend()
    outcomes = served(backend).infer_all(windows)

    assert [type(outcome) for outcome in outcomes] == [Inference, InvalidWindow, Inference]
    assert backend.batches == [3]


def test_a_failure_of_a_run_is_counted_for_the_window_that_failed_alone() -> None:
    failing = BackendError("it", "failed", "Look.", error_class="execution_failed")
    fails = iter([failing, failing, None, None])

    def before() -> None:
        if (failure := next(fails)) is not None:
            raise failure

    registry = new_registry()
    model = ServedModel(backend := BatchToyBackend(before), shipped_card(), SidecarInstruments(registry))
    model.description = backend.open()
    outcomes = model.infer_all([numbered(1), numbered(2), numbered(3)])

    assert [type(outcome) for outcome in outcomes] == [BackendError, Inference, Inference]
    assert registry.get_sample_value("hailo_hardware_errors_total", {"error_class": "execution_failed"}) == 1


def test_a_run_without_one_usable_output_is_no_recovery_and_the_model_is_not_well() -> None:
    registry = new_registry()
    model = ServedModel(backend := BatchToyBackend(), shipped_card(), SidecarInstruments(registry))
    model.description = backend.open()
    backend.scores[:] = np.nan
    for _ in range(2):
        assert {type(one) for one in model.infer_all([numbered(1), numbered(2)])} == {InvalidOutput}

    assert registry.get_sample_value("hailo_sidecar_backend_recoveries_total") == 0
    assert "not finite" in model.failing
    backend.scores[:] = 1 / 12
    assert {type(one) for one in model.infer_all([numbered(1), numbered(2)])} == {Inference}
    assert registry.get_sample_value("hailo_sidecar_backend_recoveries_total") == 1
    assert not model.failing


def test_a_window_during_which_another_fails_is_no_recovery() -> None:
    registry = new_registry()
    model = ServedModel(backend := BatchToyBackend(), shipped_card(), SidecarInstruments(registry))
    model.description = backend.open()

    def fail() -> None:
        raise BackendError("it", "failed", "Look.", error_class="execution_failed")

    def another_fails() -> None:
        backend.before = fail
        with pytest.raises(BackendError):
            model.infer(numbered(2))

    another_fails()
    backend.before = another_fails
    model.infer(numbered(1))
    assert registry.get_sample_value("hailo_sidecar_backend_recoveries_total") == 0
    backend.before = lambda: None
    model.infer(numbered(1))
    assert registry.get_sample_value("hailo_sidecar_backend_recoveries_total") == 1


async def test_windows_of_a_request_that_do_not_all_find_room_are_refused_together() -> None:
    gate = threading.Event()
    pool = pool_of(Runs(lambda: gate.wait(10)), ON_THREADS, workers=1)
    delivered: list[object] = []
    held = asyncio.ensure_future(pool.infer(numbered(0)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="101 more are beyond its 100 places"):
        submit_all(pool, [numbered(1)] * 101, never, delivered.append)
    gate.set()
    await held
    await pool.close()
    assert not delivered


def test_a_run_that_was_put_together_for_the_model_before_is_not_given_to_one_that_mixes_windows() -> None:
    class MixesWindows(BatchToyBackend):
        def infer_batch(self, windows: Sequence[Window]) -> list[Inference]:
            return [self.infer(np.stack(windows).sum(axis=0)) for _ in windows]

    model = served(BatchToyBackend())
    model.backend = MixesWindows(max_batch=1)
    outcomes = model.infer_all([numbered(number) for number in (1, 2, 3)])

    assert [one.latent[0] for one in outcomes if isinstance(one, Inference)] == [900, 1800, 2700]


def test_a_backend_is_asked_once_whether_it_takes_several_windows_and_its_successor_again() -> None:
    class Watched(ToyBackend):
        """Does not take several; says whether it was asked what it is, which any Python reads of `__class__`."""

        is_asked = False

        @property  # type: ignore[misc]
        def __class__(self) -> type["Watched"]:
            self.is_asked = True
            return Watched

    first, second = Watched(), Watched()
    model = served(first)
    for backend, is_new in ((first, True), (first, False), (second, True), (second, False), (first, True)):
        model.backend, backend.is_asked = backend, False
        assert all(isinstance(one, Inference) for one in model.infer_all([numbered(1), numbered(2)]))
        assert backend.is_asked is is_new


def test_a_run_that_answers_too_few_windows_is_done_again_one_by_one() -> None:
    class LosesOne(BatchToyBackend):
        def infer_batch(self, windows: Sequence[Window]) -> list[Inference]:
            return super().infer_batch(windows)[1:]

    outcomes = served(LosesOne()).infer_all([numbered(1), numbered(2)])

    assert [one.latent[0] for one in outcomes if isinstance(one, Inference)] == [900, 1800]


async def test_threads_that_are_left_without_a_share_are_not_woken() -> None:
    both_compute = threading.Barrier(2)

    def meet() -> None:
        both_compute.wait(10)

    runs = Runs(meet)
    pool = pool_of(runs, Pace(runs_inline=True, max_batch=4, min_handover=1), workers=3)

    # Shares of two: with the loop and one thread nothing is left for the other.
    assert await ask(pool, 4) == list(range(4))
    assert sorted(runs.runs) == [("loop", [0, 1]), ("thread", [2, 3])]
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("infer-")] == ["infer-0"]
    await pool.close()


async def test_an_answer_that_cannot_be_delivered_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    pool, answered = pool_of(Runs()), asyncio.Event()

    def raises(_: Computed | Exception) -> None:
        raise RuntimeError("a bug")

    pool.submit(numbered(1), never, raises)
    pool.submit(numbered(2), never, lambda _: answered.set())
    await asyncio.wait_for(answered.wait(), 10)
    assert await asyncio.wait_for(ask(pool, 1), 10) == [0], "and the loop computes on"
    assert "delivery of an answer" in caplog.text
    await pool.close()


def test_windows_of_one_request_are_one_run_and_the_metrics_say_so() -> None:
    backend = BatchToyBackend()
    with running(backend) as rig:
        measured = len(backend.batches)
        data = [value for _ in range(5) for row in window() for value in row]
        tensor = {"name": "window", "shape": [5, 100, 9], "datatype": "FP32", "data": data}
        answer = rig.client.post(f"/v2/models/{shipped_card().name}/infer", json={"inputs": [tensor]})
        assert answer.status_code == 200, answer.text
        # One run of five, unless a busy machine was measured to compute fewer in one.
        runs = backend.batches[measured:]
        expected = sum(size * size for size in runs) + 5 - sum(runs)
        assert rig.value("hailo_sidecar_batch_size_sum") == expected
        assert rig.value("hailo_sidecar_batch_size_count") == 5
        assert rig.value("hailo_sidecar_inferences_total", status="success") == 5
        for stage in ("queue", "decode", "preprocess", "execute", "postprocess"):
            assert rig.value("hailo_sidecar_stage_duration_seconds_count", stage=stage) == 5


async def test_the_windows_of_a_run_begin_and_end_together() -> None:
    pool = pool_of(Runs())
    answers = await asyncio.gather(*(pool.infer(numbered(number)) for number in range(4)))

    assert len({(answer.started, answer.ended) for answer in answers}) == 1
    await pool.close()


@pytest.mark.parametrize("closes_with", [1, 3, 11])
async def test_closing_finishes_every_run(closes_with: int) -> None:
    pool = pool_of(Runs())
    waiting = [asyncio.ensure_future(pool.infer(numbered(number))) for number in range(closes_with)]
    await asyncio.sleep(0)
    await pool.close()

    assert all(isinstance(answer, Computed) for answer in await asyncio.gather(*waiting))
