"""One call to a sidecar: what is sent, what an answer means, and which class a failure has."""

import asyncio
from collections.abc import Coroutine, Mapping
from math import inf
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgeinfer.errors import SidecarError
from edgeinfer.gateway.discovery import Discovery, SelfDescription
from edgeinfer.gateway.outputs import OutputReader, Outputs
from edgeinfer.gateway.protocols import SidecarProtocol
from edgeinfer.gateway.transport import RawAnswer, Transport, timed_out
from edgeinfer.web.trace_context import RequestTrace, current_trace

_MIN_SECONDS = 0.001
_OK = 200
_BUSY = 503


class SidecarAnswer(msgspec.Struct, frozen=True):
    """A sidecar's answer to one window.

    Args:
        outputs: checked against the contract.
        inside_seconds: time the sidecar accounts for, None where it does not say.
    """

    outputs: Outputs
    inside_seconds: float | None


class SidecarClient:
    """Asks one sidecar, in the way that it says it takes.

    Args:
        name: for messages, and the label of its metrics.
        transport: carries the bytes.
        reader: checks answers.
        discovery: learns how it is asked, before the first window and at each health check.
    """

    def __init__(self, name: str, transport: Transport, reader: OutputReader, discovery: Discovery) -> None:
        self.name = name
        self._transport = transport
        self._reader = reader
        self._discovery = discovery
        self._learning = asyncio.Lock()
        self.protocol: SidecarProtocol | None = discovery.fixed
        """How it is asked; None before it has said anything of itself."""

    def infer(
        self, window: NDArray[np.float32], request_id: str, timeout_seconds: float
    ) -> Coroutine[Any, Any, SidecarAnswer]:
        """Have one window (100, 9) analysed.

        Raises:
            SidecarError: with one of `edgeinfer.catalog.labels.INFERENCE_ERROR_TYPES`.
        """
        trace = current_trace.get()
        headers = {"X-Request-Id": request_id}
        if trace is None:
            return self._infer(window, headers, timeout_seconds)
        return self._infer_traced(trace, window, headers, timeout_seconds)

    async def _infer_traced(
        self, trace: RequestTrace, window: NDArray[np.float32], given: Mapping[str, str], timeout_seconds: float
    ) -> SidecarAnswer:
        started = perf_counter()
        headers = {**given, **trace.call_headers()}
        try:
            answer = await self._infer(window, headers, timeout_seconds)
        except SidecarError as failure:
            trace.add_call(self.name, started, perf_counter(), None, failure.error_type)
            raise
        trace.add_call(self.name, started, perf_counter(), answer.inside_seconds, "")
        return answer

    async def _infer(
        self, window: NDArray[np.float32], given: Mapping[str, str], timeout_seconds: float
    ) -> SidecarAnswer:
        protocol = self.protocol
        if protocol is None:
            protocol, timeout_seconds = await self._learn_first(timeout_seconds)
        encoded = protocol.encode(window)
        headers = {**encoded.headers, **given}
        raw = await self._transport.post(encoded.body, headers, timeout_seconds, path=protocol.path)
        if raw.status != _OK:
            raise _refused(self.name, raw)
        outputs = protocol.decode(raw, self._reader)
        return SidecarAnswer(outputs, inside_seconds(raw.headers.get("server-timing", "")))

    async def describe(self, timeout_seconds: float) -> SelfDescription:
        """What it says of itself; windows go to it accordingly from now on. Raises SidecarError."""
        ends = perf_counter() + timeout_seconds

        async def get(path: str) -> RawAnswer:
            return await self._transport.get(path, max(_MIN_SECONDS, ends - perf_counter()))

        described = await self._discovery.describe(get)
        self.protocol = described.protocol
        return described

    async def _learn_first(self, timeout_seconds: float) -> tuple[SidecarProtocol, float]:
        """The protocol, and what is left of the time."""
        started = perf_counter()
        try:
            async with asyncio.timeout(timeout_seconds), self._learning:
                if self.protocol is None:  # else another call has learned it meanwhile
                    await self.describe(timeout_seconds)
        except TimeoutError as failure:
            raise timed_out(self.name, timeout_seconds) from failure
        assert self.protocol is not None  # noqa: S101 - describe() sets it, or raises
        return self.protocol, max(_MIN_SECONDS, timeout_seconds - (perf_counter() - started))

    async def close(self) -> None:
        await self._transport.close()


def inside_seconds(server_timing: str) -> float | None:
    """The total of a Server-Timing header, in seconds; None where it is not a plausible time.

    It goes into a sum that is never set back: one answer must not distort it.
    """
    for metric in server_timing.split(","):
        name, _, duration = metric.strip().partition(";dur=")
        if name == "total":
            try:
                seconds = float(duration) / 1000
            except ValueError:
                return None
            return seconds if 0 <= seconds < inf else None
    return None


def is_about_health(failure: SidecarError) -> bool:
    """Whether a failure shows that the sidecar does not work, rather than that it refused this one call."""
    return failure.error_type != "http_4xx" and not failure.is_busy


class Busy(SidecarError):
    """The sidecar sheds load: it works, and asks to be left alone for a moment."""

    is_busy = True


def _refused(name: str, raw: RawAnswer) -> SidecarError:
    thing, fault = f"sidecar {name}", f"it answered with status {raw.status}"
    if raw.status == _BUSY and raw.headers.get("retry-after"):
        return Busy(thing, fault, "It is full or starting; see its log.", error_type="http_5xx", retryable=True)
    if 400 <= raw.status < 500:  # noqa: PLR2004 - the ranges of HTTP
        remedy = "Compare its version with the gateway's, and the path of MODEL_BACKEND_URL."
        return SidecarError(thing, fault, remedy, error_type="http_4xx", retryable=False)
    if 500 <= raw.status < 600:  # noqa: PLR2004 - as above
        return SidecarError(thing, fault, "See its log.", error_type="http_5xx", retryable=True)
    remedy = "Set MODEL_BACKEND_URL to the URL of the inference route."
    return SidecarError(thing, fault, remedy, error_type="unknown_error", retryable=False)
