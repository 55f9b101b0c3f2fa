"""The model that the sidecar serves: loading, ready, lost, unusable or draining."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edgeinfer.backends.base import Backend, BatchBackend, Description, Inference, Window, check_inference
from edgeinfer.errors import BackendError, ConfigurationError, InvalidOutput, InvalidWindow, NotReady
from edgeinfer.model.card import ModelCard
from edgeinfer.model.window import MAX_READING
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.pace import ON_THREADS, Pace, measure_pace

_log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 0.5, 30.0
_STOP_SECONDS = 5.0
_FAILING_RUNS = 3
_FAILING_SECONDS = 60.0
# After these no window can be answered until the device is back; other classes cost one window only.
_LOSES_THE_DEVICE = frozenset(
    {"hailort_init_failure", "version_mismatch", "device_not_found", "device_in_use", "communication_closed"}
)


class ModelPhase(StrEnum):
    """Where the model stands."""

    LOADING = "loading"
    READY = "ready"
    LOST = "lost"
    UNUSABLE = "unusable"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class ModelState:
    """A state and the failure that led to it, if one did."""

    state: ModelPhase
    reason: str = ""
    remedy: str = ""


class ServedModel:
    """Opens a backend in the background, runs windows on it, and notices when it is lost and when it is back.

    Args:
        backend: opened and probed on a thread of this object, called by the pool's workers.
        card: of its model.
        instruments: where states and failures are shown.
        wait: waits that many seconds or until it is stopped; true if it was stopped.
    """

    def __init__(
        self,
        backend: Backend,
        card: ModelCard,
        instruments: SidecarInstruments,
        *,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self.backend = backend
        self.card = card
        self._instruments = instruments
        self._probe = np.zeros((card.window.length, 9), np.float32)
        self._wait = wait
        self._stop = threading.Event()
        self._recover = threading.Event()
        self._thread: threading.Thread | None = None
        self._model_state = ModelState(ModelPhase.LOADING)
        self._failures = 0
        self._recovered = 0
        self._counting = threading.Lock()
        self._failed_at = 0.0
        self._last_failure = ""
        self._pace = ON_THREADS
        self._asked: tuple[Backend, BatchBackend | None] | None = None
        """The backend that was last asked whether it takes several windows in one run, and the answer."""
        self.description: Description | None = None

    @property
    def model_state(self) -> ModelState:
        """Where the model stands now."""
        return self._model_state

    @property
    def failing(self) -> str:
        """Why the newest windows all failed, though the device is not lost: a chip in its red zone aborts every run.

        Empty again once a window is answered, or when nobody has tried for a while and so nothing is known.
        """
        is_recent = time.monotonic() - self._failed_at < _FAILING_SECONDS
        return self._last_failure if self._failures - self._recovered >= _FAILING_RUNS and is_recent else ""

    @property
    def parallelism(self) -> int:
        """How many windows the backend computes at once."""
        return self.backend.parallelism

    def pace(self) -> Pace:
        """Who computes the windows, and how many in one run."""
        return self._pace

    def start(self) -> None:
        self._thread = threading.Thread(target=self._supervise, name="model", daemon=True)
        self._thread.start()

    def drain(self) -> None:
        """Say that no more windows should come; those that come are still answered."""
        self._set_state(ModelState(ModelPhase.DRAINING, "the sidecar is ending"))

    def close(self) -> None:
        """Stop the thread and release the device."""
        self._stop.set()
        self._recover.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
        self.backend.close()

    def replace(self, card: ModelCard, backend: Backend, described: Description) -> None:
        """Answer with another backend, open already, from the next window on, and close the one before.

        Raises:
            BackendError: the new one does not answer; the one before serves on.
        """
        pace = measure_pace(backend, self._probe)
        before, self.backend = self.backend, backend
        self.card, self._pace = card, pace
        self._describe(described)
        # Windows that are with it are finished or, where it refuses them now, answered by the new one.
        before.close()

    def check_ready(self) -> None:
        """Raise NotReady unless windows can be answered."""
        model_state = self._model_state
        if model_state.state is ModelPhase.READY or (
            model_state.state is ModelPhase.DRAINING and self.description is not None
        ):
            return
        fault = f"it is {model_state.state.value}" + (f" ({model_state.reason})" if model_state.reason else "")
        raise NotReady("the model", fault, model_state.remedy or "Try again in a second.")

    def infer(self, window: Window) -> Inference:
        """Answer one window on the calling thread.

        Raises:
            BackendError: counted by its class here.
            InvalidWindow: values so large that the output overflowed.
        """
        backend, failures = self.backend, self._failures
        try:
            inference = backend.infer(window)
            self.check_output(inference)
        except BackendError as failure:
            if backend is not self.backend:
                return self.infer(window)  # it was replaced, and closed, under this window
            _check_bearable(window, failure)
            self._record_failure(failure)
            raise
        if self._recovered != failures:
            self._count_recovery(failures)
        return inference

    def infer_all(self, windows: Sequence[Window]) -> list[Inference | Exception]:
        """Answer windows on the calling thread, several in one run; each gets its own answer or failure.

        A window of a run that failed, or whose output is unusable, is run again by itself, so that a bad one costs the
        others nothing and is reported as if it had come alone.
        """
        backend, failures = self.backend, self._failures
        # They were put together for the backend of then; one that has taken its place may not mix windows.
        batches = None if len(windows) == 1 else self._as_batch_backend(backend)
        if batches is None or len(windows) > batches.max_batch:
            return [self._outcome(window) for window in windows]
        try:
            answers = list(zip(windows, batches.infer_batch(windows), strict=True))
        except Exception:  # noqa: BLE001 - what each single run says counts
            return [self._outcome(window) for window in windows]
        usable = [self._is_usable(inference) for _, inference in answers]
        # An unusable output proves nothing, and is a failure only when it is run again, below.
        if self._recovered != failures and any(usable):
            self._count_recovery(failures)
        pairs = zip(answers, usable, strict=True)
        return [one if is_usable else self._outcome(window) for (window, one), is_usable in pairs]

    def _as_batch_backend(self, backend: Backend) -> BatchBackend | None:
        """The backend, if it takes several windows in one run; asked once, because the question takes 0.01 ms."""
        asked = self._asked
        if asked is None or asked[0] is not backend:
            asked = self._asked = backend, backend if isinstance(backend, BatchBackend) else None
        return asked[1]

    def _outcome(self, window: Window) -> Inference | Exception:
        try:
            return self.infer(window)
        except Exception as failure:  # noqa: BLE001 - handed to the caller, who logs it
            return failure

    def _is_usable(self, inference: Inference) -> bool:
        try:
            self.check_output(inference)
        except InvalidOutput:
            return False
        return True

    def _count_recovery(self, failures: int) -> None:
        """Count one, if nothing has failed since this window began: one that was ahead of a failure proves nothing."""
        with self._counting:
            if self._recovered != failures == self._failures:
                self._recovered = failures
                self._instruments.recoveries.inc()

    def check_output(self, inference: Inference) -> None:
        """Raise InvalidOutput unless the answer keeps the contract of the served model."""
        described = self.description
        if described is not None:
            check_inference(inference, described.latent_dimensions, described.motif_count)

    def _record_failure(self, failure: BackendError) -> None:
        with self._counting:
            self._failures += 1
            self._failed_at = time.monotonic()
            self._last_failure = failure.fault
        if not failure.is_repeated:
            self._instruments.count_hardware_error[failure.error_class]()
        if failure.error_class in _LOSES_THE_DEVICE and self._model_state.state is ModelPhase.READY:
            self._set_state(ModelState(ModelPhase.LOST, failure.fault, failure.remedy))
            self._recover.set()

    def _supervise(self) -> None:
        """Open the device, wait until it is reported lost, then probe until it is back."""
        if not self._until_it_works(self._open):
            return
        while not self._stop.is_set():
            self._recover.wait()
            self._recover.clear()
            if not self._stop.is_set() and self._until_it_works(self._try_again):
                self._set_state(ModelState(ModelPhase.READY))

    def _until_it_works(self, attempt: Callable[[], None]) -> bool:
        wait = _FIRST_WAIT_SECONDS
        while not self._stop.is_set():
            try:
                attempt()
            except ConfigurationError as failure:
                _log.error("the model cannot be used", extra={"fault": str(failure)})
                self._set_state(ModelState(ModelPhase.UNUSABLE, f"{failure.thing} {failure.fault}", failure.remedy))
                return False
            except BackendError as failure:
                _log.warning("the device does not answer", extra={"fault": str(failure), "wait_seconds": wait})
                self._set_state(ModelState(ModelPhase.LOST, failure.fault, failure.remedy))
                if self._wait(self._stop, wait):
                    return False
                wait = min(wait * 2, _MAX_WAIT_SECONDS)
            else:
                return True
        return False

    def _open(self) -> None:
        try:
            described = self.backend.open()
        except BackendError as failure:
            self._record_failure(failure)
            raise
        self._pace = measure_pace(self.backend, self._probe)
        self._describe(described)
        _log.info("the model is ready", extra={"backend": described.kind, "device": described.device})
        self._set_state(ModelState(ModelPhase.READY))

    def _describe(self, described: Description) -> None:
        self.description = described
        self._instruments.model_info.replace(
            [
                (
                    described.model_name,
                    described.model_version,
                    described.model_sha256,
                    str(described.latent_dimensions),
                    str(described.motif_count),
                )
            ]
        )
        self._instruments.runtime_info.replace([(described.kind, described.device, described.runtime)])

    def _try_again(self) -> None:
        self.infer(self._probe)

    def _set_state(self, model_state: ModelState) -> None:
        if self._model_state.state is ModelPhase.DRAINING:
            return
        self._model_state = model_state
        self._instruments.ready.set(model_state.state is ModelPhase.READY)


def _check_bearable(window: Window, failure: BackendError) -> None:
    """Raise InvalidWindow where an output is unusable because the window holds what no sensor measures."""
    if isinstance(failure, InvalidOutput) and np.abs(window).max() > MAX_READING:
        fault = f"it holds values beyond {MAX_READING:g}, which no sensor measures and no model bears"
        raise InvalidWindow("x", fault, "Send m/s², rad/s and µT.") from failure
