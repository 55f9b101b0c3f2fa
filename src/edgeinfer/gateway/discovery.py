"""What a sidecar says of itself, and so how it is asked: nothing is assumed of a stranger.

A sidecar that lists `application/octet-stream` in `content_types` of its health is asked in bytes, one that has a
health route or none in JSON, and a server that answers GET /v2 by the Open Inference Protocol.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from edgeinfer.errors import SidecarError
from edgeinfer.gateway.outputs import BINARY, OutputReader
from edgeinfer.gateway.protocols import (
    BINARY_EXTENSION,
    DATATYPE,
    InferBinary,
    InferJson,
    OpenInference,
    OpenInferenceModel,
    SidecarProtocol,
    pick_outputs,
)
from edgeinfer.gateway.transport import RawAnswer, SidecarAddress
from edgeinfer.model.window import WINDOW_SHAPE
from edgeinfer.web.json_errors import UNDECODABLE

_OK, _NOT_FOUND, _NOT_ALLOWED = 200, 404, 405
_DEFAULT_INPUT = "window"
Get = Callable[[str], Awaitable[RawAnswer]]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SelfDescription:
    """What a sidecar says of itself.

    Args:
        protocol: how it is to be asked.
        fault: why it is not ready; empty where it is.
        about: what it is, for people.
        is_silent: whether it has no word for how it is.
    """

    protocol: SidecarProtocol
    fault: str
    about: str
    is_silent: bool = False


class _Health(msgspec.Struct):
    ok: bool | None = None
    model: str | None = None
    device: str | None = None
    reason: str | None = None
    content_types: list[str] = []


class _Server(msgspec.Struct):
    name: str
    version: str = ""
    extensions: list[str] = []


class _Described(msgspec.Struct):
    name: str
    datatype: str = ""
    shape: list[int] = []


class _Model(msgspec.Struct):
    inputs: list[_Described] = []
    outputs: list[_Described] = []


class Discovery:
    """Asks a sidecar what it is.

    Args:
        target: where it answers.
        reader: for the sizes of the model card.
        model: name to ask for where the target's URL names none.
        encoding: "auto" to learn it; "binary", "json" or "open-inference" to be asked so whatever it says.
    """

    def __init__(self, target: SidecarAddress, reader: OutputReader, *, model: str, encoding: str = "auto") -> None:
        self._target = target
        self._reader = reader
        self._model = model
        self._encoding = encoding

    @property
    def fixed(self) -> SidecarProtocol | None:
        """The protocol where it is set and needs nothing of the sidecar."""
        fixed: dict[str, SidecarProtocol] = {"binary": InferBinary(), "json": InferJson()}
        return fixed.get(self._encoding)

    async def describe(self, get: Get) -> SelfDescription:
        """Ask; raises SidecarError where it does not answer, or answers nothing that a window could be put to."""
        if self._target.model_path or self._encoding == "open-inference":
            return await self._open_inference(get, await get(self._target.prefix + "/v2"))
        answer = await get(self._target.health_path)
        health = _read(answer, _Health) if answer.status not in {_NOT_FOUND, _NOT_ALLOWED} else None
        if self._encoding == "auto" and health is None:
            server = await get(self._target.prefix + "/v2")
            if server.status == _OK and _read(server, _Server) is not None:
                return await self._open_inference(get, server)
        is_silent = answer.status in {_NOT_FOUND, _NOT_ALLOWED} or health is None or health.ok is None
        return SelfDescription(self._infer(health), _fault(answer, health), _about(answer, health), is_silent)

    def _infer(self, health: _Health | None) -> SidecarProtocol:
        if self.fixed is not None:
            return self.fixed
        return InferBinary() if health is not None and BINARY in health.content_types else InferJson()

    async def _open_inference(self, get: Get, answer: RawAnswer) -> SelfDescription:
        server = _read(answer, _Server) or _Server("a server without metadata")
        path = self._target.model_path or f"{self._target.prefix}/v2/models/{self._model}"
        described = await get(path)
        model = _read(described, _Model)
        if described.status != _OK or model is None:
            raise self._unusable(f"{server.name} does not describe a model at {path} (status {described.status})")
        ready = await get(f"{path}/ready")
        fault = "" if ready.status == _OK else f"the model is not ready (status {ready.status})"
        about = f"{path.partition('/v2/models/')[2]} on {server.name} {server.version}".rstrip()
        is_binary = BINARY_EXTENSION in server.extensions
        return SelfDescription(OpenInference(self._tensors(model, f"{path}/infer", is_binary=is_binary)), fault, about)

    def _tensors(self, model: _Model, path: str, *, is_binary: bool) -> OpenInferenceModel:
        if len(model.inputs) > 1:
            raise self._unusable(f"its model takes {len(model.inputs)} inputs, not one window")
        window = model.inputs[0] if model.inputs else _Described(_DEFAULT_INPUT, DATATYPE, [-1, 100, 9])
        rank = len(window.shape) or 3
        if window.datatype not in {DATATYPE, ""} or rank not in {2, 3} or not _holds_window(window.shape):
            fault = f"its input {window.name[:64]!r} is {window.datatype[:32]} of shape {window.shape[:8]}"
            raise self._unusable(f"{fault}, not {DATATYPE} of [-1, 100, 9]")
        sizes = {output.name: output.shape[-1] for output in model.outputs if output.shape}
        return OpenInferenceModel(path, window.name, rank == 3, pick_outputs(sizes, self._reader), is_binary)  # noqa: PLR2004 - batch, time, channels

    def _unusable(self, fault: str) -> SidecarError:
        remedy = (
            f"Name the model in MODEL_BACKEND_URL: {self._target.origin}{self._target.prefix}/v2/models/NAME/infer, "
            f"and try it with 'edgeinfer doctor --sidecar'."
        )
        thing = f"sidecar {self._target.name}"
        return SidecarError(thing, fault, remedy, error_type="http_4xx", retryable=False)


def _holds_window(shape: list[int]) -> bool:
    return not shape or all(size in {-1, wanted} for size, wanted in zip(shape[-2:], WINDOW_SHAPE, strict=False))


def _read(answer: RawAnswer, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except UNDECODABLE:
        return None


def _fault(answer: RawAnswer, health: _Health | None) -> str:
    # Without a health route, or one of another form, its answer to a window says how it is.
    is_well = health is None or health.ok is not False
    if answer.status in {_NOT_FOUND, _NOT_ALLOWED} or (answer.status == _OK and is_well):
        return ""
    reason = f": {health.reason}" if health is not None and health.reason else ""
    return f"not ready (status {answer.status}{reason})"


def _about(answer: RawAnswer, health: _Health | None) -> str:
    if answer.status in {_NOT_FOUND, _NOT_ALLOWED} or health is None:
        return "says nothing of itself"
    return f"{health.model or 'ready'} on {health.device or 'unknown device'}"
