"""One configured network and its frames in flight, from the first frame to the first failure."""

import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import BackendError
from edgeinfer.hailort.edge import Edge
from edgeinfer.hailort.failures import code_of

Array = NDArray[np.float32]
STREAM_ABORT = 63
"""What ends the frames in flight when their network is shut down, or when a chip that is too hot closes its streams."""


class Frame:
    """One window in flight on the chip, with its own buffers.

    The outputs begin as NaN: values that were never written must not look like an answer.

    Args:
        window: of the input's shape; not to be changed before the frame has ended.
        edges: the outputs.
    """

    def __init__(self, window: Array, edges: tuple[Edge, ...]) -> None:
        self.window = window
        self.outputs = [np.full(edge.shape, np.nan, np.float32) for edge in edges]
        self.bindings: Any = None
        self._edges = edges
        self._has_ended = False
        self._failure: Exception | None = None

    def ended(self, *, completion_info: Any) -> None:
        """HailoRT's callback, on its own thread; raising here would end the process."""
        self._failure = completion_info.exception
        self._has_ended = True

    def check(self) -> None:
        """Raise the failure of the frame; return only if it is an answer.

        A successful wait proves nothing: HailoRT passes the status of a frame to the callback alone, and copies
        zeros into the outputs of one that failed.

        Raises:
            Exception: HailoRT's own, as the callback got it.
            BackendError: the end of the frame was never reported, or an output was left unwritten.
        """
        if self._failure is not None:
            raise self._failure
        if not self._has_ended:
            raise _no_answer("was waited for, and never said to have ended")
        for edge, output in zip(self._edges, self.outputs, strict=True):
            _check_written(edge, output)


def _check_written(edge: Edge, output: Array) -> None:
    """A second check that trusts no status: an unwritten output is all NaN, or one value repeated."""
    lowest, highest = output.min(), output.max()
    # NaN is neither; no latent and no scores of a network that works are one number.
    if not (lowest < highest or (edge.size == 1 and lowest == highest)):
        raise _no_answer(f"left {edge.name} with {lowest:g} in all of its {edge.size} places")


def _no_answer(fault: str) -> BackendError:
    remedy = "Look at the log of HailoRT (HAILORT_LOGGER_PATH) and at 'dmesg'."
    return BackendError("a frame on the chip", fault, remedy, error_class="execution_failed")


class SessionOver(Exception):
    """The session had failed before this frame was submitted: it may run on the next session."""


class Session:
    """One configured network; several threads run frames on it at once.

    HailoRT ends the whole pipeline at the first frame that fails: what is in flight behind it fails with it, and
    nothing runs any more until the network is configured again, as another session.

    Args:
        configured: HailoRT's `ConfiguredInferModel`.
        inputs: of the network; the first is used.
        outputs: of the network.
        timeout_ms: for the queue to take a frame, and again for the frame to complete.
        explain: converts an exception of HailoRT to a BackendError; called once for all frames that one failure costs.
    """

    def __init__(
        self,
        configured: Any,
        inputs: tuple[Edge, ...],
        outputs: tuple[Edge, ...],
        *,
        timeout_ms: int,
        explain: Callable[[Exception], BackendError],
    ) -> None:
        self._configured = configured
        self._inputs = inputs
        self._outputs = outputs
        self._timeout_seconds = timeout_ms / 1000
        self._explain = explain
        # HailoRT keeps the buffers of the frames in the order of these calls, without a lock of its own. A failure
        # is classified under it as well: one inside `run_async` ends what is in flight, before it is raised itself.
        self._submitting = threading.Lock()
        self._in_flight: set[Frame] = set()
        self._failure_code: int | None = None
        self.queue_size = int(configured.get_async_queue_size())
        self.failure: BackendError | None = None

    def run(self, window: Array) -> list[Array]:
        """Run one frame; waits outside of the lock, so that other frames are taken in the meantime.

        Raises:
            BackendError: the frame failed, did not complete in time or left no answer; repeated where another
                frame's failure took it along.
            SessionOver: the frame was never submitted.
        """
        frame = Frame(window, self._outputs)
        # Kept until it is known to have ended: HailoRT keeps reading and writing after a timeout.
        self._in_flight.add(frame)
        job = self._submit(frame)
        try:
            job.wait(_milliseconds(self._timeout_seconds))
            self._in_flight.discard(frame)
            frame.check()
        except Exception as failure:  # 4.x leaks exceptions that derive from nothing narrower
            with self._submitting:
                raise self._judged(failure) from failure
        return frame.outputs

    def close(self) -> None:
        """Shut the network down: what is in flight ends, and nothing is written into its buffers afterwards."""
        configured, self._configured = self._configured, None
        try:
            # Drops the C++ object, whose destructor lets the interpreter go and joins the thread of the callbacks.
            configured.__exit__(None, None, None)
        finally:
            self._in_flight.clear()

    def _submit(self, frame: Frame) -> Any:
        # One deadline for the lock and the queue: a full queue is waited for under the lock, by the first caller alone.
        deadline = perf_counter() + self._timeout_seconds
        if not self._submitting.acquire(timeout=self._timeout_seconds):
            self._in_flight.discard(frame)
            raise self._not_taken()
        try:
            if self.failure is not None:
                raise SessionOver  # noqa: TRY301  # under the lock, where nothing else can fail in between
            return self._submitted(frame, deadline)
        except SessionOver:
            self._in_flight.discard(frame)
            raise
        except Exception as failure:  # as above
            self._in_flight.discard(frame)
            raise self._judged(failure) from failure
        finally:
            self._submitting.release()

    def _submitted(self, frame: Frame, deadline: float) -> Any:
        frame.bindings = self._configured.create_bindings(
            input_buffers={self._inputs[0].name: frame.window},
            output_buffers={edge.name: output for edge, output in zip(self._outputs, frame.outputs, strict=True)},
        )
        self._configured.wait_for_async_ready(timeout_ms=_milliseconds(deadline - perf_counter()))
        return self._configured.run_async([frame.bindings], frame.ended)

    def _judged(self, failure: Exception) -> BackendError:
        """What a failure is, and whether it is the first of the session or one that the first took along."""
        # The frames behind a failed one end with its status or with "stream aborted": one failure, counted once.
        first, code = self.failure, code_of(failure)
        if first is not None and code is not None and code in (self._failure_code, STREAM_ABORT):
            return again(first)
        error = failure if isinstance(failure, BackendError) else self._explain(failure)
        if first is None:
            self.failure, self._failure_code = error, code
        return error

    def _not_taken(self) -> BackendError:
        fault = f"was not taken within {self._timeout_seconds * 1000:g} ms: others wait to be taken before it"
        remedy = "Look at 'dmesg' for the driver; a device that stays stuck needs a power cycle."
        return BackendError("a frame for the chip", fault, remedy, error_class="timeout")


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def again(failure: BackendError) -> BackendError:
    """The same failure for another window that it cost, which is not to be counted a second time."""
    return BackendError(failure.thing, failure.fault, failure.remedy, error_class=failure.error_class, is_repeated=True)
