"""Who computes a model's windows, and how many in one run: found out on this machine when the model is opened."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edgeinfer.backends.base import Inference, Window
from edgeinfer.errors import BackendError
from edgeinfer.sidecar.pace import ON_THREADS, Pace, measure_pace
from tests.sidecar.rig import BatchToyBackend, ToyBackend

PROBE = np.zeros((100, 9), np.float32)


def takes(seconds: float) -> Callable[[], None]:
    """Computes for so long: a sleep may wake late by more than that."""

    def before() -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    return before


class DearTogether(BatchToyBackend):
    """Several windows take twice as long as one after the other."""

    def infer_batch(self, windows: Sequence[Window]) -> list[Inference]:
        for _ in range(2 * len(windows)):
            self.before()
        return super().infer_batch(windows)


def test_a_device_is_waited_for_on_threads() -> None:
    assert measure_pace(ToyBackend(), PROBE) == ON_THREADS


def test_a_window_that_takes_long_is_computed_on_threads_and_alone() -> None:
    assert measure_pace(BatchToyBackend(takes(0.003)), PROBE) == ON_THREADS


def test_a_backend_that_declares_nothing_computes_one_window_at_a_time() -> None:
    assert measure_pace(ToyBackend(is_cpu_bound=True), PROBE) == Pace(runs_inline=True, max_batch=1, min_handover=1)


def test_a_run_takes_as_many_windows_as_two_milliseconds_allow() -> None:
    pace = measure_pace(BatchToyBackend(takes(0.0005)), PROBE)

    assert pace.runs_inline
    assert 2 <= pace.max_batch <= 3  # the toy itself takes a little
    assert pace.min_handover == 2


def test_a_very_brief_window_is_shared_only_where_a_thread_has_enough_to_do() -> None:
    pace = measure_pace(BatchToyBackend(), PROBE)

    assert pace == Pace(runs_inline=True, max_batch=16, min_handover=16)


class HasNoMemoryForBatches(BatchToyBackend):
    """Single windows fit."""

    def infer_batch(self, windows: Sequence[Window]) -> list[Inference]:
        raise BackendError("the model", "has no memory left", "Free some.", error_class="memory_allocation_error")


@pytest.mark.parametrize(
    "backend", [BatchToyBackend(max_batch=1), DearTogether(takes(0.0002)), HasNoMemoryForBatches()]
)
def test_what_cannot_batch_or_becomes_dearer_by_it_stays_single(backend: BatchToyBackend) -> None:
    assert measure_pace(backend, PROBE).max_batch == 1
