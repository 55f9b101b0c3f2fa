"""Frames in the fake's flight: buffers, the queue, failures and what they take along."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import Gate, Machine
from tests.hailort.conformance import Stack, bindings_of, failing


def test_a_frame_goes_through_and_its_bindings_may_be_used_again(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        frame = bindings_of(configured, window=np.ones((1, 100, 9), np.float32))
        reported: list[Any] = []
        for _ in range(2):
            configured.wait_for_async_ready(1000)
            job = configured.run_async([frame], lambda completion_info: reported.append(completion_info.exception))
            job.wait(1000)
        latent = frame.output("tcn_vae/conv19").get_buffer()
        assert latent is frame.output("tcn_vae/conv19").get_buffer()
        assert np.abs(latent).sum() > 0
        assert reported == [None, None]
    with pytest.raises(AttributeError):
        configured.wait_for_async_ready(1000)


def test_a_wrong_size_and_an_unset_input_kill_the_network_and_an_unset_output_does_not(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice:
        with stack.configured(vdevice) as configured:
            no_output = configured.create_bindings({"tcn_vae/input_layer1": np.zeros((1, 100, 9), np.float32)})
            assert failing(stack, lambda: configured.run_async([no_output])) == 6
            configured.run([bindings_of(configured)], 1000)
            small = bindings_of(configured, window=np.zeros((1, 100, 9), np.uint8))
            assert failing(stack, lambda: configured.run_async([small])) == 6
            assert failing(stack, lambda: configured.run_async([bindings_of(configured)])) == 63
        stack.machine.races.clear()  # the real one leaks the guard of a frame whose output is not set, too
        with stack.configured(vdevice) as configured:
            unset = bindings_of(configured)
            unset.input()._buffer = None
            assert failing(stack, lambda: configured.run_async([unset])) == 61
            assert failing(stack, lambda: configured.run_async([bindings_of(configured)])) == 63


@pytest.mark.parametrize(("version", "status"), [("4.23.0", 6), ("5.1.0", 6), ("5.1.1", None)])
def test_an_older_binding_reads_arrays_of_numpy_2_as_empty(version: str, status: int | None, tmp_path: Path) -> None:
    """HailoRT 4.23, with numpy 2.2: status 6 at each `run_async`; 5.1.1 took pybind11 2.13."""
    assert np.__version__ >= "2"
    machine = Machine(version)
    machine.knows_numpy_2 = False
    stack = Stack(machine, tmp_path / "net.hef")
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        if status is None:
            configured.run_async([bindings_of(configured)]).wait(1000)
            return
        assert failing(stack, lambda: configured.run_async([bindings_of(configured)])) == status


def test_only_contiguous_writable_buffers_are_taken(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        with pytest.raises(stack.top.HailoRTException, match="C_CONTIGUOUS"):
            bindings_of(configured, window=np.zeros((9, 100), np.float32).T)
        with pytest.raises(ValueError, match="writeable"):
            bindings_of(configured, window=np.frombuffer(bytes(3600), np.float32).reshape(1, 100, 9))
        with pytest.raises(TypeError):
            configured.run_async(bindings_of(configured))


def test_a_full_queue_kills_the_network_and_a_stuck_frame_times_out(stack: Stack) -> None:
    stack.machine.chip.stuck = True
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        job = configured.run_async([bindings_of(configured)])
        with pytest.raises(stack.inner.HailoRTTimeout, match="a timeout had occurred"):
            job.wait(5)
        for _ in range(configured.get_async_queue_size() - 1):
            configured.run_async([bindings_of(configured)])
        assert failing(stack, lambda: configured.wait_for_async_ready(5)) == 4
        assert failing(stack, lambda: configured.run_async([bindings_of(configured)])) == 82


@pytest.mark.parametrize("code", [4, 8, 18, 63, 87])
def test_waiting_succeeds_for_a_failed_frame_whose_outputs_are_zeros_and_whose_status_only_the_callback_has(
    stack: Stack, code: int
) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        frame = bindings_of(configured, window=np.ones((1, 100, 9), np.float32))
        outputs = [frame.output(name).get_buffer() for name in ("tcn_vae/conv19", "tcn_vae/conv20")]
        for output in outputs:
            output[:] = np.nan
        stack.machine.inject("completion", code)
        reported: list[Any] = []
        job = configured.run_async([frame], lambda completion_info: reported.append(completion_info.exception))
        assert job.wait(1000) is None
        assert [output.any() for output in outputs] == [False, False]
        assert isinstance(reported[0], stack.top.HailoRTException)
        assert reported[0].__cause__ is None
        # The pipeline has ended with the status of its first failure.
        assert failing(stack, lambda: configured.run_async([frame])) == code


def test_a_failed_frame_takes_what_is_in_flight_behind_it_along(stack: Stack) -> None:
    stack.machine.chip.gate = gate = Gate()
    reported: dict[int, Any] = {}
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        jobs = []
        for number in range(3):

            def callback(completion_info: Any, number: int = number) -> None:
                reported[number] = completion_info.exception

            jobs.append(configured.run_async([bindings_of(configured)], callback))
        gate.finish()
        gate.finish(18)
        for job in jobs:
            job.wait(1000)
    assert reported[0] is None
    assert [type(reported[number]).__name__ for number in (1, 2)] == ["HailoRTFirmwareControlFailedException"] * 2


def test_leaving_a_network_ends_what_is_in_flight_with_63(stack: Stack) -> None:
    stack.machine.chip.stuck = True
    reported: list[Any] = []
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        configured.run_async(
            [bindings_of(configured)], lambda completion_info: reported.append(completion_info.exception)
        )
    assert [type(failure).__name__ for failure in reported] == ["HailoRTStreamAborted"]


def test_inputs_are_read_and_outputs_written_when_the_frame_ends(stack: Stack) -> None:
    stack.machine.chip.gate = gate = Gate()
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        frame = bindings_of(configured, window=np.ones((1, 100, 9), np.float32))
        latent = frame.output("tcn_vae/conv19").get_buffer()
        latent[:] = 7
        job = configured.run_async([frame])
        assert (latent == 7).all()
        frame.input().get_buffer()[:] = 0
        gate.finish()
        job.wait(1000)
    assert not latent.any()  # of the zeros that were there in the end


def test_the_queue_takes_32_mb_of_frames_and_at_max_what_the_build_allows(stack: Stack, tmp_path: Any) -> None:
    def size(shape: tuple[int, ...]) -> int:
        hef = str(write_hef(tmp_path / "q.hef", architecture=stack.machine.chip.architecture, input_shape=shape))
        with stack.top.VDevice(stack.params()) as vdevice:
            return int(vdevice.create_infer_model(hef).queue_size)  # configured, its networks would take gigabytes

    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        assert configured.get_async_queue_size() == 8
    assert size((1, 100, 9)) == 8
    stack.machine.queue_limit = 32
    assert (size((1, 100, 9)), size((1000, 1000, 4)), size((4000, 1000, 9))) == (32, 8, 2)


def test_two_threads_in_one_model_are_noticed(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        entered, proceed = threading.Event(), threading.Event()

        class Frame(list[Any]):
            def __getitem__(self, _: Any) -> Any:
                entered.set()
                proceed.wait(10)
                return bindings_of(configured)

        other = threading.Thread(target=lambda: configured.run_async(Frame()))
        other.start()
        entered.wait(10)
        configured.wait_for_async_ready(1000)
        proceed.set()
        other.join(10)
    assert stack.machine.races == ["wait_for_async_ready while another thread was in a call of the same model"]


def test_an_unknown_status_of_a_frame_ends_the_process(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        stack.machine.inject("completion", 999)
        job = configured.run_async([bindings_of(configured)], print)
        with pytest.raises(stack.inner.HailoRTTimeout):
            job.wait(50)
    assert [type(failure) for failure in stack.machine.aborted] == [stack.inner.HailoStatusInvalidValueException]


def test_a_chip_that_overlaps_frames_answers_each_in_its_latency(stack: Stack) -> None:
    def seconds(overlap: int) -> float:
        stack.machine.chip.overlap = overlap
        with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
            started = time.monotonic()
            for job in [configured.run_async([bindings_of(configured)]) for _ in range(8)]:
                job.wait(5000)
            return time.monotonic() - started

    stack.machine.chip.latency_seconds = 0.05
    assert seconds(1) >= 8 * 0.05
    assert seconds(8) >= 0.05
    stack.machine.chip.gate = None
