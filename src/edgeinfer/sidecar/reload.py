"""Another model in place of the serving one, without a window lost: opened next to it, compared, then switched to."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic, thread_time, time
from typing import Literal

import numpy as np

from edgeinfer.backends.base import Backend, Description, Window
from edgeinfer.errors import BackendError, EdgeInferError, ModelFileError
from edgeinfer.model.card import ModelCard
from edgeinfer.parity import cosine
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.model import ModelPhase, ServedModel
from edgeinfer.sidecar.shadow import Shadow

_log = logging.getLogger(__name__)
_STOP_SECONDS = 10.0
Result = Literal["switched", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to be served.

    Args:
        card: of the model.
        backend: with it, not open yet.
        shadow: to compare it with while it serves, not open yet; None without a shadow.
    """

    card: ModelCard
    backend: Backend
    shadow: Backend | None = None


@dataclass(frozen=True, slots=True)
class ReloadPlan:
    """How a model is changed.

    Args:
        read: reads card and files again; raises ConfigurationError.
        windows: of that many rows, on which old and new are compared.
        min_agreement: share of the windows in which both must name the same top motif.
        cpu_budget: share of one core that the comparison may use.
    """

    read: Callable[[], Candidate]
    windows: Callable[[int], Iterable[Window]]
    min_agreement: float
    cpu_budget: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the new model answers the windows that the old one answered.

    Args:
        windows: compared.
        agreement: share with the same top motif.
        cosine_mean: of the latents; says little about a model that was retrained.
    """

    windows: int
    agreement: float
    cosine_mean: float


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """What became of a change.

    Args:
        ended_at: seconds since the epoch.
        result: "refused" leaves the old model serving.
        version: of the card that was read; empty if it could not be.
        reason: why it was refused; empty otherwise.
        remedy: what the operator can do.
        agreement: None if nothing was compared.
    """

    ended_at: float
    result: Result
    version: str
    reason: str = ""
    remedy: str = ""
    agreement: Agreement | None = None


class ModelReload:
    """Changes the served model on request, one change at a time, on a thread of its own.

    Args:
        model: in whose place the new one comes.
        plan: where the new one is, and what it has to reach.
        instruments: changes by result.
        shadow: gets the new model's shadow; None without one.
        clock: monotonic seconds.
        cpu_clock: CPU seconds of the calling thread.
        wall_clock: seconds since the epoch.
        wait: waits that many seconds or until it is stopped; true if it was stopped.
    """

    def __init__(  # noqa: PLR0913  # the parts and three seams, by name
        self,
        model: ServedModel,
        plan: ReloadPlan,
        instruments: SidecarInstruments,
        *,
        shadow: Shadow | None = None,
        clock: Callable[[], float] = monotonic,
        cpu_clock: Callable[[], float] = thread_time,
        wall_clock: Callable[[], float] = time,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._model = model
        self._plan = plan
        self._instruments = instruments
        self._shadow = shadow
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._wall_clock = wall_clock
        self._wait = wait
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.last: ReloadOutcome | None = None

    def begin(self) -> None:
        """Begin a change, unless one is under way; may be called from a signal handler."""
        if self._thread is not None and self._thread.is_alive():
            _log.warning("a model change is already in progress")
            return
        self._thread = threading.Thread(target=self.run, name="model-change", daemon=True)
        self._thread.start()

    def run(self) -> ReloadOutcome:
        """Change the model now, on this thread; whatever cannot be used leaves the old one serving."""
        version = ""
        try:
            candidate = self._plan.read()
            version = candidate.card.version
            result, agreement = self._change(candidate)
            outcome = ReloadOutcome(self._wall_clock(), result, version, agreement=agreement)
        except EdgeInferError as failure:
            outcome = self._refused(version, f"{failure.thing} {failure.fault}", failure.remedy)
        except Exception as failure:  # noqa: BLE001  # whatever it is, the old model keeps serving and the operator is informed
            _log.exception("unexpected error in a model change")
            outcome = self._refused(version, f"{type(failure).__name__}: {failure}", "Look at the log.")
        self.last = outcome
        self._instruments.model_changes.labels(outcome.result).inc()
        _log.info(
            "a model change has ended", extra={"result": outcome.result, "version": version, "why": outcome.reason}
        )
        return outcome

    def _refused(self, version: str, reason: str, remedy: str) -> ReloadOutcome:
        return ReloadOutcome(self._wall_clock(), "refused", version, reason, remedy)

    def close(self) -> None:
        """Give up a change that is under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _change(self, candidate: Candidate) -> tuple[Result, Agreement | None]:
        if self._model.model_state.state is not ModelPhase.READY:
            fault = f"is {self._model.model_state.state.value}: there is nothing to compare with"
            raise BackendError("the serving model", fault, "Restart the sidecar instead.", error_class="misuse")
        _check_contract(self._model.card, candidate.card)
        described = self._opened(candidate.backend)
        try:
            if described == self._model.description and candidate.card == self._model.card:
                candidate.backend.close()
                return "unchanged", None
            agreement = self._compare(candidate.backend)
            self._check_likeness(agreement)
            self._model.replace(candidate.card, candidate.backend, described)
        except BaseException:
            candidate.backend.close()
            raise
        if self._shadow is not None and candidate.shadow is not None:
            self._shadow.replace(candidate.shadow)
        return "switched", agreement

    def _opened(self, backend: Backend) -> Description:
        try:
            return backend.open()
        except BaseException:
            backend.close()
            raise

    def _compare(self, candidate: Backend) -> Agreement:
        serving = self._model.backend
        agreed, cosines = 0, []
        budget = _Budget(self._plan.cpu_budget, self._clock, self._cpu_clock)
        for window in self._plan.windows(self._model.card.window.length):
            old, new = serving.infer(window), candidate.infer(window)
            for answer in (old, new):
                self._model.check_output(answer)
            agreed += int(old.motif_scores.argmax() == new.motif_scores.argmax())
            cosines.append(cosine(old.latent, new.latent))
            if self._wait(self._stop, budget.pause_seconds()):
                raise BackendError("the sidecar", "is ending", "Change the model again.", error_class="misuse")
        return Agreement(len(cosines), agreed / len(cosines), float(np.mean(cosines)))

    def _check_likeness(self, agreement: Agreement) -> None:
        least = self._plan.min_agreement
        if agreement.agreement < least:
            fault = (
                f"names the same motif as the serving one in {agreement.agreement:.1%} of {agreement.windows} recorded "
                f"windows, and {least:.1%} are asked for"
            )
            remedy = "Look at it with 'edgeinfer parity', or lower EDGEINFER_MODEL_CHANGE_MIN_AGREEMENT."
            raise ModelFileError("the new model", fault, remedy)


class _Budget:
    """How long to pause so that a thread keeps to its share of a core."""

    def __init__(self, share: float, clock: Callable[[], float], cpu_clock: Callable[[], float]) -> None:
        self._share = share
        self._clock, self._cpu_clock = clock, cpu_clock
        self._began, self._cpu_began = clock(), cpu_clock()

    def pause_seconds(self) -> float:
        used, passed = self._cpu_clock() - self._cpu_began, self._clock() - self._began
        return max(0.0, used / self._share - passed)


def _promises(card: ModelCard) -> dict[str, object]:
    return {"window": card.window, "latent_size": card.latent_size, "motifs": card.motif_names}


def _check_contract(serving: ModelCard, candidate: ModelCard) -> None:
    """Callers rely on these; a model that differs in them is another service."""
    asked, given = _promises(serving), _promises(candidate)
    differing = [name for name in asked if asked[name] != given[name]]
    if differing:
        fault = f"differs from the serving one in {', '.join(differing)}"
        remedy = "Callers rely on these: restart the sidecar and the gateway with the new model together."
        raise ModelFileError("the new card", fault, remedy)
