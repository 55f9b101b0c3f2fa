"""How a window is put to a sidecar and its answer read: /infer in bytes or JSON, or the Open Inference Protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from edgeinfer.gateway.outputs import BINARY, OutputReader, Outputs, decode_json, malformed
from edgeinfer.gateway.transport import RawAnswer

JSON = "application/json"
JSON_LENGTH = "inference-header-content-length"
BINARY_EXTENSION = "binary_tensor_data"
DATATYPE = "FP32"
_MAX_DIGITS = 9
Window = NDArray[np.float32]


class Encoded(msgspec.Struct, frozen=True):
    """A request, without the headers that every request has."""

    body: bytes
    headers: Mapping[str, str]


class SidecarProtocol(Protocol):
    """One way to ask; knows nothing of connections."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def path(self) -> str:
        """Of the inference route; empty for the one in the settings."""

    def encode(self, window: Window) -> Encoded:
        """A window (100, 9) as a request."""

    def decode(self, answer: RawAnswer, reader: OutputReader) -> Outputs:
        """The outputs of an answer with status 200; raises SidecarError."""


class InferBinary:
    """POST /infer in little-endian float32, both ways."""

    name = "/infer binary"
    path = ""
    _headers: Mapping[str, str] = {"Content-Type": BINARY, "Accept": BINARY}

    def encode(self, window: Window) -> Encoded:
        """3600 bytes."""
        return Encoded(window.astype("<f4", copy=False).tobytes(), self._headers)

    def decode(self, answer: RawAnswer, reader: OutputReader) -> Outputs:
        """By the content type of the answer."""
        return reader.read(answer.body, answer.headers)


class InferJson:
    """POST /infer in JSON, both ways: what every sidecar of the contract takes."""

    name = "/infer JSON"
    path = ""
    _headers: Mapping[str, str] = {"Content-Type": JSON, "Accept": JSON}

    def encode(self, window: Window) -> Encoded:
        """`{"x": rows}`."""
        return Encoded(orjson.dumps({"x": window}, option=orjson.OPT_SERIALIZE_NUMPY), self._headers)

    def decode(self, answer: RawAnswer, reader: OutputReader) -> Outputs:
        """By the content type of the answer."""
        return reader.read(answer.body, answer.headers)


@dataclass(frozen=True, slots=True)
class OpenInferenceModel:
    """A model behind the Open Inference Protocol, as its metadata describes it.

    Args:
        path: of its inference route.
        input: name of the tensor that takes the window.
        is_batched: whether that tensor has a dimension for the batch.
        outputs: names of latent and scores; empty where the metadata names none, and the answer's sizes decide.
        is_binary: whether the server says that it reads tensors as bytes.
    """

    path: str
    input: str
    is_batched: bool
    outputs: tuple[str, str] | None
    is_binary: bool


class _Parameters(msgspec.Struct):
    binary_data_size: int | None = None
    backend: str = ""


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: _Parameters | None = None


class _Document(msgspec.Struct):
    outputs: list[_Tensor]
    parameters: _Parameters | None = None


_decoder = msgspec.json.Decoder(_Document)


class OpenInference:
    """POST /v2/models/.../infer, in JSON, or with tensors as bytes where the server says that it reads them.

    Args:
        model: that answers.
    """

    def __init__(self, model: OpenInferenceModel) -> None:
        self._model = model
        self.path = model.path
        self.name = "Open Inference Protocol, " + ("binary" if model.is_binary else "JSON")

    def encode(self, window: Window) -> Encoded:
        """One window, in a batch of one where there is a batch."""
        model = self._model
        batch = window[np.newaxis] if model.is_batched else window
        tensor: dict[str, Any] = {"name": model.input, "shape": batch.shape, "datatype": DATATYPE}
        document: dict[str, Any] = {"inputs": [tensor]}
        if model.outputs is not None:
            parameters = {"parameters": {"binary_data": True}} if model.is_binary else {}
            document["outputs"] = [{"name": name, **parameters} for name in model.outputs]
        elif model.is_binary:
            document["parameters"] = {"binary_data_output": True}
        if not model.is_binary:
            tensor["data"] = batch
            body = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
            return Encoded(body, {"Content-Type": JSON, "Accept": JSON})
        data = batch.astype("<f4", copy=False).tobytes()
        tensor["parameters"] = {"binary_data_size": len(data)}
        head = orjson.dumps(document)
        headers = {"Content-Type": BINARY, "Inference-Header-Content-Length": str(len(head))}
        return Encoded(head + data, headers)

    def decode(self, answer: RawAnswer, reader: OutputReader) -> Outputs:
        """The two tensors, by name, or by size where the metadata named none."""
        size = _json_length(answer)
        document = decode_json(_decoder.decode, answer.body[:size])
        found = _tensors(document.outputs, memoryview(answer.body)[size:])
        latent, scores = self._pick(found, reader)
        backend = document.parameters.backend if document.parameters is not None else ""
        return reader.check(latent, scores, backend or answer.headers.get("x-backend", ""))

    def _pick(self, found: Mapping[str, Window], reader: OutputReader) -> tuple[Window, Window]:
        names = self._model.outputs or pick_outputs({name: values.size for name, values in found.items()}, reader)
        if names is None or any(name not in found for name in names):
            raise malformed(f"has the outputs {sorted(found)}, not {names or 'two of the sizes of the model card'}")
        return found[names[0]], found[names[1]]


def pick_outputs(sizes: Mapping[str, int], reader: OutputReader) -> tuple[str, str] | None:
    """Which outputs are latent and scores: those of these names, else the only ones of their sizes.

    Args:
        sizes: numbers of each output for one window.
        reader: for the sizes of the model card.
    """
    if {"latent", "motif_scores"} <= sizes.keys():
        return "latent", "motif_scores"
    latents = [name for name, size in sizes.items() if size == reader.latent_size]
    scores = [name for name, size in sizes.items() if size == reader.motifs]
    if len(latents) == len(scores) == 1 and latents != scores:
        return latents[0], scores[0]
    return None


def _json_length(answer: RawAnswer) -> int:
    given = answer.headers.get(JSON_LENGTH)
    if given is None:
        return len(answer.body)
    if not (given.isascii() and given.isdecimal() and len(given) <= _MAX_DIGITS):
        raise malformed("has an Inference-Header-Content-Length that is not a number")
    return int(given)


def _tensors(outputs: list[_Tensor], rest: memoryview) -> dict[str, Window]:
    found = {}
    for output in outputs:
        size = output.parameters.binary_data_size if output.parameters is not None else None
        if output.datatype != DATATYPE:
            raise malformed(f"has {output.datatype[:32]} for the output {output.name[:64]!r}, not {DATATYPE}")
        if size is None:
            found[output.name] = _flat(output)
            continue
        if size < 0 or size > len(rest) or size % 4:
            raise malformed(f"has {len(rest)} bytes where {size} belong to the output {output.name[:64]!r}")
        found[output.name] = np.frombuffer(rest[:size], "<f4").astype(np.float32, copy=False)
        rest = rest[size:]
    return found


def _flat(output: _Tensor) -> Window:
    try:
        # What does not fit becomes infinity, and is refused as such.
        with np.errstate(over="ignore"):
            return np.array(output.data, np.float64).reshape(-1).astype(np.float32)
    except (TypeError, ValueError) as failure:
        raise malformed(f"has something other than numbers in the output {output.name[:64]!r}") from failure
