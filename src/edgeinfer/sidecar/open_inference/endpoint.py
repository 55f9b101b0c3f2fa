"""POST .../infer of the protocol: the same windows, pool and account as POST /infer."""

from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from edgeinfer.errors import BodyTooLarge
from edgeinfer.sidecar.accounting import Call
from edgeinfer.sidecar.exchange import FastRoute, HttpAnswer, Reply, Request, plain_body, request_id_for
from edgeinfer.sidecar.open_inference.answer import encode, failure_answer
from edgeinfer.sidecar.open_inference.core import Computation, OpenInferenceCore
from edgeinfer.sidecar.open_inference.request import InferRequest, RequestDecoder
from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.problems import Problem

# 64 windows as JSON of six digits are 0.5 MB; with all their digits, 47 fit.
MAX_BODY_BYTES = 1024 * 1024
INFER = "/v2/models/{name}/infer"
INFER_VERSION = "/v2/models/{name}/versions/{version}/infer"
_HEADERS = b"%bx-backend: %b\r\nserver-timing: %b\r\nx-request-id: %b\r\n"


class OpenInferenceEndpoint:
    """Reads requests over HTTP, and encodes their answers.

    Args:
        decoder: of requests.
        core: has them computed.
        record: counts an answer to a direct request: method, endpoint, status, seconds.
    """

    def __init__(
        self,
        decoder: RequestDecoder,
        core: OpenInferenceCore,
        record: Callable[[str, str, int, float], None],
    ) -> None:
        self._decoder = decoder
        self._core = core
        self._record = record

    def direct_routes(self) -> tuple[DirectRoute, ...]:
        """How the server reaches the model of now past ASGI; another model's paths go through it."""
        card = self._core.model.card
        name, version = card.name, card.version
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

        return FastRoute(template, MAX_BODY_BYTES, answer, self._core.abandoned, self._record)

    def _answer(self, name: str, version: str, call: Call, reply: Reply) -> None:
        def deliver(outcome: Computation | Problem | None) -> None:
            answer = self._core.encoded(outcome, call, lambda done: self._answered(call, done))
            reply(failure_answer(answer, call.request_id) if isinstance(answer, Problem) else answer)

        self._core.submit(name, version, call, lambda: self._read(call.request), deliver)

    def _read(self, request: Request) -> InferRequest:
        if request.body is None:
            raise BodyTooLarge("body", f"it is larger than {MAX_BODY_BYTES} bytes", "Send fewer windows a request.")
        headers = request.headers
        return self._decoder.read(headers, plain_body(headers, request.body, MAX_BODY_BYTES))

    def _answered(self, call: Call, done: Computation) -> HttpAnswer:
        backend = self._core.backend
        about: dict[str, Any] = self._core.about(done.asked, call) | {"parameters": {"backend": backend}}
        form, body = encode(done.asked, [one.inference for one in done.computed], about)
        timing = self._core.finish(call, done)
        return HttpAnswer(200, _HEADERS % (form, backend.encode(), timing, call.request_id), body)
