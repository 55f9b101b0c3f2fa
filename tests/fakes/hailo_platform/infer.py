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

from tests.fakes.hailo_platform.enums import FormatOrder, FormatType
from tests.fakes.hailo_platform.hef import Array, Edge, Format, Network, QuantInfo, compute_of
from tests.fakes.hailo_platform.hef_file import fits
from tests.fakes.hailo_platform.machine import Chip, Gate
from tests.fakes.hailo_platform.statuses import as_numbers
from tests.fakes.hailo_platform.world import World

_ITEM_SIZES = {FormatType.UINT8: 1, FormatType.UINT16: 2, FormatType.FLOAT32: 4}
_QUEUE_BYTES = 32 * 1024 * 1024
_MIN_QUEUED = 2
_TIMEOUT, _STREAM_ABORT, _COMMUNICATION_CLOSED = 4, 63, 62
# How long a shutdown waits for what is in flight (WAIT_FOR_ASYNC_IN_DTOR_TIMEOUT).
_SHUTDOWN_SECONDS = 10.0
_LOOK_SECONDS = 0.002


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
    """What a callback receives."""

    def __init__(self, exception: Exception | None) -> None:
        self.exception = exception


class AsyncInferJob:
    """A frame under way; what became of it is not to be had here."""

    def __init__(self, world: World, gate: Gate | None) -> None:
        self._world = world
        self._gate = gate
        self._done = threading.Event()
        self._called = threading.Event()

    def wait(self, timeout_ms: int) -> None:
        """Wait for the frame, then for the callback: up to twice the time given; says nothing of the frame's status."""
        self._world.machine.waited_ms.append(timeout_ms)
        self._world.step("job.wait")
        for event in (self._done, self._called):
            if not self._within(event, timeout_ms):
                self._world.statuses.fail(_TIMEOUT)

    def _within(self, event: threading.Event, timeout_ms: int) -> bool:
        if self._gate is None:
            return event.wait(timeout_ms / 1000)
        while not event.wait(_LOOK_SECONDS):
            if self._gate.has_expired(self):
                return False
        return True

    def finish(self) -> None:
        self._done.set()

    def called_back(self) -> None:
        self._called.set()


class _Frame:
    def __init__(
        self, job: AsyncInferJob, inputs: dict[str, Array], outputs: dict[str, Array], callback: Callable[[int], None]
    ) -> None:
        self.job = job
        self.inputs = inputs
        self.outputs = outputs
        self.callback = callback
        self.due = 0.0


