"""The core of the gateway: a window goes to a sidecar, else to the same model on this CPU, and is accounted for."""

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgeinfer.catalog.gateway import INFERENCE_DURATION
from edgeinfer.catalog.model_output import OUTPUT_DIMENSIONS
from edgeinfer.errors import BackendError, ContractViolation, NotReady, Overloaded, SidecarError
from edgeinfer.gateway.balance import Balancer, SidecarMember
from edgeinfer.gateway.drift import AnswerBuffer
from edgeinfer.gateway.exemplars import ExemplarSampler
from edgeinfer.gateway.fallback import Fallback
from edgeinfer.gateway.instruments import GatewayInstruments, OperationInstruments
from edgeinfer.gateway.outputs import OutputReader, Outputs
from edgeinfer.gateway.samples import WINDOW_SAMPLES
from edgeinfer.gateway.sidecar_client import SidecarAnswer
from edgeinfer.gateway.transport import unknown
from edgeinfer.web.trace_context import current_trace

_log = logging.getLogger(__name__)
_MIN_TRY_SECONDS = 0.005


class Analysis(msgspec.Struct, frozen=True):
    """What is known about one window.

    Args:
        outputs: of the model.
        source: "sidecar" or "fallback".
    """

    outputs: Outputs
    source: str

    @property
    def backend(self) -> str:
        """What computed it: "hailo", "cpu" or "stub"."""
        return self.outputs.backend


class _InferenceCall(msgspec.Struct, frozen=True):
    """A window on its way."""

    window: NDArray[np.float32]
    operation: str
    request_id: str
    counted: OperationInstruments


