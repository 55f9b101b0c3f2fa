"""POST /infer: the hot path, past the framework."""

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import orjson
from starlette.types import Message, Receive, Scope, Send

from edgeinfer.backends.base import Window
from edgeinfer.errors import (
    BackendError,
    BodyTooLarge,
    InputError,
    InvalidOutput,
    NotReady,
    Overloaded,
    UnsupportedContentType,
)
from edgeinfer.sidecar.decoding import WindowDecoder
from edgeinfer.sidecar.inference import ClientDisconnected, Computed, InferencePool, never
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.sidecar.model import ServedModel
from edgeinfer.web.direct import DirectRequest, DirectRoute
from edgeinfer.web.problems import problem_of
from edgeinfer.web.request_id import request_id_of
from edgeinfer.web.request_metrics import CLIENT_CLOSED_REQUEST

# 100 rows of 9 numbers with all their digits are 22 KB.
MAX_BODY_BYTES = 64 * 1024
_JSON = b"application/json"
_BINARY = b"application/octet-stream"
_TIMING = (
    b"total;dur=%.4f, queue;dur=%.4f, decode;dur=%.4f, preprocess;dur=%.4f, execute;dur=%.4f, postprocess;dur=%.4f"
)
_HEADERS = b"%bx-backend: %b\r\nserver-timing: %b\r\nx-request-id: %b\r\n"
_JSON_HEADERS = b"content-type: application/json\r\n"
_BINARY_HEADERS = b"content-type: application/octet-stream\r\nx-latent-dimensions: %d\r\n"
_log = logging.getLogger(__name__)


