"""A second backend that computes a share of the windows once more, to be compared, within a CPU budget."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, Full, Queue
from time import monotonic, thread_time

from edgeinfer.backends.base import Backend, Inference, Window, check_inference
from edgeinfer.errors import BackendError, ModelFileError
from edgeinfer.parity import cosine
from edgeinfer.sidecar.inference import InferAll
from edgeinfer.sidecar.instruments import SidecarInstruments

_log = logging.getLogger(__name__)
_WAITING = 4
_LOOK_SECONDS = 0.5
_STOP_SECONDS = 5.0
# How much of the budget may be saved up, in seconds of wall time.
_SAVED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ShadowPlan:
    """What is compared.

    Args:
        backend: the second one.
        share: of the windows that are offered to it.
        cpu_budget: share of one core that its thread may use.
    """

    backend: Backend
    share: float
    cpu_budget: float


class Shadow:
    """Compares in the background; a caller never waits for it and never sees its failures.

    Args:
        plan: the backend and its limits.
        instruments: comparisons by result, cosines.
        clock: monotonic seconds.
        cpu_clock: CPU seconds of the calling thread.
    """

    def __init__(
        self,
        plan: ShadowPlan,
        instruments: SidecarInstruments,
        *,
        clock: Callable[[], float] = monotonic,
        cpu_clock: Callable[[], float] = thread_time,
    ) -> None:
        self._plan = plan
        self._backend = plan.backend
        self._cosine = instruments.shadow_cosine
        self._count = {
            result: instruments.shadow_comparisons.labels(result).inc
            for result in ("agreed", "differed", "failed", "skipped")
        }
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._owed = 0.0
        self._owed_lock = threading.Lock()
        self._budget_seconds = 0.0
        self._budget_at = clock()
        self._waiting: Queue[tuple[Window, Inference]] = Queue(_WAITING)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def around(self, infer_all: InferAll) -> InferAll:
        """The same inference, with its answers offered to the shadow."""

        def infer_and_offer(windows: Sequence[Window]) -> Sequence[Inference | Exception]:
            outcomes = infer_all(windows)
            for window, outcome in zip(windows, outcomes, strict=True):
                if isinstance(outcome, Inference):
                    self.offer(window, outcome)
            return outcomes

        return infer_and_offer

    def offer(self, window: Window, inference: Inference) -> None:
        """Take a window into the sample if its turn has come; never waits."""
        with self._owed_lock:
            self._owed += self._plan.share
            if self._owed < 1.0:
                return
            self._owed -= 1.0
        try:
            self._waiting.put_nowait((window, inference))
        except Full:
            self._count["skipped"]()

    def start(self) -> None:
        """Open the second backend and begin to compare, on a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def replace(self, backend: Backend) -> None:
        """Compare with another backend from now on; it is opened on the shadow's thread."""
        self._backend = backend

    def close(self) -> None:
        """End the thread and close the second backend."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            backend = self._backend
            try:
                self._compare_with(backend)
            finally:
                backend.close()

    def _compare_with(self, backend: Backend) -> None:
        """Compare until stopped, or until another model is to be compared."""
        is_open = self._open(backend)
        while not self._stop.is_set() and backend is self._backend:
            if is_open:
                self.compare_next(_LOOK_SECONDS)
            else:
                self._stop.wait(_LOOK_SECONDS)

    def _open(self, backend: Backend) -> bool:
        try:
            described = backend.open()
        except (BackendError, ModelFileError) as failure:
            _log.warning("cannot open the shadow backend: nothing is compared", extra={"fault": str(failure)})
            self._count["failed"]()
            return False
        _log.info("the shadow backend is ready", extra={"backend": described.kind, "share": self._plan.share})
        return True

    def compare_next(self, wait_seconds: float) -> None:
        """Compare the window that has waited longest, if the budget allows it."""
        try:
            window, served = self._waiting.get(timeout=wait_seconds)
        except Empty:
            return
        if not self._is_affordable():
            self._count["skipped"]()
            return
        started = self._cpu_clock()
        try:
            self._compare(window, served)
        finally:
            self._budget_seconds -= self._cpu_clock() - started

    def _compare(self, window: Window, served: Inference) -> None:
        try:
            shadow = self._backend.infer(window)
            check_inference(shadow, served.latent.size, served.motif_scores.size)
        except BackendError:
            self._count["failed"]()
            return
        self._cosine.observe(cosine(served.latent, shadow.latent))
        agree = served.motif_scores.argmax() == shadow.motif_scores.argmax()
        self._count["agreed" if agree else "differed"]()

    def _is_affordable(self) -> bool:
        """Whether the CPU time that the shadow has used is within its share of the time that passed."""
        now = self._clock()
        most = _SAVED_SECONDS * self._plan.cpu_budget
        self._budget_seconds = min(most, self._budget_seconds + (now - self._budget_at) * self._plan.cpu_budget)
        self._budget_at = now
        return self._budget_seconds > 0.0
