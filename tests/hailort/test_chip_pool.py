"""Turns and recovery of chips where the machine runs short of threads, and where a recovery outlasts the pool."""

from collections.abc import Callable
from pathlib import Path
from queue import Queue

import numpy as np
import pytest

from edgeinfer.errors import BackendError
from tests.fakes.hailo_platform.machine import Machine
from tests.hailort.flights import Caller
from tests.hailort.rigs import Rig, at_once, build_rig

WINDOW = np.zeros((100, 9), np.float32)
LOST, EXECUTION = 62, 8


class Threads:
    """Starts actions at once, later, or not at all, as a test says."""

    def __init__(self) -> None:
        self.are_left = True
        self.is_later = False
        self._later: Queue[Callable[[], None]] = Queue()

    def __call__(self, action: Callable[[], None]) -> None:
        if not self.are_left:
            raise RuntimeError("can't start new thread")
        if self.is_later:
            self._later.put(action)
        else:
            at_once(action)

    def next_one(self) -> Callable[[], None]:
        """What is to be started, once there is something."""
        return self._later.get(timeout=20)


@pytest.fixture
def threads() -> Threads:
    return Threads()


@pytest.fixture
def rig(tmp_path: Path, threads: Threads) -> Rig:
    rig = build_rig(Machine(), tmp_path, start=threads)
    rig.backend.open()
    return rig


def test_a_network_is_configured_again_where_no_thread_can_be_started(rig: Rig, threads: Threads) -> None:
    threads.are_left = False
    rig.machine.inject("run_async", EXECUTION)
    with pytest.raises(BackendError):
        rig.backend.infer(WINDOW)
    assert rig.backend.infer(WINDOW).latent.size == 64


def test_a_lost_chip_is_opened_again_once_there_are_threads_again(rig: Rig, threads: Threads) -> None:
    rig.machine.inject("run_async", LOST)
    with pytest.raises(BackendError):
        rig.backend.infer(WINDOW)
    threads.are_left = False
    for _ in range(3):
        rig.clock.advance(60)
        with pytest.raises(BackendError, match="no more threads"):
            rig.backend.infer(WINDOW)
    threads.are_left = True
    rig.clock.advance(60)
    assert rig.backend.infer(WINDOW).latent.size == 64


def test_a_chip_that_is_opened_again_behind_a_closed_pool_is_released(rig: Rig, threads: Threads) -> None:
    rig.machine.inject("run_async", LOST)
    with pytest.raises(BackendError):
        rig.backend.infer(WINDOW)
    threads.is_later = True
    rig.clock.advance(60)
    caller = Caller(rig, 1)  # waits for the chip that is being opened
    reopen = threads.next_one()
    rig.backend.close()
    caller.end()
    assert caller.failure is not None
    reopen()
    assert rig.machine.vdevices_open == 0


def test_a_caller_waits_for_a_chip_that_is_being_opened_again(rig: Rig, threads: Threads) -> None:
    rig.machine.inject("run_async", LOST)
    with pytest.raises(BackendError):
        rig.backend.infer(WINDOW)
    threads.is_later = True
    rig.clock.advance(60)
    caller = Caller(rig, 1)
    threads.next_one()()
    caller.end()
    assert caller.is_right
