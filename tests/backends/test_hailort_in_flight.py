"""Several frames in flight on one chip: which caller gets what, when frames fail, stall or are closed in flight."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgeinfer.errors import BackendError
from edgeinfer.hailort.edge import Edge
from edgeinfer.hailort.session import Frame
from tests.fakes.hailo_platform.machine import Machine
from tests.hailort.flights import Caller, ended, in_flight, serves_again, window_of
from tests.hailort.rigs import VERSIONS, Rig, build_rig

STATUSES = {4: "timeout", 8: "execution_failed", 18: "execution_failed", 62: "communication_closed", 87: "timeout"}


@pytest.fixture(params=VERSIONS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    # The end of a wait is the gate's, so the timeout only has to be longer than a busy machine's pauses.
    built = build_rig(Machine(request.param), tmp_path, timeout_ms=20_000)
    built.backend.open()
    yield built
    built.machine.chip.gate = None
    built.machine.chip.stuck = False
    built.backend.close()
    assert (built.machine.aborted, built.machine.races) == ([], [])
    assert built.machine.vdevices_open == 0


def test_four_in_flight_come_back_each_to_its_caller(rig: Rig) -> None:
    gate, callers = in_flight(rig, 4)
    for _ in callers:
        gate.finish()
    assert ended(callers) == ["right"] * 4
    assert [caller.answer.frames_in_flight for caller in callers if caller.answer] == [1, 2, 3, 4]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("code", sorted(STATUSES))
def test_a_frame_that_fails_costs_what_is_behind_it_and_is_counted_once(rig: Rig, code: int, place: int) -> None:
    gate, callers = in_flight(rig, 4)
    for _ in range(place):
        gate.finish()
    gate.finish(code)
    found = ended(callers)
    assert found[:place] == ["right"] * place
    assert sorted(found[place:]) == sorted([STATUSES[code]] + [f"({STATUSES[code]})"] * (3 - place))
    assert serves_again(rig)
    assert rig.machine.vdevices_open == 1


def test_a_failure_at_submit_ends_what_is_in_flight_and_is_the_one_that_is_counted(rig: Rig) -> None:
    _, callers = in_flight(rig, 3)
    rig.machine.inject("run_async", 82)
    last = Caller(rig, 3)
    assert ended([last]) == ["backpressure"]
    assert ended(callers) == ["(backpressure)"] * 3
    assert serves_again(rig)


def test_a_frame_that_times_out_does_not_hurt_those_that_come_back(rig: Rig) -> None:
    gate, callers = in_flight(rig, 4)
    gate.expire(gate.jobs[0])
    assert ended(callers[:1]) == ["timeout"]
    # Its frame is still in flight, and so are the others: nothing is configured again under them.
    for _ in callers:
        gate.finish()
    assert ended(callers[1:]) == ["right"] * 3
    assert rig.machine.calls.count("configure") == 2
    assert serves_again(rig)


def test_no_window_is_run_behind_a_frame_that_timed_out(rig: Rig) -> None:
    gate, callers = in_flight(rig, 2)
    gate.expire(gate.jobs[0])
    assert ended(callers[:1]) == ["timeout"]
    waiting = Caller(rig, 7)
    waiting.thread.join(0.2)
    assert waiting.thread.is_alive()
    assert len(gate.jobs) == 2
    gate.finish()
    gate.finish()
    assert ended(callers[1:]) == ["right"]
    gate.finish()  # on the network that was configured again
    assert ended([waiting]) == ["right"]


def test_a_window_that_was_not_on_the_chip_yet_when_another_failed_is_run_afterwards(rig: Rig) -> None:
    machine = rig.machine
    machine.delay("wait_for_async_ready", 0.3)
    machine.inject("wait_for_async_ready", 4)
    before = machine.calls.count("wait_for_async_ready")
    first = Caller(rig, 1)
    while machine.calls.count("wait_for_async_ready") == before:
        threading.Event().wait(0.001)
    second = Caller(rig, 2)
    while rig.backend._pool.chips[0].in_flight < 2 and second.thread.is_alive():
        threading.Event().wait(0.001)
    assert ended([first, second]) == ["timeout", "right"]


def test_four_timeouts_at_once_are_one_failure(rig: Rig) -> None:
    gate, callers = in_flight(rig, 4)
    for job in gate.jobs:
        gate.expire(job)
    assert sorted(ended(callers)) == ["(timeout)", "(timeout)", "(timeout)", "timeout"]
    assert serves_again(rig)


def test_a_chip_in_the_red_zone_is_asked_once_for_all_frames_that_it_aborts(rig: Rig) -> None:
    _, callers = in_flight(rig, 4)
    chip = rig.machine.chip
    chip.control_calls.clear()
    chip.ts0, chip.zone, chip.streams_closed = 120.5, 2, True
    chip.gate = None
    reported = "thermal_throttling" if rig.machine.is_old_line else "communication_closed"
    assert sorted(ended(callers)) == sorted([reported, *[f"({reported})"] * 3])
    assert chip.control_calls.count("_get_health_information") == (1 if rig.machine.is_old_line else 0)
    chip.ts0, chip.zone, chip.streams_closed = 90.0, 0, False
    assert serves_again(rig)


def test_an_unplugged_chip_ends_all_frames_as_one_failure(rig: Rig) -> None:
    _, callers = in_flight(rig, 4)
    rig.machine.chip.present = False
    rig.machine.chip.gate = None
    assert sorted(ended(callers)) == ["(communication_closed)"] * 3 + ["communication_closed"]
    rig.machine.chip.present = True
    assert serves_again(rig)


def test_a_chip_closed_under_its_frames_waits_for_them(rig: Rig) -> None:
    gate, callers = in_flight(rig, 3)
    closing = threading.Thread(target=rig.backend.close)
    closing.start()
    for _ in callers:
        gate.finish()
    assert ended(callers) == ["right"] * 3
    closing.join(30)
    assert not closing.is_alive()


@pytest.mark.parametrize("blank", [0.0, -1.25, np.nan])
@pytest.mark.parametrize("size", [64, 12])
def test_an_output_that_nobody_wrote_is_refused_although_all_went_well(rig: Rig, size: int, blank: float) -> None:
    rig.machine.chip.noise = lambda answer: np.full_like(answer, blank) if answer.size == size else answer
    with pytest.raises(BackendError, match=f"in all of its {size} places") as caught:
        rig.backend.infer(window_of(1))
    assert caught.value.error_class == "execution_failed"
    rig.machine.chip.noise = None
    assert serves_again(rig)


def test_a_frame_that_was_waited_for_and_never_said_to_have_ended_is_no_answer() -> None:
    frame = Frame(np.zeros(3, np.float32), (Edge("out", (2,)),))
    frame.outputs[0][:] = (1, 2)
    with pytest.raises(BackendError, match="never said to have ended"):
        frame.check()
    frame.ended(completion_info=SimpleNamespace(exception=None))
    frame.check()
    frame.ended(completion_info=SimpleNamespace(exception=RuntimeError("the status of the frame")))
    with pytest.raises(RuntimeError, match="the status of the frame"):
        frame.check()


@pytest.mark.parametrize("version", VERSIONS)
def test_as_many_frames_are_in_flight_as_queue_setting_and_timeout_allow(version: str, tmp_path: Path) -> None:
    rig = build_rig(Machine(version), tmp_path, max_in_flight=3, timeout_ms=20_000)
    rig.backend.open()
    gate, callers = in_flight(rig, 3)
    fourth = Caller(rig, 3)
    fourth.thread.join(0.2)
    assert fourth.thread.is_alive()
    assert len(gate.jobs) == 3
    for _ in range(4):
        gate.finish()
    assert ended([*callers, fourth]) == ["right"] * 4
    rig.backend.close()

    slow = Machine(version)
    slow.chip.latency_seconds = 0.2
    rig = build_rig(slow, tmp_path, timeout_ms=1000)
    rig.backend.open()
    # Half of the timeout holds at most two frames of 0.2 s; the third could easily complete too late.
    assert rig.backend.parallelism in (1, 2)
    rig.backend.close()
    slow.queue_limit = 32
    slow.chip.latency_seconds = 0.0
    rig = build_rig(slow, tmp_path, timeout_ms=60_000, max_in_flight=32)
    rig.backend.open()
    assert rig.backend.parallelism == 32
    rig.backend.close()
