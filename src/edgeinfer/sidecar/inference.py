"""The transport-free core: a bounded queue, a pool of threads, and an event loop that computes as well."""

import asyncio
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from time import perf_counter

import msgspec

from edgeinfer.backends.base import Inference, Window
from edgeinfer.errors import Overloaded
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.pace import ON_THREADS, Pace

_log = logging.getLogger(__name__)
# Weight of the newest window in the mean service time that Retry-After is computed from.
_NEWEST = 0.05


class Computed(msgspec.Struct):
    """An answer, and when a worker took its window up and was done, in seconds of `perf_counter`."""

    inference: Inference
    started: float
    ended: float


class ClientDisconnected(Exception):
    """The caller hung up before its window was computed."""


def never() -> bool:
    """The caller is known to wait."""
    return False


InferAll = Callable[[Sequence[Window]], Sequence[Inference | Exception]]
"""Answers windows in their order, each with its answer or its failure."""

Deliver = Callable[[Computed | Exception], None]
"""Takes what became of a window, on the event loop."""


class _Job(msgspec.Struct, eq=False):
    window: Window
    is_abandoned: Callable[[], bool]
    deliver: Deliver
    started: float = 0.0
    ended: float = 0.0
    outcome: Inference | Exception | None = None


def one_by_one(infer: Callable[[Window], Inference]) -> InferAll:
    """Windows answered one after the other."""

    def outcome(window: Window) -> Inference | Exception:
        try:
            return infer(window)
        except Exception as failure:  # noqa: BLE001 - handed to the caller, who logs it
            return failure

    return lambda windows: [outcome(window) for window in windows]


