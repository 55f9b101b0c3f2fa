"""POST .../infer of the protocol: the same windows, pool and account as POST /infer."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from starlette.types import Receive, Scope, Send

from edgeinfer.errors import BodyTooLarge
from edgeinfer.sidecar.accounting import Call, InferenceAccount
from edgeinfer.sidecar.batch import submit_all
from edgeinfer.sidecar.exchange import Answer, FastRoute, Reply, Request, plain_body, request_id_for
from edgeinfer.sidecar.inference import Computed, InferencePool
from edgeinfer.sidecar.model import ServedModel
from edgeinfer.sidecar.open_inference.answer import encode, failure_answer
from edgeinfer.sidecar.open_inference.contract import check_model
from edgeinfer.sidecar.open_inference.request import InferRequest, RequestDecoder
from edgeinfer.web.direct import DirectRoute

# 64 windows as JSON of six digits are 0.5 MB; with all their digits, 47 fit.
MAX_BODY_BYTES = 1024 * 1024
INFER = "/v2/models/{name}/infer"
INFER_VERSION = "/v2/models/{name}/versions/{version}/infer"
_HEADERS = b"%bx-backend: %b\r\nserver-timing: %b\r\nx-request-id: %b\r\n"


class OpenInferenceEndpoint:
    """Answers the windows of one request together.

    Args:
        decoder: of requests.
        pool: computes.
        model: whose name and version a request must have.
        account: stages, outcomes, errors.
        record: counts an answer to a direct request: method, endpoint, status, seconds.
    """

    def __init__(
        self,
        decoder: RequestDecoder,
        pool: InferencePool,
        model: ServedModel,
        account: InferenceAccount,
        record: Callable[[str, str, int, float], None],
    ) -> None:
        self._decoder = decoder
        self._pool = pool
        self._model = model
        self._account = account
        self._record = record

    def direct_routes(self) -> tuple[DirectRoute, ...]:
        """How the server reaches the model of now past ASGI; another model's paths go through it."""
        name, version = self._model.card.name, self._model.card.version
        paths = {INFER: (name, ""), INFER_VERSION: (name, version)}
        return tuple(
            self._route(template, *asked).direct_route(template.format(name=asked[0], version=asked[1]))
            for template, asked in paths.items()
        )

    async def serve(self, name: str, version: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request for a model; an empty version is any."""
        await self._route(INFER_VERSION if version else INFER, name, version)(scope, receive, send)

    def _route(self, template: str, name: str, version: str) -> FastRoute:
        def answer(request: Request, reply: Reply) -> None:
            self._answer(name, version, Call(request, template, request_id_for(request.headers)), reply)

        return FastRoute(template, MAX_BODY_BYTES, answer, self._account.abandoned, self._record)

    def _answer(self, name: str, version: str, call: Call, reply: Reply) -> None:
        request, count = call.request, 1
        try:
            check_model(self._model.card, name, version)
            asked = self._read(request)
            count, decoded = len(asked.windows), perf_counter()

            def deliver(outcome: Sequence[Computed] | Exception) -> None:
                if isinstance(outcome, Exception):
                    reply(self._refused(outcome, call, count))
                else:
                    reply(self._answered(asked, call, decoded, outcome))

            submit_all(self._pool, asked.windows, request.is_abandoned, deliver)
        except Exception as failure:  # noqa: BLE001 - every failure becomes an answer
            reply(self._refused(failure, call, count))

    def _read(self, request: Request) -> InferRequest:
        if request.body is None:
            raise BodyTooLarge("body", f"it is larger than {MAX_BODY_BYTES} bytes", "Send fewer windows a request.")
        headers = request.headers
        return self._decoder.read(headers, plain_body(headers, request.body, MAX_BODY_BYTES))

    def _answered(
        self,
        asked: InferRequest,
        call: Call,
        decoded: float,
        computed: Sequence[Computed],
    ) -> Answer:
        described, card = self._model.description, self._model.card
        backend = described.kind if described is not None else ""
        about: dict[str, Any] = {
            "model_name": card.name,
            "model_version": card.version,
            "id": asked.id or call.request_id.decode(),
            "parameters": {"backend": backend},
        }
        form, body = encode(asked, [one.inference for one in computed], about)
        timing = self._account.answered(call, decoded, computed)
        return Answer(200, _HEADERS % (form, backend.encode(), timing, call.request_id), body)

    def _refused(self, failure: Exception, call: Call, windows: int) -> Answer | None:
        problem = self._account.refused(failure, call, windows)
        return None if problem is None else failure_answer(problem, call.request_id)
