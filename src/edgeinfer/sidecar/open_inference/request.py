"""An inference request of the protocol to windows: JSON, or JSON and the tensors' bytes behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from edgeinfer.backends.base import Window
from edgeinfer.errors import InvalidBody, InvalidWindow
from edgeinfer.model.window import CHANNELS
from edgeinfer.sidecar.decoding import WindowDecoder
from edgeinfer.sidecar.exchange import body_type
from edgeinfer.sidecar.open_inference.contract import DATATYPE, INPUT, OUTPUTS
from edgeinfer.web.json_errors import UNDECODABLE, why_not_json

JSON_LENGTH = b"inference-header-content-length"
_SEND_INPUT = f"Send one input {INPUT!r}."
_MAX_DIGITS = 9


class Parameters(msgspec.Struct, frozen=True):
    """Those that are acted on; others are extensions of other servers, and skipped without being built."""

    binary_data_size: int | None = None
    binary_data: bool | None = None
    binary_data_output: bool | None = None
    classification: int | None = None
    shared_memory_region: str | None = None


_NONE = Parameters()


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw(b"")
    parameters: Parameters = _NONE


class Output(msgspec.Struct):
    """An output as it is asked for."""

    name: str
    parameters: Parameters = _NONE


class _Body(msgspec.Struct):
    inputs: list[_Input]
    id: str = ""
    parameters: Parameters = _NONE
    outputs: list[Output] | None = None


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """A tensor of the answer.

    Args:
        name: one of `OUTPUTS`.
        is_binary: whether it travels as bytes.
    """

    name: str
    is_binary: bool


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What is to be computed, and how the answer is to look.

    Args:
        id: the caller's, or empty.
        windows: (n, length, 9).
        outputs: in the order that they were asked for.
    """

    id: str
    windows: Window
    outputs: Sequence[WantedOutput]


class RequestDecoder:
    """Reads requests for one model.

    Args:
        decoder: of the model's windows.
        length: rows of a window.
        max_windows: of one request.
    """

    def __init__(self, decoder: WindowDecoder, length: int, max_windows: int) -> None:
        self._windows = decoder
        self._shape = [length, len(CHANNELS)]
        self._max_windows = max_windows
        self._decode = msgspec.json.Decoder(_Body).decode

    def read(self, headers: dict[bytes, bytes], body: bytes) -> InferRequest:
        """A request from its headers and its body, which is not compressed any more.

        Raises:
            UnsupportedContentType: it is of another type.
            InvalidBody: it is not the protocol's object, or its parts do not add up.
            InvalidWindow: the tensor is not what the model takes.
        """
        given = headers.get(JSON_LENGTH)
        if given is None:
            body_type(headers)
        size = len(body) if given is None else _json_length(given, len(body))
        document = self._read_json(body if size == len(body) else body[:size])
        tensor = only_input(document.inputs)
        windows = self._read_tensor(tensor, memoryview(body)[size:])
        binary = document.parameters.binary_data_output is True
        return InferRequest(document.id, windows, wanted_outputs(document.outputs, binary=binary))

    def count(self, shape: Sequence[int], datatype: str) -> int:
        """How many windows a tensor holds; raises InvalidWindow where it is none of windows."""
        if datatype != DATATYPE:
            fault = f"its datatype is {datatype[:32]!r}"
            raise InvalidWindow(INPUT, fault, f"Send {DATATYPE}: a cast is the caller's to choose.")
        if len(shape) != 1 + len(self._shape) or list(shape[1:]) != self._shape or shape[0] < 1:
            fault = f"its shape is {_short(shape)}"
            raise InvalidWindow(
                INPUT, fault, f"Send [n, {self._shape[0]}, {self._shape[1]}], n windows in one request."
            )
        if shape[0] > self._max_windows:
            fault = f"it holds {shape[0]} windows, and the queue takes {self._max_windows}"
            raise InvalidWindow(INPUT, fault, f"Send at most {self._max_windows} windows in a request.")
        return shape[0]

    def _read_json(self, body: bytes) -> _Body:
        try:
            return self._decode(body)
        except msgspec.ValidationError as failure:
            fault = str(failure).replace("`", "'")
            raise InvalidBody("body", f"it is not an inference request ({fault})", _SEE_DOCS) from failure
        except UNDECODABLE as failure:
            raise InvalidBody("body", why_not_json(body, failure), _SEE_DOCS) from failure

    def _read_tensor(self, tensor: _Input, rest: memoryview) -> Window:
        count = self.count(tensor.shape, tensor.datatype)
        parameters, data = tensor.parameters, bytes(tensor.data)
        if parameters.shared_memory_region is not None:
            raise no_shared_memory()
        size = parameters.binary_data_size
        if (size is None) == (not data):
            fault = "it has both data and binary_data_size" if data else "it has neither data nor binary_data_size"
            raise InvalidBody(INPUT, fault, "Send the tensor as one of the two.")
        if len(rest) != (size or 0):
            fault = f"{len(rest)} bytes follow the JSON, and its inputs account for {size or 0}"
            raise InvalidBody("body", fault, "Compare Inference-Header-Content-Length and binary_data_size.")
        if size is None:
            return self._windows.windows_from_json(data, count, INPUT)
        return self._windows.windows_from_binary(rest, count, INPUT)


