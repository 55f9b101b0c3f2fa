"""`InferModel`, `ConfiguredInferModel`, bindings and jobs."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np

from tests.fakes.hailo_platform.enums import FormatOrder, FormatType
from tests.fakes.hailo_platform.hef import Array, Edge, Format, Network, QuantInfo, compute_of
from tests.fakes.hailo_platform.hef_file import fits
from tests.fakes.hailo_platform.world import World

_ITEM_SIZES = {FormatType.UINT8: 1, FormatType.UINT16: 2, FormatType.FLOAT32: 4}
_QUEUE_SIZE = 2


class _EdgeState:
    """What all wrappers of one edge share."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.type = FormatType[edge.type]
        self.order = FormatOrder[edge.order]

    @property
    def byte_size(self) -> int:
        return int(np.prod(self.edge.shape)) * _ITEM_SIZES[self.type]


class InferStream:
    """One edge of an `InferModel`; a new wrapper at every call, the state underneath is shared."""

    def __init__(self, state: _EdgeState) -> None:
        self._state = state

    @property
    def name(self) -> str:
        return self._state.edge.name

    @property
    def shape(self) -> list[int]:
        return list(self._state.edge.shape)

    @property
    def format(self) -> Format:
        return Format(self._state.type, self._state.order)

    @property
    def quant_infos(self) -> list[QuantInfo]:
        return [QuantInfo(self._state.edge.zero_point, self._state.edge.scale)]

    @property
    def is_nms(self) -> bool:
        return False

    def set_format_type(self, type: FormatType) -> None:  # noqa: A002  # the real signature
        self._state.type = type

    def set_format_order(self, order: FormatOrder) -> None:
        self._state.order = order


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
        self._inputs = {edge.name: _EdgeState(edge) for edge in self._network.inputs}
        self._outputs = {edge.name: _EdgeState(edge) for edge in self._network.outputs}
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

    def _pick(self, edges: dict[str, _EdgeState], name: str) -> _EdgeState:
        if name == "" and len(edges) != 1:
            self._world.statuses.fail(6)
        if name and name not in edges:
            self._world.statuses.fail(61)
        return edges[name] if name else next(iter(edges.values()))

    def set_batch_size(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def set_power_mode(self, power_mode: Any) -> None:
        self.power_mode = power_mode

    def configure(self) -> "ConfiguredInferModel":
        self._world.step("configure")
        if self._vdevice.is_released:
            self._world.statuses.fail(62)
        if self._is_ambiguous:
            self._world.statuses.fail(2)
        if self.batch_size > _QUEUE_SIZE:
            self._world.statuses.fail(6)
        for chip in self._vdevice.chips:
            if chip.streams_closed:
                self._world.statuses.fail(63)
            if not chip.present:
                self._world.statuses.fail(62)
            if not fits(self.hef._architecture, chip.architecture):
                self._world.statuses.fail(93 if 93 in self._world.statuses.by_code else 26)
        return ConfiguredInferModel(self._world, _Inner(self._world, self))


class BindingsStream:
    """One edge of a frame."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer: Array | None = None

    def set_buffer(self, buffer: Array) -> None:
        if not buffer.flags.c_contiguous:
            raise self._world.statuses.error("Buffer must be C_CONTIGUOUS")
        if not buffer.flags.writeable:
            raise ValueError("array is not writeable")
        self._buffer = buffer

    def get_buffer(self, tf_format: bool = False) -> Array | None:  # noqa: FBT001, FBT002  # the real signature
        del tf_format
        return self._buffer


class Bindings:
    """One frame: no batch dimension."""

    def __init__(self, world: World, model: InferModel, inputs: Any, outputs: Any) -> None:
        self._world = world
        self._inputs = {name: BindingsStream(world) for name in model.input_names}
        self._outputs = {name: BindingsStream(world) for name in model.output_names}
        for name, buffer in (inputs or {}).items():
            self.input(name).set_buffer(buffer)
        for name, buffer in (outputs or {}).items():
            self.output(name).set_buffer(buffer)

    def input(self, name: str = "") -> BindingsStream:
        return self._pick(self._inputs, name)

    def output(self, name: str = "") -> BindingsStream:
        return self._pick(self._outputs, name)

    def _pick(self, streams: dict[str, BindingsStream], name: str) -> BindingsStream:
        if name and name not in streams:
            self._world.statuses.fail(61)
        if not name and len(streams) != 1:
            self._world.statuses.fail(6)
        return streams[name] if name else next(iter(streams.values()))


class CompletionInfo:
    """What a callback is told."""

    def __init__(self, exception: Exception | None) -> None:
        self.exception = exception


class AsyncInferJob:
    """A frame under way."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._done = threading.Event()
        self._called = threading.Event()
        self._status: int | None = None

    def wait(self, timeout_ms: int) -> None:
        """Wait for the frame, then for the callback: up to twice the time given."""
        self._world.step("job.wait")
        for event in (self._done, self._called):
            if not event.wait(timeout_ms / 1000):
                self._world.statuses.fail(4)
        if self._status is not None:
            self._world.statuses.fail(self._status)

    def finish(self, status: int | None) -> None:
        self._status = status
        self._done.set()

    def called_back(self) -> None:
        self._called.set()


class _Frame:
    def __init__(self, job: AsyncInferJob, inputs: list[Array], outputs: dict[str, Array], callback: Any) -> None:
        self.job = job
        self.inputs = inputs
        self.outputs = outputs
        self.callback = callback


class _Inner:
    """The C++ object: queue, worker thread, and whether it has shut itself down."""

    def __init__(self, world: World, model: InferModel) -> None:
        self.world = world
        self.model = model
        self.dead = False
        self.active = False
        self.stopping = False
        self._frames: deque[_Frame] = deque()
        self._changed = threading.Condition()
        self._in_flight = 0
        self._compute = compute_of(model._network)
        self._worker = threading.Thread(target=self._work, name="native-callbacks", daemon=True)
        self._worker.start()

    @property
    def chip(self) -> Any:
        return self.model._vdevice.chips[0]

    def wait_ready(self, timeout_ms: int, frames_count: int) -> None:
        deadline = time.monotonic() + timeout_ms / 1000
        with self._changed:
            while not self.dead and self._in_flight + frames_count > _QUEUE_SIZE:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    self.world.statuses.fail(4)

    def push(self, frame: _Frame) -> None:
        with self._changed:
            self._frames.append(frame)
            self._in_flight += 1
            self._changed.notify_all()

    @property
    def is_full(self) -> bool:
        return self._in_flight >= _QUEUE_SIZE

    def shut_down(self) -> None:
        with self._changed:
            self.dead = True
            self.stopping = True
            self._changed.notify_all()
        if threading.current_thread() is not self._worker:
            self._worker.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._frames and not self.stopping:
                    self._changed.wait()
                if not self._frames:
                    return
                frame = self._frames.popleft()
            status = self._run(frame)
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()
            self._complete(frame, status)

    def _run(self, frame: _Frame) -> int | None:
        if self.chip.latency_seconds:
            time.sleep(self.chip.latency_seconds)
        while self.chip.stuck and not self.stopping:
            time.sleep(0.002)
        if self.stopping and self.chip.stuck:
            return 63
        status = self.world.machine.outcome_of("completion")
        if isinstance(status, int):
            self.dead = True
            return status
        values = frame.inputs[0].astype(np.float32)
        for name, answer in self._compute(values).items():
            if self.chip.noise is not None:
                answer = self.chip.noise(answer)  # noqa: PLW2901  # the disturbed one takes its place
            target = frame.outputs[name]
            target.reshape(-1)[:] = answer.reshape(-1)
        return None

    def _complete(self, frame: _Frame, status: int | None) -> None:
        frame.job.finish(status)
        if frame.callback is not None:
            failure = None if status is None else self.world.statuses.make(status)
            try:
                frame.callback(completion_info=CompletionInfo(failure))
            except BaseException as raised:  # noqa: BLE001  # the real library ends the process here
                self.world.machine.aborted.append(raised)
        frame.job.called_back()


class ConfiguredInferModel:
    """The library's `ConfiguredInferModel`: after `__exit__` there is nothing inside."""

    def __init__(self, world: World, inner: _Inner) -> None:
        self._world = world
        self._configured_infer_model: Any = inner

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        inner, self._configured_infer_model = self._configured_infer_model, None
        if inner is not None:
            inner.shut_down()
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
        assert self._configured_infer_model.model is not None
        return _QUEUE_SIZE

    def create_bindings(self, input_buffers: Any = None, output_buffers: Any = None) -> Bindings:
        return Bindings(self._world, self._configured_infer_model.model, input_buffers, output_buffers)

    def wait_for_async_ready(self, timeout_ms: int = 1000, frames_count: int = 1) -> None:
        self._world.step("wait_for_async_ready")
        self._configured_infer_model.wait_ready(timeout_ms, frames_count)

    def run(self, bindings: list[Bindings], timeout: int) -> None:
        self.run_async(bindings).wait(timeout)

    def run_async(self, bindings: list[Bindings], callback: Callable[..., None] | None = None) -> AsyncInferJob:
        if not isinstance(bindings, list):
            raise TypeError("run_async(): incompatible function arguments.")
        inner = self._configured_infer_model
        outputs = self._output_buffers(inner, bindings[0])
        status = self._why_not(inner, bindings[0], outputs)
        if status is not None:
            # Any failure inside run_async shuts the configured model down.
            inner.shut_down()
            self._world.statuses.fail(status)
        job = AsyncInferJob(self._world)
        names = inner.model.input_names
        inputs = [self._native(inner, name, bindings[0].input(name).get_buffer()) for name in names]
        inner.push(_Frame(job, inputs, outputs, callback))
        return job

    def _output_buffers(self, inner: _Inner, frame: Bindings) -> dict[str, Array]:
        buffers = {name: frame.output(name).get_buffer() for name in inner.model.output_names}
        if any(buffer is None for buffer in buffers.values()):
            self._world.statuses.fail(6)  # raised by the Python side, before anything is shut down
        return {name: buffer for name, buffer in buffers.items() if buffer is not None}

    def _why_not(self, inner: _Inner, frame: Bindings, outputs: dict[str, Array]) -> int | None:
        injected = self._world.machine.outcome_of("run_async")
        if isinstance(injected, BaseException):
            raise injected
        return injected or _state_fault(inner) or _buffer_fault(inner, frame, outputs)

    def _native(self, inner: _Inner, name: str, buffer: Array | None) -> Array:
        state = inner.model._inputs[name]
        assert buffer is not None
        # Only the bytes count: int32 in a float32 edge is silently garbage.
        return np.frombuffer(buffer.tobytes(), _DTYPES[state.type]).reshape(state.edge.shape)


_DTYPES: dict[FormatType, Any] = {
    FormatType.UINT8: np.uint8,
    FormatType.UINT16: np.uint16,
    FormatType.FLOAT32: np.float32,
}


def _state_fault(inner: _Inner) -> int | None:
    vdevice = inner.model._vdevice
    if not inner.chip.present:
        return 62
    if inner.dead or vdevice.is_released or inner.chip.streams_closed:
        return 63
    if not vdevice.scheduler_is_on and not inner.active:
        return 72
    return 82 if inner.is_full else None


def _buffer_fault(inner: _Inner, frame: Bindings, outputs: dict[str, Array]) -> int | None:
    for name, state in inner.model._inputs.items():
        buffer = frame.input(name).get_buffer()
        if buffer is None:
            return 61
        if buffer.nbytes != state.byte_size:
            return 6
    wrong = any(outputs[name].nbytes != state.byte_size for name, state in inner.model._outputs.items())
    return 6 if wrong else None
