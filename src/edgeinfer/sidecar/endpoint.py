"""POST /infer: the hot path, past the framework."""

from collections.abc import Callable
from time import perf_counter

import orjson
from starlette.types import Receive, Scope, Send

from edgeinfer.backends.base import Window
from edgeinfer.errors import BodyTooLarge
from edgeinfer.sidecar.accounting import Call, InferenceAccount
from edgeinfer.sidecar.decoding import WindowDecoder
from edgeinfer.sidecar.exchange import (
    BINARY,
    FastRoute,
    HttpAnswer,
    Reply,
    Request,
    body_type,
    little_endian,
    plain_body,
    problem_headers,
    request_id_for,
    wants_binary,
)
from edgeinfer.sidecar.inference import Computed, InferencePool
from edgeinfer.sidecar.model import ServedModel
from edgeinfer.web.direct import DirectRoute

# 100 rows of 9 numbers with all their digits are 22 KB.
MAX_BODY_BYTES = 64 * 1024
INFER_PATH = "/infer"
_HEADERS = b"%bx-backend: %b\r\nserver-timing: %b\r\nx-request-id: %b\r\n"
_JSON_HEADERS = b"content-type: application/json\r\n"
_BINARY_HEADERS = b"content-type: application/octet-stream\r\nx-latent-dimensions: %d\r\n"


class InferEndpoint:
    """Decodes a window, has it computed, encodes the answer, and accounts for the time of each stage.

    Args:
        decoder: of the model's windows.
        pool: computes.
        model: for what the answer says about the backend.
        account: stages, outcomes, errors.
        record: counts an answer to a direct request: method, endpoint, status, seconds.
    """

    def __init__(
        self,
        decoder: WindowDecoder,
        pool: InferencePool,
        model: ServedModel,
        account: InferenceAccount,
        record: Callable[[str, str, int, float], None],
    ) -> None:
        self._decoder = decoder
        self._pool = pool
        self._model = model
        self._account = account
        self._route = FastRoute(INFER_PATH, MAX_BODY_BYTES, self._answer, account.abandoned, record)

    def direct_route(self) -> DirectRoute:
        """How the server reaches it past ASGI."""
        return self._route.direct_route(INFER_PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._route(scope, receive, send)

    def _answer(self, request: Request, reply: Reply) -> None:
        call = Call(request, INFER_PATH, request_id_for(request.headers))
        try:
            window = self._decode(request.headers, request.body)
            decoded = perf_counter()

            def deliver(outcome: Computed | Exception) -> None:
                reply(self._outcome(call, decoded, outcome))

            self._pool.submit(window, request.is_abandoned, deliver)
        except Exception as failure:  # noqa: BLE001 - every failure becomes an answer
            reply(self._refused(failure, call))

    def _decode(self, headers: dict[bytes, bytes], body: bytes | None) -> Window:
        if body is None:
            raise BodyTooLarge("body", f"it is larger than {MAX_BODY_BYTES} bytes", "Send one window a request.")
        body = plain_body(headers, body, MAX_BODY_BYTES)
        if body_type(headers) == BINARY:
            return self._decoder.from_binary(body)
        return self._decoder.from_json(body)

    def _outcome(self, call: Call, decoded: float, outcome: Computed | Exception) -> HttpAnswer | None:
        if not isinstance(outcome, Computed):
            return self._refused(outcome, call)
        try:
            return self._answered(call, decoded, outcome)
        except Exception as failure:  # noqa: BLE001 - an output that cannot be encoded is a failure like any other
            return self._refused(failure, call)

    def _answered(self, call: Call, decoded: float, computed: Computed) -> HttpAnswer:
        described, inference = self._model.description, computed.inference
        kind = described.kind if described is not None else ""
        if wants_binary(call.request.headers):
            body = little_endian(inference.latent) + little_endian(inference.motif_scores)
            form = _BINARY_HEADERS % inference.latent.size
        else:
            answer = {"latent": inference.latent, "motif_scores": inference.motif_scores, "backend": kind}
            body, form = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), _JSON_HEADERS
        timing = self._account.answered(call, decoded, (computed,))
        return HttpAnswer(200, _HEADERS % (form, kind.encode(), timing, call.request_id), body)

    def _refused(self, failure: Exception, call: Call) -> HttpAnswer | None:
        problem = self._account.refused(failure, call)
        if problem is None:
            return None
        return HttpAnswer(problem.status_code, problem_headers(problem, call.request_id), bytes(problem.body))