def no_shared_memory() -> InvalidBody:
    """A tensor in memory that this process does not share."""
    return InvalidBody(INPUT, "shared memory is not read here", "Send the tensor in the request.")


_SEE_DOCS = "Send what GET /docs describes for this route."


def wanted_outputs(outputs: Sequence[Output] | None, *, binary: bool) -> Sequence[WantedOutput]:
    """The tensors of the answer; all of them where none is named.

    Args:
        outputs: as they are named in the request.
        binary: whether they travel as bytes where an output does not say.

    Raises:
        InvalidBody: an output that the model does not have, or in a form that is not made here.
    """
    if not outputs:
        return _ALL_BINARY if binary else _ALL_JSON
    found: list[WantedOutput] = []
    for output in outputs:
        parameters = output.parameters
        if output.name not in OUTPUTS or any(output.name == one.name for one in found):
            fault = "it is asked for twice" if output.name in OUTPUTS else "the model has no such output"
            raise InvalidBody(f"output {output.name[:64]!r}", fault, f"Ask for {' or '.join(OUTPUTS)}.")
        if parameters.classification or parameters.shared_memory_region is not None:
            fault = "neither classification nor shared memory is spoken here"
            raise InvalidBody(f"output {output.name!r}", fault, "Ask for the tensor itself.")
        is_binary = binary if parameters.binary_data is None else parameters.binary_data
        found.append(WantedOutput(output.name, is_binary))
    return found


_ALL_JSON = tuple(WantedOutput(name, is_binary=False) for name in OUTPUTS)
_ALL_BINARY = tuple(WantedOutput(name, is_binary=True) for name in OUTPUTS)


class Named(Protocol):
    """A tensor of a request, whichever way it travelled."""

    @property
    def name(self) -> str:
        """Of the model's input that it is for."""


_Tensor = TypeVar("_Tensor", bound=Named)


def only_input(inputs: Sequence[_Tensor]) -> _Tensor:
    """The one tensor that the model takes; raises InvalidBody where there are others, or none."""
    for tensor in inputs:
        if tensor.name != INPUT:
            raise InvalidBody(f"input {tensor.name[:64]!r}", "the model has no such input", _SEND_INPUT)
    if len(inputs) != 1:
        fault = f"it is there {len(inputs)} times" if inputs else "it is missing"
        raise InvalidBody(f"input {INPUT!r}", fault, _SEND_INPUT)
    return inputs[0]


def _json_length(given: bytes, whole: int) -> int:
    if not given.isdigit() or len(given) > _MAX_DIGITS or int(given) > whole:
        fault = f"it is {given[:32].decode('latin-1')!r}, and the body has {whole} bytes"
        raise InvalidBody("Inference-Header-Content-Length", fault, "Send the length of the JSON part.")
    return int(given)


def _short(shape: Sequence[int]) -> str:
    text = str(list(shape[:8]))
    return text[:64] + ("..." if len(shape) > 8 or len(text) > 64 else "")  # noqa: PLR2004 - enough to recognize it