class InferenceService:
    """Analyses windows, and counts what became of each.

    Args:
        balancer: the sidecars; without any, the fallback answers everything.
        fallback: the model on this CPU, or None where it is switched off.
        reader: the reader of the sidecars' answers.
        instruments: where it is counted.
        drift: remembers answers of sidecars.
        calls: picks calls for exemplars and log lines.
        timeout_seconds: for one analysis by sidecars, retries included.
        retries: calls made again after a failure that may pass.
        max_in_flight: analyses under way before more are shed.
        clock: monotonic seconds.
    """

    def __init__(  # noqa: PLR0913 - the seams of the core
        self,
        *,
        balancer: Balancer,
        fallback: Fallback | None,
        reader: OutputReader,
        instruments: GatewayInstruments,
        drift: AnswerBuffer,
        timeout_seconds: float = 1.5,
        retries: int = 0,
        max_in_flight: int = 256,
        clock: Callable[[], float] = perf_counter,
        calls: ExemplarSampler | None = None,
    ) -> None:
        self.balancer = balancer
        self.fallback = fallback
        self._reader = reader
        self._instruments = instruments
        self._drift = drift
        self._timeout = timeout_seconds
        self._retries = retries
        self._max_in_flight = max_in_flight
        self._clock = clock
        self._calls = calls or ExemplarSampler(INFERENCE_DURATION.buckets, clock)
        self._under_way = 0
        self._dimensions: tuple[int, int] | None = None

    def start(self) -> None:
        """Load the fallback's model in the background; call it in the event loop, before the first analysis."""
        if self.fallback is not None:
            self.fallback.start()

    async def close(self) -> None:
        """Close the connections to sidecars, and release the fallback; nothing is analyzed afterwards."""
        await asyncio.gather(*(member.client.close() for member in self.balancer.members))
        if self.fallback is not None:
            await self.fallback.close()

    async def analyze_imu_window(self, window: NDArray[np.float32], operation: str, request_id: str) -> Analysis:
        """Analyse one window (100, 9) float32.

        Args:
            window: in contract units.
            operation: "process" or "motifs".
            request_id: goes to the sidecar, the log and the exemplar.

        Raises:
            Overloaded: too many analyses are under way.
            NotReady: neither a sidecar nor the fallback could answer.
        """
        question = _InferenceCall(window, operation, request_id, self._instruments.operations[operation])
        if self._under_way >= self._max_in_flight:
            question.counted.analyses["none"].inc()
            fault = f"{self._under_way} analyses are under way"
            raise Overloaded("gateway", fault, "Try again after the time in Retry-After.")
        self._under_way += 1
        try:
            analysis = await self._analyze(question)
        except (NotReady, Overloaded):
            question.counted.analyses["none"].inc()
            raise
        finally:
            self._under_way -= 1
        question.counted.analyses[analysis.source].inc()
        return analysis

    async def _analyze(self, question: _InferenceCall) -> Analysis:
        if not self.balancer.members:
            return await self._fall_back(question.window, "no_sidecar_configured", "no sidecar is configured")
        try:
            return Analysis(await self._ask(question), "sidecar")
        except SidecarError as failure:
            return await self._fall_back(question.window, failure.error_type, str(failure))

    async def _ask(self, question: _InferenceCall) -> Outputs:
        """The answer of a sidecar, with retries as far as the time allows; raises SidecarError."""
        ends = self._clock() + self._timeout
        tried: list[SidecarMember] = []
        while True:
            member = self.balancer.choose(tried)
            if member is None:
                raise self._refuse(question)
            tried.append(member)
            try:
                return await self._call(member, question, ends - self._clock())
            except SidecarError as failure:
                is_last = len(tried) > self._retries or ends - self._clock() < _MIN_TRY_SECONDS
                if is_last or not failure.retryable or self.balancer.choose(tried) is None:
                    raise
                self._instruments.retries.inc()

    def _refuse(self, question: _InferenceCall) -> SidecarError:
        question.counted.failure.inc()
        self._instruments.errors["circuit_open"].inc()
        fault, remedy = "every circuit is open after failures", "It is probed again within seconds."
        self._calls.report_failure(question.request_id, question.operation, "circuit_open", fault)
        return SidecarError("sidecars", fault, remedy, error_type="circuit_open", retryable=False)

    async def _call(self, member: SidecarMember, question: _InferenceCall, timeout_seconds: float) -> Outputs:
        started = self._clock()
        try:
            answer = await member.infer(question.window, question.request_id, timeout_seconds)
        except SidecarError as failure:
            self._count_failure(member, question, failure, self._clock() - started)
            raise
        except Exception as surprise:
            _log.exception("unexpected error in a call to a sidecar")
            unexpected = unknown(member.name, surprise)
            self._count_failure(member, question, unexpected, self._clock() - started)
            raise unexpected from surprise
        self._count_success(member, question, answer, self._clock() - started)
        return answer.outputs

    def _count_failure(
        self, member: SidecarMember, question: _InferenceCall, failure: SidecarError, seconds: float
    ) -> None:
        question.counted.failure.inc()
        member.instruments.failure.inc()
        self._observe(question, seconds)
        self._instruments.errors[failure.error_type].inc()
        if isinstance(failure, ContractViolation):
            self._instruments.outputs.violations[failure.check].inc()
            self._show_dimensions()
        self._calls.report_failure(
            question.request_id,
            question.operation,
            failure.error_type,
            str(failure),
            sidecar=member.name,
            duration_ms=round(1000 * seconds, 3),
        )

    def _count_success(
        self, member: SidecarMember, question: _InferenceCall, answer: SidecarAnswer, seconds: float
    ) -> None:
        question.counted.success.inc()
        member.instruments.success.inc()
        if self._observe(question, seconds):
            traced = {"trace_id": trace_id} if (trace_id := _recorded_trace()) else {}
            backend = answer.outputs.backend
            self._calls.log(question.request_id, question.operation, member.name, seconds, backend=backend, **traced)
        if answer.inside_seconds is not None:
            self._instruments.outputs.network.observe(max(0.0, seconds - answer.inside_seconds))
        self._count_outputs(answer.outputs)
        if self._reader.dimensions != self._dimensions:
            self._show_dimensions()

    def _count_outputs(self, outputs: Outputs) -> None:
        counted, top = self._instruments.outputs, outputs.top
        counted.samples.inc(WINDOW_SAMPLES)
        counted.latents.inc()
        counted.predictions.inc()
        counted.confidence.observe(outputs.scores[top])
        counted.top[top].inc()
        counted.latent_norm.observe(outputs.latent_norm)
        self._drift.add(outputs.latent, top)

    def _observe(self, question: _InferenceCall, seconds: float) -> bool:
        """Observe a call in the histogram; returns whether it carries an exemplar, and so needs a log line."""
        trace_id = _recorded_trace()
        if self._calls.is_due(seconds, is_traced=bool(trace_id)):
            exemplar = {"request_id": question.request_id} | ({"trace_id": trace_id} if trace_id else {})
            question.counted.duration.observe(seconds, exemplar)
            return True
        question.counted.duration.observe(seconds)
        return False

    def _show_dimensions(self) -> None:
        dimensions = self._reader.dimensions
        if dimensions is not None and dimensions != self._dimensions:
            self._dimensions = dimensions
            self._instruments.readings.publish(OUTPUT_DIMENSIONS, dimensions[0], "latent")
            self._instruments.readings.publish(OUTPUT_DIMENSIONS, dimensions[1], "motif_scores")

    async def _fall_back(self, window: NDArray[np.float32], reason: str, why: str) -> Analysis:
        if self.fallback is None:
            remedy = "Wait for a sidecar, or set EDGEINFER_GATEWAY_FALLBACK=true."
            raise NotReady("analysis", f"no sidecar answered ({why}) and the fallback is switched off", remedy)
        started, trace, began = self._clock(), current_trace.get(), perf_counter()
        try:
            outputs = await self.fallback.infer(window)
        except (BackendError, SidecarError) as failure:
            _log.exception("the fallback failed")
            fault = f"no sidecar answered ({why}) and the fallback failed ({failure.fault})"
            raise NotReady("analysis", fault, "See the gateway's log.") from failure
        if trace is not None:
            trace.add("fallback", began, perf_counter(), reason=reason)
        self._instruments.fallback_duration.observe(self._clock() - started)
        self._instruments.fallbacks[reason].inc()
        return Analysis(outputs, "fallback")

    async def probe(self, window: NDArray[np.float32]) -> Analysis:
        """Analyse a known window for a health check: through circuit and fallback, counted nowhere.

        Raises:
            NotReady, Overloaded, BackendError, SidecarError: nobody could answer.
        """
        member = self.balancer.choose()
        if member is not None:
            try:
                answer = await member.infer(window, "health-check", self._timeout)
            except SidecarError:
                if self.fallback is None:
                    raise
            else:
                return Analysis(answer.outputs, "sidecar")
        if self.fallback is None:
            raise NotReady("analysis", "no sidecar can be asked and the fallback is switched off", "Start a sidecar.")
        return Analysis(await self.fallback.infer(window), "fallback")


def _recorded_trace() -> str:
    """The id of the trace that this request is recorded in, or empty."""
    trace = current_trace.get()
    return trace.trace_id if trace is not None and trace.is_recorded else ""
