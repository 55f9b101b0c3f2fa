"""What became of windows, and where their time went: the same for every protocol that they come by."""

import logging
from collections.abc import Sequence
from time import perf_counter

from edgeinfer.errors import BackendError, InputError, InvalidOutput, NotReady, Overloaded
from edgeinfer.sidecar.inference import ClientDisconnected, Computed
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.web.problems import Problem, problem_of

_TIMING = (
    b"total;dur=%.4f, queue;dur=%.4f, decode;dur=%.4f, preprocess;dur=%.4f, execute;dur=%.4f, postprocess;dur=%.4f"
)
_log = logging.getLogger(__name__)


class InferenceAccount:
    """Counts outcomes and observes stages.

    Args:
        instruments: stages, outcomes, errors.
    """

    def __init__(self, instruments: SidecarInstruments) -> None:
        self._instruments = instruments
        self.last_seconds: float | None = None
        """Time of the last answered request, None before the first."""

    def answered(self, arrived: float, decoded: float, computed: Sequence[Computed]) -> bytes:
        """Observe the stages of each window of a request, and report those of the one that ended last.

        A window's part of what a request does once for all of them, decoding and encoding, is its share.

        Args:
            arrived: when the head was there, in seconds of `perf_counter`.
            decoded: when the windows were.
            computed: in the order of the windows; at least one.

        Returns:
            A Server-Timing in milliseconds, whose parts add up to its total.
        """
        total = self.last_seconds = perf_counter() - arrived
        last = computed[0] if len(computed) == 1 else max(computed, key=lambda one: one.ended)
        queue, decode = last.started - decoded, decoded - arrived
        preprocess, execute = last.inference.preprocess_seconds, last.inference.execute_seconds
        # Scores, the way back to the loop and the encoding: what is left of the whole.
        postprocess = max(0.0, total - queue - decode - preprocess - execute)
        for one in computed:
            self._observe(one, decoded, decode / len(computed), postprocess / len(computed))
        return _TIMING % (total * 1e3, queue * 1e3, decode * 1e3, preprocess * 1e3, execute * 1e3, postprocess * 1e3)

    def _observe(self, computed: Computed, decoded: float, decode: float, postprocess: float) -> None:
        instruments, inference = self._instruments, computed.inference
        instruments.observe_queue(computed.started - decoded)
        instruments.observe_decode(decode)
        instruments.observe_preprocess(inference.preprocess_seconds)
        instruments.observe_execute(inference.execute_seconds)
        instruments.observe_postprocess(postprocess)
        instruments.count_inference["success"]()

    def abandoned(self, windows: int = 1) -> None:
        """Count windows whose caller hung up before they were computed."""
        self._count("abandoned", windows)

    def refused(self, failure: Exception, request_id: bytes, windows: int = 1) -> Problem | None:
        """Count windows that were not answered.

        Returns:
            What to answer; None where the caller hung up.
        """
        if isinstance(failure, ClientDisconnected):
            self.abandoned(windows)
            return None
        problem = problem_of(failure)
        self._count(_outcome(failure), windows)
        self._instruments.problems.labels(problem.problem).inc()
        if isinstance(failure, BackendError):
            fields = {"request_id": request_id.decode(), "error_class": failure.error_class, "fault": str(failure)}
            _log.warning("a window was not answered", extra=fields)
        return problem

    def _count(self, outcome: str, windows: int) -> None:
        count = self._instruments.count_inference[outcome]
        for _ in range(windows):
            count()


def _outcome(failure: Exception) -> str:
    """Value of the `status` label of the sidecar's inferences."""
    outcomes: list[tuple[type[Exception], str]] = [
        (InputError, "invalid_input"),
        (Overloaded, "shed"),
        (NotReady, "not_ready"),
        (InvalidOutput, "invalid_output"),
    ]
    return next((outcome for kind, outcome in outcomes if isinstance(failure, kind)), "backend_error")
