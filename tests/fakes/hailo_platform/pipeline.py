"""The C++ object behind a configured model: what is in flight, in which order it ends, and how."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fakes.hailo_platform.bindings import LOOK_SECONDS, TIMEOUT, AsyncInferJob
from tests.fakes.hailo_platform.enums import FormatType
from tests.fakes.hailo_platform.hef import Array, compute_of
from tests.fakes.hailo_platform.machine import Chip
from tests.fakes.hailo_platform.world import World

STREAM_ABORT, _COMMUNICATION_CLOSED = 63, 62
# How long a shutdown waits for what is in flight (WAIT_FOR_ASYNC_IN_DTOR_TIMEOUT).
_SHUTDOWN_SECONDS = 10.0
_DTYPES: dict[FormatType, Any] = {
    FormatType.UINT8: np.uint8,
    FormatType.UINT16: np.uint16,
    FormatType.FLOAT32: np.float32,
}


class Frame:
    def __init__(
        self, job: AsyncInferJob, inputs: dict[str, Array], outputs: dict[str, Array], callback: Callable[[int], None]
    ) -> None:
        self.job = job
        self.inputs = inputs
        self.outputs = outputs
        self.callback = callback
        self.due = 0.0


class Pipeline:
    """The C++ object: its pipeline, the frames in flight, and the one thread that runs the callbacks."""

    def __init__(self, world: World, model: Any) -> None:
        self.world = world
        self.model = model
        self.active = False
        self.pipeline_status: int | None = None
        self._is_ending = False
        self._frames: deque[Frame] = deque()
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
        limit: int = self.model.queue_size
        return self._in_flight >= limit

    def wait_ready(self, timeout_ms: int, frames_count: int) -> None:
        """Looks at the queue alone: a pipeline that has ended is reported by `run_async` (read in 4.23)."""
        limit = self.model.queue_size
        deadline = time.monotonic() + timeout_ms / 1000
        with self._changed:
            while self.pipeline_status is None and self._in_flight + frames_count > limit:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    self.world.statuses.fail(TIMEOUT)

    def push(self, frame: Frame) -> None:
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
            self.pipeline_status = STREAM_ABORT
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

    def _ended(self, frame: Frame) -> int | None:
        """Wait until the frame has ended, and say how; called with the lock."""
        while True:
            if self.pipeline_status is not None:
                return self.pipeline_status
            if self.chip.gate is not None:
                verdict = self.chip.gate.verdict()
                if verdict is not None:
                    return verdict[0]
                self._changed.wait(LOOK_SECONDS)
                continue
            if self.chip.streams_closed:
                return STREAM_ABORT
            if not self.chip.present:
                return _COMMUNICATION_CLOSED
            remaining = frame.due - time.monotonic()
            if remaining <= 0 and not self.chip.stuck:
                status = self.world.machine.outcome_of("completion")
                return status if isinstance(status, int) else None
            self._changed.wait(min(remaining, 0.05) if remaining > 0 else LOOK_SECONDS)

    def _write(self, frame: Frame, status: int | None) -> None:
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

    def _native(self, frame: Frame) -> Array:
        """Only the bytes count, and as they lie there now: int32 in a float32 edge is silently garbage."""
        name = self.model.input_names[0]
        state = self.model._inputs[name]
        raw = np.frombuffer(frame.inputs[name].tobytes(), _DTYPES[state.type])
        return raw.reshape(state.edge.shape).astype(np.float32)

    def _complete(self, frame: Frame, status: int | None) -> None:
        self.world.machine.ended[status or 0] += 1
        frame.job.finish()
        try:
            frame.callback(status or 0)
        except BaseException as raised:  # noqa: BLE001  # the real library ends the process here
            self.world.machine.aborted.append(raised)
            return
        frame.job.called_back()