class InferencePool:
    """Computes windows on the event loop itself or on threads, several in one run, and answers on the loop.

    Handing a window to a thread and back costs more than a small model itself: the loop and the thread wake
    each other and wait for the interpreter's lock. So the loop computes brief windows itself, between two looks at
    its connections, all that have come by then in one run. It shares them with threads where the share of a thread
    is worth waking it. Nobody waits for a run to become larger (docs/concepts/performance.md).

    `submit` and everything about the queue happen on the loop's thread; workers only compute. The states of a window::

        submit -- check_room refuses --> Overloaded, NotReady (raised; the window never enters)
          |
          +-- pace().runs_inline --> WAITING --- _run_inline on the loop ----------------------+
          |                             |                                                      |
          |                             +--- _hand_over, what the loop leaves to threads --+   |
          |                                                                                |   |
          +-- otherwise --> HANDED OVER <--------------------------------------------------+   |
                                |                                                              |
                                +--- a worker thread, or a loop that has nothing else ---------+
                                                                                               |
                              is_abandoned --> ClientDisconnected <-- _run ------------------- +
                                                       |                |
                                                       |                +--> Computed, or the backend's error
                                                       v                v
                                     DONE (in `_done`) --- _deliver on the loop, once ---> `deliver`

    `_pending` counts windows from `submit` to `_deliver`. `close` waits for WAITING and HANDED OVER to become empty.

    Args:
        infer_all: answers windows; called from as many threads at once as `workers` says.
        instruments: queue depth, windows in flight, batch sizes.
        workers: how many runs there may be at once, now; it grows when a device is opened.
        capacity: windows that may wait.
        check_ready: raises NotReady while no window can be answered.
        pace: whether the loop computes, and how many windows a run takes, now.
    """

    def __init__(  # noqa: PLR0913 - the seams, by name
        self,
        infer_all: InferAll,
        instruments: SidecarInstruments,
        *,
        workers: Callable[[], int],
        capacity: int,
        check_ready: Callable[[], None] = lambda: None,
        pace: Callable[[], Pace] = lambda: ON_THREADS,
    ) -> None:
        self._infer_all = infer_all
        self._instruments = instruments
        self._workers = workers
        self._capacity = capacity
        self._check_ready = check_ready
        self._pace = pace
        self._waiting: deque[_Job] = deque()
        self._handed_over: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._busy_threads = 0  # runs handed over and not delivered
        self._is_running_inline = False
        self._done: deque[list[_Job]] = deque()
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
        if self._pace().runs_inline:
            self._waiting.append(job)
            self._run_inline_soon()
        else:
            self._hand_over([job], min(workers, self._pending))

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
        while self._is_running_inline:  # noqa: ASYNC110 - each turn of the loop computes a run
            await asyncio.sleep(0)
        for _ in self._threads:
            self._handed_over.put(None)
        await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in self._threads))
        self._threads.clear()
        # What the workers handed back last is delivered by a callback that is already scheduled.
        await asyncio.sleep(0)

    # On the loop.

    def _run_inline_soon(self) -> None:
        """Compute on the loop after it has read what else has come."""
        if not self._is_running_inline:
            self._is_running_inline = True
            self._running_loop().call_soon(self._run_inline)

    def _run_inline(self) -> None:
        jobs = self._share() if self._waiting else self._take_back()
        if jobs:
            self._run(jobs)
            self._deliver_run(jobs)
        self._deliver()
        if self._waiting or not self._handed_over.empty():
            self._running_loop().call_soon(self._run_inline)
            return
        # A worker that sees no loop at work wakes it; one that still saw it has put its run there by now.
        self._is_running_inline = False
        self._deliver()

    def _share(self) -> list[_Job]:
        """The loop's own run, of those that wait longest; threads that are free get as much as it, if it pays."""
        pace, waiting = self._pace(), self._waiting
        sharers = min(self._workers() - self._busy_threads, len(waiting) // pace.min_handover)
        if sharers <= 1:
            return self._oldest(pace.max_batch)
        size = min(pace.max_batch, math.ceil(len(waiting) / sharers))
        own = self._oldest(size)
        for _ in range(sharers - 1):
            if not waiting:  # the shares are rounded up: the last threads may be left without one
                break
            self._hand_over(self._oldest(size), self._busy_threads + 1)
        return own

    def _oldest(self, most: int) -> list[_Job]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _hand_over(self, jobs: list[_Job], threads: int) -> None:
        for number in range(len(self._threads), threads):
            thread = threading.Thread(target=self._work, name=f"infer-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._busy_threads += 1
        self._handed_over.put(jobs)

    def _take_back(self) -> list[_Job]:
        """What no thread has taken up yet: the loop has nothing else to compute."""
        try:
            jobs = self._handed_over.get_nowait()
        except Empty:
            return []
        if jobs is None:  # it is for a thread, which shall end
            self._handed_over.put(None)
            return []
        self._busy_threads -= 1
        return jobs

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

    def _deliver(self) -> None:
        self._is_waking = False
        while self._done:
            self._busy_threads -= 1
            self._deliver_run(self._done.popleft())

    def _deliver_run(self, jobs: list[_Job]) -> None:
        for job in jobs:
            self._pending -= 1
            # One answer that cannot be delivered must not cost those behind it, nor stop the loop's next run.
            try:
                self._deliver_one(job)
            except Exception:  # noqa: BLE001 - whatever it is
                _log.exception("unexpected error in the delivery of an answer")

    def _deliver_one(self, job: _Job) -> None:
        outcome = job.outcome
        if isinstance(outcome, Inference):
            job.deliver(self._computed(job, outcome))
        elif outcome is not None:
            job.deliver(outcome)

    def _computed(self, job: _Job, inference: Inference) -> Computed:
        seconds = (job.ended - job.started) / inference.batch_size
        self._mean_seconds += _NEWEST * (seconds - self._mean_seconds)
        self._instruments.batch_size.observe(inference.batch_size)
        if inference.frames_in_flight is not None:
            self._instruments.frames_in_flight.observe(inference.frames_in_flight)
        return Computed(inference, job.started, job.ended)

    # On workers.

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        """Take a run up; a function of its own, so that a thread that waits holds no job that is done."""
        jobs = self._handed_over.get()
        if jobs is None:
            return False
        self._run(jobs)
        self._hand_back(jobs)
        return True

    def _run(self, jobs: list[_Job]) -> None:
        wanted = []
        for job in jobs:
            # Nobody waits for the answer of a caller that hung up.
            if job.is_abandoned():
                job.outcome = ClientDisconnected()
            else:
                wanted.append(job)
        if not wanted:
            return
        started = perf_counter()
        try:
            outcomes = self._infer_all([job.window for job in wanted])
        except Exception as failure:  # noqa: BLE001 - handed to the callers, who log it
            outcomes = [failure] * len(wanted)
        ended = perf_counter()
        for job, outcome in zip(wanted, outcomes, strict=True):
            job.outcome, job.started, job.ended = outcome, started, ended

    def _hand_back(self, jobs: list[_Job]) -> None:
        self._done.append(jobs)
        # One wake-up of the loop delivers all that is done by then; a loop that computes looks by itself.
        if not self._is_running_inline and not self._is_waking:
            self._is_waking = True
            self._running_loop().call_soon_threadsafe(self._deliver)
