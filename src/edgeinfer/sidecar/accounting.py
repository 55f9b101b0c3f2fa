"""What became of windows, and where their time went: the same for every protocol that they come by."""

import logging
from collections.abc import Sequence
from time import perf_counter

import msgspec

from edgeinfer.errors import BackendError, InputError, InvalidOutput, NotReady, Overloaded
from edgeinfer.sidecar.exchange import Request
from edgeinfer.sidecar.inference import ClientDisconnected, Computed
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.web.problems import Problem, problem_of
from edgeinfer.web.tracing import Answered, Tracing

_TIMING = (
    b"total;dur=%.4f, queue;dur=%.4f, decode;dur=%.4f, preprocess;dur=%.4f, execute;dur=%.4f, postprocess;dur=%.4f"
)
_log = logging.getLogger(__name__)


class Call(msgspec.Struct, frozen=True):
    """One request for inference.

    Args:
        request: as it came.
        route: its template.
        request_id: the caller's, or a new one.
    """

    request: Request
    route: str
    request_id: bytes


class InferenceAccount:
    """Counts outcomes and observes stages.

    Args:
        instruments: stages, outcomes, errors.
        tracing: records sampled requests; None where traces are off.
    """

    def __init__(self, instruments: SidecarInstruments, tracing: Tracing | None = None) -> None:
        self._instruments = instruments
        self._tracing = tracing
        self.last_seconds: float | None = None
        """Time of the last answered request, None before the first."""

    def answered(self, call: Call, decoded: float, computed: Sequence[Computed]) -> bytes:
        """Observe the stages of each window of a request, and report those of the one that ended last.

        A window's part of what a request does once for all of them, decoding and encoding, is its share.

        Args:
            call: that is answered.
            decoded: when the windows were there, in seconds of `perf_counter`.
            computed: in the order of the windows; at least one.

        Returns:
            A Server-Timing in milliseconds, whose parts add up to its total.
        """
        arrived = call.request.arrived
        total = self.last_seconds = perf_counter() - arrived
        last = computed[0] if len(computed) == 1 else max(computed, key=lambda one: one.ended)
        queue, decode = last.started - decoded, decoded - arrived
        preprocess, execute = last.inference.preprocess_seconds, last.inference.execute_seconds
        # Scores, the way back to the loop and the encoding: what is left of the whole.
        postprocess = max(0.0, total - queue - decode - preprocess - execute)
        for one in computed:
            self._observe(one, decoded, decode / len(computed), postprocess / len(computed))
        if self._tracing is not None:
            stages = (("decode", decode), ("queue", queue), ("preprocess", preprocess), ("execute", execute))
            self._trace(call, 200, (*stages, ("postprocess", postprocess)), windows=len(computed))
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

    def refused(self, failure: Exception, call: Call, windows: int = 1) -> Problem | None:
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
        if self._tracing is not None:
            self._trace(call, problem.status_code, (), windows=windows)
        if isinstance(failure, BackendError):
            fields = {"request_id": call.request_id.decode(), "error_class": failure.error_class, "fault": str(failure)}
            _log.warning("a window was not answered", extra=fields)
        return problem

    def _trace(self, call: Call, status: int, stages: Sequence[tuple[str, float]], *, windows: int) -> None:
        assert self._tracing is not None  # noqa: S101 - callers have looked
        headers, at = call.request.headers, call.request.arrived
        trace = self._tracing.begin(headers.get(b"traceparent", b""), headers.get(b"tracestate", b""), at)
        if not trace.is_recorded:
            return
        for name, seconds in stages:
            trace.add(name, at, at + seconds, windows=windows)
            at += seconds
        ended = at if stages else perf_counter()
        self._tracing.finish(trace, Answered("POST", call.route, status, call.request_id.decode()), ended)

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
