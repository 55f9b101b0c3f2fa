"""The methods of `inference.GRPCInferenceService`, and of the health service that probes and proxies ask."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from edgeinfer.errors import EdgeInferError, InvalidBody, UnknownModel
from edgeinfer.sidecar.open_inference import contract
from edgeinfer.sidecar.open_inference.core import Computation, OpenInferenceCore
from edgeinfer.sidecar.open_inference.rpc.calls import Answer, CallFailed, Calls, Incoming
from edgeinfer.sidecar.open_inference.rpc.messages import (
    HEALTH_SERVICE,
    NOT_SERVING,
    SERVICE,
    SERVING,
    message_classes,
)
from edgeinfer.sidecar.open_inference.rpc.status import Metadata
from edgeinfer.sidecar.open_inference.rpc.tensors import MessageDecoder, fill
from edgeinfer.web.asgi_exchange import NO_ANSWER_IN_TIME
from edgeinfer.web.error_answers import Refused
from edgeinfer.web.problems import Problem

_Fields = dict[str, Any]


class InferenceService(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Finds the handler of each call.

    Args:
        core: has requests computed.
        decoder: of requests.
        version: of the sidecar.
        calls: runs them.
        answer_seconds: for all windows of a request.
    """

    def __init__(
        self, core: OpenInferenceCore, decoder: MessageDecoder, version: str, calls: Calls, answer_seconds: float
    ) -> None:
        self._core = core
        self._decoder = decoder
        self._version = version
        self._answer_seconds = answer_seconds
        self._messages = message_classes()
        self._infer_request = self._messages["ModelInferRequest"]
        self._infer_response = self._messages["ModelInferResponse"]
        self._handlers = {path: calls.handler(path, answer) for path, answer in self._methods().items()}
        self._unmatched = calls.unmatched_handler()

    def service(self, handler_call_details: Any) -> Any:
        """Which handler takes a call; gRPC asks when its headers are there."""
        return self._handlers.get(handler_call_details.method, self._unmatched)

    def _methods(self) -> dict[str, Answer]:
        inference: dict[str, Callable[[Any], _Fields]] = {
            "ServerLive": lambda _: {"live": True},
            "ServerReady": lambda _: {"ready": contract.is_ready(self._core.model)},
            "ServerMetadata": lambda _: contract.server_metadata(self._version),
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
        }
        return {
            **{f"/{SERVICE}/{name}": self._reads(name, answer) for name, answer in inference.items()},
            f"/{SERVICE}/ModelInfer": self._infer,
            f"/{HEALTH_SERVICE}/Check": self._reads("HealthCheck", self._health),
        }

    def _reads(self, name: str, answer: Callable[[Any], _Fields]) -> Answer:
        request, response = self._messages[f"{name}Request"], self._messages[f"{name}Response"]

        async def serve(incoming: Incoming) -> bytes:
            encoded: bytes = response(**answer(_parse(request, await incoming.read()))).SerializeToString()
            incoming.reply_with(())
            return encoded

        return serve

    def _model_ready(self, message: Any) -> _Fields:
        contract.check_model(self._core.model.card, message.name, message.version)
        return {"ready": contract.is_ready(self._core.model)}

    def _model_metadata(self, message: Any) -> _Fields:
        contract.check_model(self._core.model.card, message.name, message.version)
        return contract.model_metadata(self._core.model)

    def _health(self, message: Any) -> _Fields:
        if message.service not in {"", SERVICE}:
            remedy = f"Ask for {SERVICE!r}, or for none."
            raise UnknownModel(f"service {message.service[:64]!r}", "it is not spoken here", remedy)
        return {"status": SERVING if contract.is_ready(self._core.model) else NOT_SERVING}

    async def _infer(self, incoming: Incoming) -> bytes:
        call = incoming.call
        try:
            message = _parse(self._infer_request, await incoming.read())
        except asyncio.CancelledError:
            self._core.abandoned()
            raise
        except EdgeInferError as failure:
            raise CallFailed(self._core.refuse(failure, call)) from failure
        replied: asyncio.Future[bytes | Problem] = asyncio.get_running_loop().create_future()
        incoming.request.is_abandoned = replied.cancelled

        def deliver(outcome: Computation | Problem | None) -> None:
            answer = self._core.encoded(outcome, call, lambda done: self._encode(incoming, done))
            if answer is not None and not replied.done():
                replied.set_result(answer)

        read = lambda: self._decoder.read(message)  # noqa: E731 - read once, by the core
        self._core.submit(message.model_name, message.model_version, call, read, deliver)
        try:
            async with asyncio.timeout(self._answer_seconds):
                answer = await replied
        except TimeoutError as failure:
            raise Refused(NO_ANSWER_IN_TIME) from failure
        if isinstance(answer, Problem):
            raise CallFailed(answer)
        return answer

    def _encode(self, incoming: Incoming, done: Computation) -> bytes:
        backend = self._core.backend
        response = self._infer_response(**self._core.about(done.asked, incoming.call))
        response.parameters["backend"].string_param = backend
        fill(response, done.asked, [one.inference for one in done.computed])
        encoded: bytes = response.SerializeToString()
        timing = self._core.finish(incoming.call, done)
        metadata: Metadata = (("x-backend", backend), ("server-timing", timing.decode()))
        incoming.reply_with(metadata)
        return encoded


def _parse(request: Any, message: bytes) -> Any:
    try:
        return request.FromString(message)
    except DecodeError as failure:
        name = request.DESCRIPTOR.full_name
        raise InvalidBody("message", f"it is not a {name} ({failure})", f"Send what {SERVICE} takes.") from failure
