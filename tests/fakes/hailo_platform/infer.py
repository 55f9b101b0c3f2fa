"""`InferModel`, `ConfiguredInferModel`, bindings and jobs, no kinder than HailoRT 4.23 and 5.2.

What was seen with the real Python module, or read in the source of both:
waiting succeeds also for a frame that failed, whose outputs then hold zeros, copied over whatever stood there;
the status reaches the callback alone, as an instance without a cause; one failed frame ends the pipeline, so that
every frame in flight behind it, and every later `run_async`, ends with the same status; a shutdown ends what is in
flight with 63; inputs are read and outputs written when the frame ends, whoever holds the arrays by then.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self

import numpy as np

from tests.fakes.hailo_platform.bindings import AsyncInferJob, Bindings, CompletionInfo
from tests.fakes.hailo_platform.edges import EdgeState, InferStream
from tests.fakes.hailo_platform.hef import Array, Network
from tests.fakes.hailo_platform.hef_file import fits
from tests.fakes.hailo_platform.pipeline import STREAM_ABORT, Frame, Pipeline
from tests.fakes.hailo_platform.statuses import as_numbers
from tests.fakes.hailo_platform.world import World

_QUEUE_BYTES = 32 * 1024 * 1024
_MIN_QUEUED = 2


class InferModel:
    """The library's `InferModel`."""

    def __init__(self, world: World, vdevice: Any, hef: Any, name: str) -> None:
        self._world = world
        self._vdevice = vdevice
        self.hef = hef
        self._name = name
        groups = [network for network in hef._networks if name in ("", network.name)]
        self._network: Network = groups[0] if groups else hef._networks[0]
        self._is_ambiguous = len(groups) != 1
        self._inputs = {edge.name: EdgeState(edge) for edge in self._network.inputs}
        self._outputs = {edge.name: EdgeState(edge) for edge in self._network.outputs}
        self.batch_size = 0
        self.power_mode: Any = None

    @property
    def input_names(self) -> list[str]:
        return list(self._inputs)

    @property
    def output_names(self) -> list[str]:
        return list(self._outputs)

    @property
    def inputs(self) -> list[InferStream]:
        return [InferStream(state) for state in self._inputs.values()]

    @property
    def outputs(self) -> list[InferStream]:
        return [InferStream(state) for state in self._outputs.values()]

    def input(self, name: str = "") -> InferStream:
        return InferStream(self._pick(self._inputs, name))

    def output(self, name: str = "") -> InferStream:
        return InferStream(self._pick(self._outputs, name))

    def _pick(self, edges: dict[str, EdgeState], name: str) -> EdgeState:
        if name == "" and len(edges) != 1:
            self._world.statuses.fail(6)
        if name and name not in edges:
            self._world.statuses.fail(61)
        return edges[name] if name else next(iter(edges.values()))

    def set_batch_size(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def set_power_mode(self, power_mode: Any) -> None:
        self.power_mode = power_mode

    @property
    def queue_size(self) -> int:
        """Frames in flight at most: 32 MB of them, at least 2, at most what the build says (read in 4.23)."""
        bytes_of_frame = max(edge.byte_size for edge in (*self._inputs.values(), *self._outputs.values()))
        limit = self._world.machine.queue_limit
        return min(max(_QUEUE_BYTES // bytes_of_frame, _MIN_QUEUED), limit)

    def configure(self) -> "ConfiguredInferModel":
        self._world.step("configure")
        if self._vdevice.is_released:
            self._world.statuses.fail(62)
        if self._is_ambiguous:
            self._world.statuses.fail(2)
        if self.batch_size > self.queue_size:
            self._world.statuses.fail(6)
        for chip in self._vdevice.chips:
            if chip.streams_closed:
                self._world.statuses.fail(63)
            if not chip.present:
                self._world.statuses.fail(62)
            if not fits(self.hef._architecture, chip.architecture):
                self._world.statuses.fail(93 if 93 in self._world.statuses.by_code else 26)
        return ConfiguredInferModel(self._world, Pipeline(self._world, self))


class ConfiguredInferModel:
    """The library's `ConfiguredInferModel`: after `__exit__` there is nothing inside."""

    def __init__(self, world: World, inner: Pipeline) -> None:
        self._world = world
        self._configured_infer_model: Any = inner
        self._buffer_guards: deque[list[Any]] = deque()
        self._caller = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        inner, self._configured_infer_model = self._configured_infer_model, None
        if inner is not None:
            inner.end()
        return False

    def shutdown(self) -> None:
        self._configured_infer_model.shut_down()

    def activate(self) -> None:
        if self._configured_infer_model.model._vdevice.scheduler_is_on:
            self._world.statuses.fail(6)
        self._configured_infer_model.active = True

    def deactivate(self) -> None:
        if self._configured_infer_model.model._vdevice.scheduler_is_on:
            self._world.statuses.fail(6)
        self._configured_infer_model.active = False

    def set_scheduler_timeout(self, timeout_ms: int) -> None:
        self._need_scheduler(timeout_ms)

    def set_scheduler_threshold(self, threshold: int) -> None:
        self._need_scheduler(threshold)

    def set_scheduler_priority(self, priority: int) -> None:
        self._need_scheduler(priority)

    def _need_scheduler(self, _: int) -> None:
        if not self._configured_infer_model.model._vdevice.scheduler_is_on:
            self._world.statuses.fail(6)

    def get_async_queue_size(self) -> int:
        size: int = self._configured_infer_model.model.queue_size
        return size

    def create_bindings(self, input_buffers: Any = None, output_buffers: Any = None) -> Bindings:
        model = self._configured_infer_model.model
        return Bindings(self._world, (model.input_names, model.output_names), input_buffers, output_buffers)

    @contextmanager
    def _alone(self, call: str) -> Iterator[None]:
        """Note a second thread in here: the real one keeps buffers in the order of the calls, without a lock."""
        is_alone = self._caller.acquire(blocking=False)
        if not is_alone:
            self._world.machine.races.append(f"{call} while another thread was in a call of the same model")
        try:
            yield
        finally:
            if is_alone:
                self._caller.release()

    def wait_for_async_ready(self, timeout_ms: int = 1000, frames_count: int = 1) -> None:
        inner = self._configured_infer_model
        with self._alone("wait_for_async_ready"):
            self._world.step("wait_for_async_ready")
            inner.wait_ready(timeout_ms, frames_count)

    def run(self, bindings: list[Bindings], timeout: int) -> None:
        self.run_async(bindings).wait(timeout)

    def run_async(self, bindings: list[Bindings], callback: Callable[..., None] | None = None) -> AsyncInferJob:
        if not isinstance(bindings, list):
            raise TypeError("run_async(): incompatible function arguments.")
        inner = self._configured_infer_model
        with self._alone("run_async"):
            frame = bindings[0]
            guard = [frame.input(name).get_buffer() for name in inner.model.input_names]
            self._buffer_guards.append(guard)
            time.sleep(0)  # the interpreter's lock is let go in here
            outputs = self._output_buffers(inner, frame)
            status = self._why_not(inner, frame, outputs)
            if status is not None:
                # Any failure inside run_async shuts the configured model down.
                inner.shut_down()
                self._world.statuses.fail(status)
            inputs = dict(zip(inner.model.input_names, guard, strict=True))
            job = AsyncInferJob(self._world, inner.chip.gate)
            inner.push(Frame(job, inputs, outputs, self._wrapped(callback, guard)))
            return job

    def _wrapped(self, callback: Callable[..., None] | None, guard: list[Any]) -> Callable[[int], None]:
        """As the Python module wraps a callback: the exception first, then the caller's, then the guard goes."""

        def called(code: int) -> None:
            failure = self._world.statuses.make(code) if code else None
            if isinstance(failure, self._world.statuses.unknown):
                raise failure  # the module asks for the name of the status in here
            if callback is not None:
                callback(completion_info=CompletionInfo(failure))
            if self._buffer_guards.popleft() is not guard:
                self._world.machine.races.append("the buffers of another frame were let go")

        return called

    def _output_buffers(self, inner: Pipeline, frame: Bindings) -> dict[str, Array]:
        buffers = {name: frame.output(name).get_buffer() for name in inner.model.output_names}
        if any(buffer is None for buffer in buffers.values()):
            self._world.statuses.fail(6)  # raised by the Python side, before anything is shut down
        return {name: buffer for name, buffer in buffers.items() if buffer is not None}

    def _why_not(self, inner: Pipeline, frame: Bindings, outputs: dict[str, Array]) -> int | None:
        injected = self._world.machine.outcome_of("run_async")
        if isinstance(injected, BaseException):
            raise injected
        return injected or _state_fault(inner) or _buffer_fault(inner, frame, outputs)


def _state_fault(inner: Pipeline) -> int | None:
    vdevice = inner.model._vdevice
    if not inner.chip.present:
        return 62
    if inner.pipeline_status is not None:
        return inner.pipeline_status
    if vdevice.is_released or inner.chip.streams_closed:
        return STREAM_ABORT
    if not vdevice.scheduler_is_on and not inner.active:
        return 72
    return 82 if inner.is_full else None


def _buffer_fault(inner: Pipeline, frame: Bindings, outputs: dict[str, Array]) -> int | None:
    for name, state in inner.model._inputs.items():
        buffer = frame.input(name).get_buffer()
        if buffer is None:
            return 61
        if _bytes_read(inner, buffer) != state.byte_size:
            return 6
    wrong = any(_bytes_read(inner, outputs[name]) != state.byte_size for name, state in inner.model._outputs.items())
    return 6 if wrong else None


def _bytes_read(inner: Pipeline, buffer: Array) -> int:
    """HailoRT until 5.1.0 is built with pybind11 2.10, which reads a numpy 2 array as 0 bytes: 6 at each frame."""
    machine = inner.world.machine
    reads_nothing = not machine.knows_numpy_2 and as_numbers(machine.version) < (5, 1, 1) and np.__version__ >= "2"
    return 0 if reads_nothing else buffer.nbytes
