"""The transport-free core: a bounded queue, a pool of threads, and an event loop that helps."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import perf_counter

from edgeinfer.backends.base import Inference, Window
from edgeinfer.errors import EdgeInferError, Overloaded
from edgeinfer.sidecar.instruments import SidecarInstruments

# Weight of the newest window in the mean service time that Retry-After is computed from.
_NEWEST = 0.05


@dataclass(slots=True)
class Computed:
    """An answer, and when a worker took its window up and was done, in seconds of `perf_counter`."""

    inference: Inference
    started: float
    ended: float


class ClientDisconnected(Exception):
    """The caller hung up before its window was computed."""


def never() -> bool:
    """The caller is known to wait."""
    return False


Deliver = Callable[[Computed | Exception], None]
"""Takes what became of a window, on the event loop."""


@dataclass(slots=True)
class _Job:
    window: Window
    is_abandoned: Callable[[], bool]
    deliver: Deliver
    started: float = 0.0
    ended: float = 0.0
    outcome: Inference | Exception | None = None


class InferencePool:
    """Runs windows on worker threads, and brief ones on the event loop's own, and hands the answers back to the loop.

    Handing a window to a thread and back costs more than a small network itself: the loop and the thread wake
    each other and wait for the interpreter's lock. So the loop computes a brief window itself, between two looks at
    its connections, while the threads take what arrived meanwhile (docs/concepts/performance.md).

    `submit` and everything about the queue happen on the loop's thread; workers only compute. The states of a window::

        submit -- check_room refuses --> Overloaded, NotReady (raised; the window never enters)
          |
          +-- runs_inline, loop free, nothing queued --> INLINE --- _run_inline on the loop --+
          |                                                                                   |
          +-- otherwise --> QUEUED --- a worker thread, or the loop between two requests -----+
                                                                                              |
                              is_abandoned --> ClientDisconnected <-- _run ------------------ +
                                                       |                |
                                                       |                +--> Computed, or the backend's error
                                                       v                v
                                     DONE (in `_done`) --- _deliver on the loop, once ---> `deliver`

    `_pending` counts windows from `submit` to `_deliver`. `close` waits for INLINE and QUEUED to become empty.

    Args:
        compute: answers one window; called from as many threads at once as `workers` says.
        instruments: queue depth, windows in flight, batch sizes.
        workers: how many windows may be computed at once, now; it grows when a device is opened.
        capacity: windows that may wait.
        check_ready: raises NotReady while no window can be answered.
        runs_inline: whether the loop may stand still for a window.
    """

    def __init__(  # noqa: PLR0913 - the seams, by name
        self,
        compute: Callable[[Window], Inference],
        instruments: SidecarInstruments,
        *,
        workers: Callable[[], int],
        capacity: int,
        check_ready: Callable[[], None] = lambda: None,
        runs_inline: Callable[[], bool] = lambda: False,
    ) -> None:
        self._compute = compute
        self._instruments = instruments
        self._workers = workers
        self._capacity = capacity
        self._check_ready = check_ready
        self._runs_inline = runs_inline
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._inline_job: _Job | None = None
        self._is_running_inline = False
        self._done: deque[_Job] = deque()
        self._is_waking = False
        self._pending = 0
        self._mean_seconds = 0.001
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Take windows from now on; needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._instruments.workers.set_function(self._workers)
        self._instruments.queue_capacity.set(self._capacity)
        self._instruments.queue_depth.set_function(lambda: max(0, self._pending - self._workers()))
        self._instruments.in_flight.set_function(lambda: min(self._pending, self._workers()))

    def submit(self, window: Window, is_abandoned: Callable[[], bool], deliver: Deliver) -> None:
        """Have one window answered; `deliver` gets the answer, ClientDisconnected or a BackendError.

        Args:
            window: to compute.
            is_abandoned: whether the caller has hung up; asked on a worker, right before it would compute.
            deliver: called once, on the loop, after this method has returned.

        Raises:
            NotReady: the model is not loaded or lost.
            Overloaded: the queue is full.
        """
        workers = self.check_room(1)
        self._pending += 1
        job = _Job(window, is_abandoned, deliver)
        runs_inline = self._runs_inline()
        if runs_inline:
            self._run_inline_soon()
        # The loop keeps the first for itself, unless others wait: then it takes the oldest of them.
        if runs_inline and self._inline_job is None and self._jobs.empty():
            self._inline_job = job
        else:
            self._ensure_threads(min(workers, self._pending) - runs_inline)
            self._jobs.put(job)

    def check_room(self, windows: int) -> int:
        """How many workers there are now, for windows that all find room.

        Raises:
            NotReady: the model is not loaded or lost.
            Overloaded: the queue has not that much room.
        """
        self._check_ready()
        workers = self._workers()
        if self._pending + windows > workers + self._capacity:
            raise self._full(workers, windows)
        return workers

    async def infer(self, window: Window, is_abandoned: Callable[[], bool] = never) -> Computed:
        """The same, awaited; raises what became of the window."""
        answer: asyncio.Future[Computed] = asyncio.get_running_loop().create_future()

        def deliver(outcome: Computed | Exception) -> None:
            if answer.cancelled():
                return
            if isinstance(outcome, Computed):
                answer.set_result(outcome)
            else:
                answer.set_exception(outcome)

        self.submit(window, lambda: answer.cancelled() or is_abandoned(), deliver)
        return await answer

    async def close(self) -> None:
        """Let what waits be finished, then end."""
        while self._is_running_inline:  # noqa: ASYNC110 - each turn of the loop computes one
            await asyncio.sleep(0)
        for _ in self._threads:
            self._jobs.put(None)
        await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in self._threads))
        self._threads.clear()
        # What the workers handed back last is delivered by a callback that is already scheduled.
        await asyncio.sleep(0)

    def _ensure_threads(self, threads: int) -> None:
        """Have at least so many threads; one if the loop alone computes, for what comes while it does."""
        for number in range(len(self._threads), max(1, threads)):
            thread = threading.Thread(target=self._work, name=f"infer-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run_inline_soon(self) -> None:
        """Compute on the loop after it has read what else has come."""
        if not self._is_running_inline:
            self._is_running_inline = True
            self._running_loop().call_soon(self._run_inline)

    def _run_inline(self) -> None:
        job = self._inline_job or self._waiting()
        self._inline_job = None
        if job is not None:
            self._run(job)
            self._done.append(job)
        self._deliver()
        if self._has_inline_job() or (self._runs_inline() and not self._jobs.empty()):
            self._running_loop().call_soon(self._run_inline)
            return
        # A worker that sees no helper wakes the loop; one that still saw it has put its job there by now.
        self._is_running_inline = False
        self._deliver()

    def _has_inline_job(self) -> bool:
        return self._inline_job is not None

    def _waiting(self) -> _Job | None:
        try:
            return self._jobs.get_nowait()
        except Empty:
            return None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None  # noqa: S101 - start() comes first
        return self._loop

    def _full(self, workers: int, windows: int) -> Overloaded:
        seconds = math.ceil(self._pending * self._mean_seconds / workers)
        waiting = max(0, self._pending - workers)
        fault = f"{waiting} windows wait already"
        if windows > 1:
            fault += f", and {windows} more are beyond its {self._capacity} places"
        return Overloaded("the queue", fault, "Try again after Retry-After.", retry_after_seconds=max(1, seconds))

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        """Take a job up; a function of its own, so that a thread that waits holds no job that is done."""
        job = self._jobs.get()
        if job is None:
            return False
        self._run(job)
        self._hand_back(job)
        return True

    def _run(self, job: _Job) -> None:
        # Nobody waits for the answer of a caller that hung up.
        if job.is_abandoned():
            job.outcome = ClientDisconnected()
            return
        job.started = perf_counter()
        try:
            job.outcome = self._compute(job.window)
        except EdgeInferError as failure:
            job.outcome = failure
        except Exception as failure:  # noqa: BLE001 - handed to the caller, who logs it
            job.outcome = failure
        job.ended = perf_counter()

    def _hand_back(self, job: _Job) -> None:
        self._done.append(job)
        # One wake-up of the loop delivers all that is done by then; a loop that helps looks by itself.
        if not self._is_running_inline and not self._is_waking:
            self._is_waking = True
            self._running_loop().call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_waking = False
        while self._done:
            job = self._done.popleft()
            self._pending -= 1
            outcome = job.outcome
            if isinstance(outcome, Inference):
                self._mean_seconds += _NEWEST * (job.ended - job.started - self._mean_seconds)
                self._instruments.batch_size.observe(outcome.batch_size)
                if outcome.frames_in_flight is not None:
                    self._instruments.frames_in_flight.observe(outcome.frames_in_flight)
                job.deliver(Computed(outcome, job.started, job.ended))
            elif outcome is not None:
                job.deliver(outcome)