class Request(Protocol):
    """What is asked, in whatever way it came."""

    @property
    def arrived(self) -> float:
        """When its head was there, in seconds of `perf_counter`."""

    @property
    def headers(self) -> dict[bytes, bytes]:
        """By names in lower case."""

    @property
    def body(self) -> bytes | None:
        """None where it is too large."""

    @property
    def is_abandoned(self) -> Callable[[], bool]:
        """Tells whether the caller has hung up; asked on a worker."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request that came through ASGI."""

    arrived: float
    headers: dict[bytes, bytes]
    body: bytes | None
    is_abandoned: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Path:
    """Stands in the scope where the framework puts its route, for the request metrics."""

    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the caller.

    Args:
        status: of HTTP.
        headers: lines that end with CR LF, without content-length.
        body: as it is sent.
    """

    status: int
    headers: bytes
    body: bytes


Reply = Callable[[Answer | None], None]
"""Takes the answer, once; None when the caller has hung up and nothing was computed."""


class InferEndpoint:
    """Decodes a window, has it computed, encodes the answer, and accounts for the time of each stage.

    Requests come as direct ones from the server, or as ASGI ones; both are answered by the same few steps.

    Args:
        decoder: of the model's windows.
        pool: computes.
        model: for what the answer says about the backend.
        instruments: stages, outcomes, problems.
        record: counts an answer to a direct request: method, endpoint, status, seconds.
    """

    def __init__(
        self,
        decoder: WindowDecoder,
        pool: InferencePool,
        model: ServedModel,
        instruments: SidecarInstruments,
        record: Callable[[str, str, int, float], None],
    ) -> None:
        self._decoder = decoder
        self._pool = pool
        self._model = model
        self._instruments = instruments
        self._record = record
        self._route = Path("/infer")
        self.last_seconds: float | None = None

    def direct_route(self) -> DirectRoute:
        """How the server reaches it past ASGI."""
        return DirectRoute(self._route.path.encode(), MAX_BODY_BYTES, self._serve)

    def _serve(self, request: DirectRequest) -> None:
        def reply(answer: Answer | None) -> None:
            status = CLIENT_CLOSED_REQUEST if answer is None or request.disconnected else answer.status
            if answer is not None:
                request.respond(answer.status, answer.headers, answer.body)
            self._record("POST", self._route.path, status, perf_counter() - request.arrived)

        if request.disconnected:
            reply(self._refused(ClientDisconnected(), b""))
        else:
            self._answer(request, reply)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        arrived = perf_counter()
        scope["route"] = self._route
        replied: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        headers = dict(scope["headers"])
        try:
            request = Arrived(arrived, headers, await _read(headers, receive), _hang_up_of(receive))
        except ClientDisconnected:
            self._instruments.count_inference["abandoned"]()
            return
        self._answer(request, lambda answer: None if replied.cancelled() else replied.set_result(answer))
        answer = await replied
        if answer is None:
            return
        lines = [*answer.headers.split(b"\r\n")[:-1], b"content-length: %d" % len(answer.body)]
        pairs = [line.split(b": ", 1) for line in lines]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": answer.body})

    def _answer(self, request: Request, reply: Reply) -> None:
        request_id = request_id_of(request.headers.get(b"x-request-id", b""))
        try:
            window = self._decode(request.headers, request.body)
            decoded = perf_counter()

            def deliver(outcome: Computed | Exception) -> None:
                if isinstance(outcome, Computed):
                    reply(self._told(request, decoded, outcome, request_id))
                else:
                    reply(self._refused(outcome, request_id))

            self._pool.submit(window, request.is_abandoned, deliver)
        except Exception as failure:  # noqa: BLE001 - every failure becomes an answer
            reply(self._refused(failure, request_id))

    def _decode(self, headers: dict[bytes, bytes], body: bytes | None) -> Window:
        if body is None:
            raise BodyTooLarge("body", f"it is larger than {MAX_BODY_BYTES} bytes", "Send one window a request.")
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedContentType("Content-Encoding", "bodies are not unpacked here", "Send the body as it is.")
        kind = _first_type(headers.get(b"content-type", b""))
        if kind == _BINARY:
            return self._decoder.from_binary(body)
        if kind == _JSON:
            return self._decoder.from_json(body)
        fault = f"it is {kind.decode('latin-1') or 'not given'}" if len(kind) < 100 else "it is unknown"  # noqa: PLR2004
        raise UnsupportedContentType("Content-Type", fault, "Send application/json or application/octet-stream.")

    def _told(self, request: Request, decoded: float, computed: Computed, request_id: bytes) -> Answer:
        described, inference = self._model.description, computed.inference
        kind = described.kind if described is not None else ""
        if _first_type(request.headers.get(b"accept", b"")) == _BINARY:
            body = _little(inference.latent) + _little(inference.motif_scores)
            form = _BINARY_HEADERS % inference.latent.size
        else:
            answer = {"latent": inference.latent, "motif_scores": inference.motif_scores, "backend": kind}
            body, form = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), _JSON_HEADERS
        timing = self._account(request.arrived, decoded, computed)
        return Answer(200, _HEADERS % (form, kind.encode(), timing, request_id), body)

    def _account(self, arrived: float, decoded: float, computed: Computed) -> bytes:
        """Observe the stages, whose sum is the total, and tell them in milliseconds."""
        inference, instruments = computed.inference, self._instruments
        total = self.last_seconds = perf_counter() - arrived
        queue, decode = computed.started - decoded, decoded - arrived
        preprocess, execute = inference.preprocess_seconds, inference.execute_seconds
        # Scores, the way back to the loop and the encoding: what is left of the whole.
        postprocess = max(0.0, total - queue - decode - preprocess - execute)
        instruments.observe_queue(queue)
        instruments.observe_decode(decode)
        instruments.observe_preprocess(preprocess)
        instruments.observe_execute(execute)
        instruments.observe_postprocess(postprocess)
        instruments.count_inference["success"]()
        return _TIMING % (total * 1e3, queue * 1e3, decode * 1e3, preprocess * 1e3, execute * 1e3, postprocess * 1e3)

    def _refused(self, failure: Exception, request_id: bytes) -> Answer | None:
        if isinstance(failure, ClientDisconnected):
            self._instruments.count_inference["abandoned"]()
            return None
        problem = problem_of(failure)
        self._instruments.count_inference[_outcome(failure)]()
        self._instruments.problems.labels(problem.problem).inc()
        if isinstance(failure, BackendError):
            fields = {"request_id": request_id.decode(), "error_class": failure.error_class, "fault": str(failure)}
            _log.warning("a window was not answered", extra=fields)
        pairs = [*problem.raw_headers, (b"x-request-id", request_id)]
        lines = [b"%b: %b\r\n" % pair for pair in pairs if pair[0] != b"content-length"]
        return Answer(problem.status_code, b"".join(lines), bytes(problem.body))


def _first_type(value: bytes) -> bytes:
    """The media type that a header names first, without its parameters."""
    if value in {_JSON, _BINARY}:
        return value
    return value.partition(b",")[0].partition(b";")[0].strip().lower()


def _hang_up_of(receive: Receive) -> Callable[[], bool]:
    """Whether the caller has hung up, without awaiting: a window in a full queue is often nobody's any more.

    ASGI tells it only to one who waits for the next message, which costs a task for every request; uvicorn's
    request, whose method `receive` is, knows it at once.
    """
    cycle: Any = getattr(receive, "__self__", None)
    if not hasattr(cycle, "disconnected"):
        return never
    return lambda: cycle.disconnected is True


async def _read(headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
    """The body, or None where it is too large."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        return None
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        parts.append(_part(message))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            return None
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnected
    part: bytes = message.get("body", b"")
    return part


def _little(values: Window) -> bytes:
    return (values if sys.byteorder == "little" else values.byteswap()).tobytes()


def _outcome(failure: Exception) -> str:
    """Value of the `status` label of the sidecar's inferences."""
    outcomes: list[tuple[type[Exception], str]] = [
        (InputError, "invalid_input"),
        (Overloaded, "shed"),
        (NotReady, "not_ready"),
        (InvalidOutput, "invalid_output"),
    ]
    return next((outcome for kind, outcome in outcomes if isinstance(failure, kind)), "backend_error")
