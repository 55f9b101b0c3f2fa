"""One gRPC call from its headers to its status: read within bounds, counted like a request to the routes.

Messages are read by the handlers, not by gRPC before it calls them. So a call that never sends its message is ended,
one whose message is refused is counted, and decoding is part of what is measured.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import grpc

from edgeinfer.errors import BodyTooLarge, EdgeInferError, InvalidBody
from edgeinfer.sidecar.accounting import Call
from edgeinfer.sidecar.exchange import Arrived, request_id_for
from edgeinfer.sidecar.inference import never
from edgeinfer.sidecar.open_inference.rpc.parts import Counting
from edgeinfer.sidecar.open_inference.rpc.status import Metadata, code_of, metadata_of
from edgeinfer.web.connection import TOO_BUSY
from edgeinfer.web.error_answers import CLIENT_CLOSED_REQUEST, Refusal, Refused
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.problems import Problem, problem_of

_READ_METADATA = frozenset({"x-request-id", "traceparent", "tracestate"})
# gRPC ends a call whose message it refuses right after it has said that none comes.
_REFUSED_SECONDS = 0.25
_UNMATCHED = "unmatched"
_SEE_METHODS = "Call the methods of inference.GRPCInferenceService that health, metadata and inference need."


class CallFailed(Exception):
    """A call that ends with an error, which is counted already.

    Args:
        problem: what to answer.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Context(Protocol):
    """What gRPC gives to a handler, as far as it is used."""

    async def read(self) -> Any:
        """The next message, or grpc.aio.EOF."""

    async def abort(self, code: Any, details: str, trailing_metadata: Metadata) -> None:
        """End the call with an error; always raises."""

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        """What follows the answer."""

    def invocation_metadata(self) -> Metadata | None:
        """What came before the message."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call whose message is still to be read.

    Args:
        request: its headers, and whether the caller still waits.
        call: the same, with its method and its id.
        read: gives the message once; raises BodyTooLarge, InvalidBody or Refused.
        reply_with: takes what follows the answer, in addition to the id of the request.
    """

    request: Arrived
    call: Call
    read: Callable[[], Awaitable[bytes]]
    reply_with: Callable[[Metadata], None]


Answer = Callable[[Incoming], Awaitable[bytes]]


class Calls:
    """Runs calls.

    Args:
        counting: of what becomes of them.
        limits: how many run at a time, how long one may take to send its message, and how large that may be.
    """

    def __init__(self, counting: Counting, limits: ConnectionLimits) -> None:
        self._counting = counting
        self._limits = limits
        self._running = 0

    def handler(self, path: str, answer: Answer) -> Any:
        """What gRPC calls for the calls of one method: one message each way, as its callers see it.

        Args:
            path: of the method, for the metrics.
            answer: reads the message and encodes the answer.
        """

        async def serve(_: Any, context: Context) -> bytes:
            return await self._serve(path, answer, context)

        return grpc.stream_unary_rpc_method_handler(serve)

    def unmatched_handler(self) -> Any:
        """What gRPC calls for every other method."""

        async def refuse(_: Incoming) -> bytes:
            problem = Problem(405, "method_not_allowed", "This method is not spoken here.", _SEE_METHODS)
            self._counting.problems.labels(problem.problem).inc()
            raise CallFailed(problem)

        return self.handler(_UNMATCHED, refuse)

    async def _serve(self, path: str, answer: Answer, context: Context) -> bytes:
        arrived, status = perf_counter(), CLIENT_CLOSED_REQUEST
        request = Arrived(arrived, _headers(context), b"", never)
        call = Call(request, path, request_id_for(request.headers))
        identity = ("x-request-id", call.request_id.decode())

        def reply_with(metadata: Metadata) -> None:
            context.set_trailing_metadata((identity, *metadata))

        encoded, problem = b"", None
        self._running += 1
        try:
            encoded = await self._answer(answer, Incoming(request, call, lambda: self._read(context), reply_with))
            status = 200
        except CallFailed as failure:
            problem = failure.problem
            status = problem.status_code
        finally:
            self._running -= 1
            self._counting.record("POST", path, status, perf_counter() - arrived)
        if problem is not None:
            details = f"{problem.message} {problem.remedy}"
            await context.abort(code_of(status), details, (identity, *metadata_of(problem)))
        return encoded

    async def _answer(self, answer: Answer, incoming: Incoming) -> bytes:
        try:
            self._check_room()
            return await answer(incoming)
        except CallFailed:
            raise
        except Refused as failure:
            self._counting.on_refusal(failure.refusal)
            raise CallFailed(_problem_of(failure.refusal)) from failure
        except Exception as failure:  # every failure becomes an answer
            problem = problem_of(failure)
            self._counting.problems.labels(problem.problem).inc()
            raise CallFailed(problem) from failure

    def _check_room(self) -> None:
        if self._running > self._limits.max_running_requests:
            raise Refused(TOO_BUSY)

    async def _read(self, context: Context) -> bytes:
        seconds = self._limits.body_seconds
        try:
            async with asyncio.timeout(seconds):
                message = await context.read()
        except TimeoutError as failure:
            reason = f"No whole message came within {seconds:g} s."
            raise Refused(Refusal(408, "slow_request", reason, "Send it at once.")) from failure
        if message is grpc.aio.EOF:
            raise await self._why_nothing_came()
        found: bytes = message
        return found

    async def _why_nothing_came(self) -> EdgeInferError:
        try:
            await asyncio.sleep(_REFUSED_SECONDS)
        except asyncio.CancelledError:
            fault = f"it is larger than {self._limits.max_body_bytes} bytes"
            # gRPC has answered already: this is for the metrics.
            return BodyTooLarge("message", fault, "Send fewer windows a request.")
        return InvalidBody("message", "there is none", "Send one message a call.")


def _problem_of(refusal: Refusal) -> Problem:
    seconds = refusal.retry_after_seconds
    return Problem(refusal.status, refusal.error, refusal.message, refusal.remedy, seconds)


def _headers(context: Context) -> dict[bytes, bytes]:
    """Those that are read of a call's metadata, by names in lower case."""
    return {
        key.encode(): value.encode()
        for key, value in context.invocation_metadata() or ()
        if key in _READ_METADATA and isinstance(value, str)
    }
