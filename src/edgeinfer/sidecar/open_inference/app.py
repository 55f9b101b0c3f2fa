"""All routes under /v2: health, metadata and inference, in the protocol's shapes."""

from dataclasses import dataclass

from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from edgeinfer.errors import EdgeInferError
from edgeinfer.sidecar.exchange import HttpAnswer, Path, send_answer
from edgeinfer.sidecar.model import ServedModel
from edgeinfer.sidecar.open_inference import contract
from edgeinfer.sidecar.open_inference.answer import document_answer, failure_answer
from edgeinfer.sidecar.open_inference.endpoint import OpenInferenceEndpoint
from edgeinfer.web.problems import Problem, problem_of
from edgeinfer.web.request_id import request_id_of

PREFIX = "/v2"
LIVE, READY = "/v2/health/live", "/v2/health/ready"
MODEL = "/v2/models/{name}"
MODEL_VERSION = "/v2/models/{name}/versions/{version}"
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path leads.

    Args:
        template: of the path, for the metrics.
        action: "server", "live", "ready", "model", "model_ready" or "infer".
        name: of the model.
        version: of the model, or empty.
    """

    template: str
    action: str
    name: str = ""
    version: str = ""


class OpenInferenceApp:
    """Plain ASGI application of the paths that begin with /v2.

    Args:
        endpoint: of inference.
        model: that is served.
        problems: counter with one label, the kind of error.
        version: of the sidecar.
    """

    def __init__(self, endpoint: OpenInferenceEndpoint, model: ServedModel, problems: Counter, version: str) -> None:
        self._endpoint = endpoint
        self._model = model
        self._problems = problems
        self._version = version

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a path is one of the protocol's."""
        return path.startswith(PREFIX) and path[len(PREFIX) : len(PREFIX) + 1] in {"", "/"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = find(scope["path"])
        request_id = request_id_of(dict(scope["headers"]).get(b"x-request-id", b""))
        if place is None:
            remedy = "See GET /docs for the routes of this service."
            await send_answer(self._refused(Problem(404, "not_found", "Not Found.", remedy), request_id), send)
            return
        scope["route"] = Path(place.template)
        if place.action == "infer" and scope["method"] == "POST":
            await self._endpoint.serve(place.name, place.version, scope, receive, send)
        else:
            await send_answer(self._answer(place, scope["method"], request_id), send)

    def _answer(self, place: _Place, method: str, request_id: bytes) -> HttpAnswer:
        if place.action == "infer" or method not in _READS:
            allowed = "POST" if place.action == "infer" else "GET, HEAD"
            problem = Problem(405, "method_not_allowed", "Method Not Allowed.", f"Send {allowed}.")
            problem.headers["Allow"] = allowed
            return self._refused(problem, request_id)
        try:
            return self._read(place, request_id)
        except EdgeInferError as failure:
            return self._refused(problem_of(failure), request_id)

    def _read(self, place: _Place, request_id: bytes) -> HttpAnswer:
        model = self._model
        if place.action == "server":
            return document_answer(contract.server_metadata(self._version), 200, request_id)
        if place.action == "live":
            return document_answer({"live": True}, 200, request_id)
        ready = contract.is_ready(model)
        status = 200 if ready else 503
        if place.action == "ready":
            return document_answer({"ready": ready}, status, request_id)
        contract.check_model(model.card, place.name, place.version)
        if place.action == "model_ready":
            return document_answer({"name": model.card.name, "ready": ready}, status, request_id)
        return document_answer(contract.model_metadata(model), 200, request_id)

    def _refused(self, problem: Problem, request_id: bytes) -> HttpAnswer:
        self._problems.labels(problem.problem).inc()
        return failure_answer(problem, request_id)


_FIXED = {PREFIX: "server", LIVE: "live", READY: "ready"}
_OF_A_MODEL = {(): "model", ("ready",): "model_ready", ("infer",): "infer"}


def find(path: str) -> _Place | None:
    """Where a path under /v2 leads; one slash at its end is ignored."""
    path = path.removesuffix("/")
    if path in _FIXED:
        return _Place(path, _FIXED[path])
    parts = path.split("/")[2:]
    if len(parts) < 2 or parts[0] != "models" or not parts[1]:  # noqa: PLR2004 - the word and the name
        return None
    name, rest = parts[1], parts[2:]
    version = ""
    if len(rest) > 1 and rest[0] == "versions" and rest[1]:
        version, rest = rest[1], rest[2:]
    action = _OF_A_MODEL.get(tuple(rest))
    if action is None:
        return None
    template = "/".join([MODEL_VERSION if version else MODEL, *rest])
    return _Place(template, action, name, version)