class _Inner:
    """The C++ object: its pipeline, the frames in flight, and the one thread that runs the callbacks."""

    def __init__(self, world: World, model: InferModel) -> None:
        self.world = world
        self.model = model
        self.active = False
        self.pipeline_status: int | None = None
        self._is_ending = False
        self._frames: deque[_Frame] = deque()
        self._changed = threading.Condition()
        self._in_flight = 0
        self._due: deque[float] = deque(maxlen=self.chip.overlap)
        self._compute = compute_of(model._network)
        self._worker = threading.Thread(target=self._work, name="native-callbacks", daemon=True)
        self._worker.start()

    @property
    def chip(self) -> Chip:
        chip: Chip = self.model._vdevice.chips[0]
        return chip

    @property
    def is_full(self) -> bool:
        return self._in_flight >= self.model.queue_size

    def wait_ready(self, timeout_ms: int, frames_count: int) -> None:
        """Looks at the queue alone: a pipeline that has ended is reported by `run_async` (read in 4.23)."""
        limit = self.model.queue_size
        deadline = time.monotonic() + timeout_ms / 1000
        with self._changed:
            while self.pipeline_status is None and self._in_flight + frames_count > limit:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    self.world.statuses.fail(_TIMEOUT)

    def push(self, frame: _Frame) -> None:
        now = time.monotonic()
        with self._changed:
            # A chip that works on so many at once begins this one when the frame so many before it is done.
            begins = self._due[0] if len(self._due) == self._due.maxlen else now
            frame.due = max(now, begins) + self.chip.latency_seconds
            self._due.append(frame.due)
            self._frames.append(frame)
            self.world.machine.taken += 1
            self._in_flight += 1
            self._changed.notify_all()
        if self.chip.gate is not None:
            self.chip.gate.took(frame.job)

    def shut_down(self) -> None:
        """End the pipeline: what is in flight ends with 63."""
        with self._changed:
            self.pipeline_status = _STREAM_ABORT
            self._changed.notify_all()
            if threading.current_thread() is not self._worker:
                self._changed.wait_for(lambda: self._in_flight == 0, _SHUTDOWN_SECONDS)

    def end(self) -> None:
        """What the destructor does: shut down, run the callbacks that are left, join their thread."""
        self.shut_down()
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        self._worker.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._frames and not self._is_ending:
                    self._changed.wait()
                if not self._frames:
                    return
                frame = self._frames[0]
                status = self._ended(frame)
                self._frames.popleft()
            self._write(frame, status)
            with self._changed:
                if status is not None and self.pipeline_status is None:
                    self.pipeline_status = status
                self._in_flight -= 1
                self._changed.notify_all()
            self._complete(frame, status)

    def _ended(self, frame: _Frame) -> int | None:
        """Wait until the frame has ended, and say how; called with the lock."""
        while True:
            if self.pipeline_status is not None:
                return self.pipeline_status
            if self.chip.gate is not None:
                verdict = self.chip.gate.verdict()
                if verdict is not None:
                    return verdict[0]
                self._changed.wait(_LOOK_SECONDS)
                continue
            if self.chip.streams_closed:
                return _STREAM_ABORT
            if not self.chip.present:
                return _COMMUNICATION_CLOSED
            remaining = frame.due - time.monotonic()
            if remaining <= 0 and not self.chip.stuck:
                status = self.world.machine.outcome_of("completion")
                return status if isinstance(status, int) else None
            self._changed.wait(min(remaining, 0.05) if remaining > 0 else _LOOK_SECONDS)

    def _write(self, frame: _Frame, status: int | None) -> None:
        """The library's own buffers, zeros where the chip wrote nothing, are copied over ours in any case."""
        if status is not None:
            for target in frame.outputs.values():
                target.reshape(-1)[:] = 0
            return
        values = self._native(frame)
        for name, answer in self._compute(values).items():
            if self.chip.noise is not None:
                answer = self.chip.noise(answer)  # noqa: PLW2901  # the disturbed one takes its place
            frame.outputs[name].reshape(-1)[:] = answer.reshape(-1)

    def _native(self, frame: _Frame) -> Array:
        """Only the bytes count, and as they lie there now: int32 in a float32 edge is silently garbage."""
        name = self.model.input_names[0]
        state = self.model._inputs[name]
        raw = np.frombuffer(frame.inputs[name].tobytes(), _DTYPES[state.type])
        return raw.reshape(state.edge.shape).astype(np.float32)

    def _complete(self, frame: _Frame, status: int | None) -> None:
        self.world.machine.ended[status or 0] += 1
        frame.job.finish()
        try:
            frame.callback(status or 0)
        except BaseException as raised:  # noqa: BLE001  # the real library ends the process here
            self.world.machine.aborted.append(raised)
            return
        frame.job.called_back()


class ConfiguredInferModel:
    """The library's `ConfiguredInferModel`: after `__exit__` there is nothing inside."""

    def __init__(self, world: World, inner: _Inner) -> None:
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
        return Bindings(self._world, self._configured_infer_model.model, input_buffers, output_buffers)

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
            inner.push(_Frame(job, inputs, outputs, self._wrapped(callback, guard)))
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


_DTYPES: dict[FormatType, Any] = {
    FormatType.UINT8: np.uint8,
    FormatType.UINT16: np.uint16,
    FormatType.FLOAT32: np.float32,
}


def _state_fault(inner: _Inner) -> int | None:
    vdevice = inner.model._vdevice
    if not inner.chip.present:
        return 62
    if inner.pipeline_status is not None:
        return inner.pipeline_status
    if vdevice.is_released or inner.chip.streams_closed:
        return _STREAM_ABORT
    if not vdevice.scheduler_is_on and not inner.active:
        return 72
    return 82 if inner.is_full else None


def _buffer_fault(inner: _Inner, frame: Bindings, outputs: dict[str, Array]) -> int | None:
    for name, state in inner.model._inputs.items():
        buffer = frame.input(name).get_buffer()
        if buffer is None:
            return 61
        if _bytes_read(inner, buffer) != state.byte_size:
            return 6
    wrong = any(_bytes_read(inner, outputs[name]) != state.byte_size for name, state in inner.model._outputs.items())
    return 6 if wrong else None


def _bytes_read(inner: _Inner, buffer: Array) -> int:
    """HailoRT until 5.1.0 is built with pybind11 2.10, which reads a numpy 2 array as 0 bytes: 6 at each frame."""
    machine = inner.world.machine
    reads_nothing = not machine.knows_numpy_2 and as_numbers(machine.version) < (5, 1, 1) and np.__version__ >= "2"
    return 0 if reads_nothing else buffer.nbytes
