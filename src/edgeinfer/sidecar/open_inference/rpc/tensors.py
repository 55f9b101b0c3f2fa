"""Windows out of a ModelInferRequest, and outputs into a ModelInferResponse, in either form that tensors travel in."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeinfer.backends.base import Inference, Window
from edgeinfer.errors import InvalidBody
from edgeinfer.sidecar.decoding import WindowDecoder
from edgeinfer.sidecar.exchange import little_endian
from edgeinfer.sidecar.open_inference.answer import stack
from edgeinfer.sidecar.open_inference.contract import DATATYPE, INPUT
from edgeinfer.sidecar.open_inference.request import (
    InferRequest,
    Output,
    Parameters,
    RequestDecoder,
    no_shared_memory,
    only_input,
    wanted_outputs,
)

_SHARED_MEMORY = "shared_memory_region"
_ONE_FORM = "Send each input in raw_input_contents, or each in its contents."


class MessageDecoder:
    """Reads requests for one model.

    Args:
        requests: knows which tensors the model takes.
        windows: of the model.
    """

    def __init__(self, requests: RequestDecoder, windows: WindowDecoder) -> None:
        self._requests = requests
        self._windows = windows

    def read(self, message: Any) -> InferRequest:
        """A request from its message; its outputs travel back in the form that its input came in.

        Raises:
            InvalidBody: tensors that the model does not have, or parts that do not add up.
            InvalidWindow: the tensor is not what the model takes.
        """
        tensor = only_input(message.inputs)
        raw = message.raw_input_contents
        windows = self._read_tensor(tensor, raw)
        wanted = [Output(one.name, _parameters(one.parameters)) for one in message.outputs]
        return InferRequest(message.id, windows, wanted_outputs(wanted, binary=len(raw) > 0))

    def _read_tensor(self, tensor: Any, raw: Sequence[bytes]) -> Window:
        count = self._requests.count(tensor.shape, tensor.datatype)
        if _SHARED_MEMORY in tensor.parameters:
            raise no_shared_memory()
        has_contents = tensor.HasField("contents")
        if has_contents == (len(raw) > 0):
            fault = "it has both contents and raw_input_contents" if has_contents else "it comes without its contents"
            raise InvalidBody(INPUT, fault, _ONE_FORM)
        if has_contents:
            return self._windows.windows_from_numbers(tensor.contents.fp32_contents, count, f"{INPUT}.fp32_contents")
        if len(raw) != 1:
            raise InvalidBody("raw_input_contents", f"it has {len(raw)} entries for one input", _ONE_FORM)
        return self._windows.windows_from_binary(raw[0], count, INPUT)


def _parameters(given: Mapping[str, Any]) -> Parameters:
    """Those of an output that are acted on."""
    if not given:
        return Parameters()
    classes = given["classification"].int64_param if "classification" in given else None
    region = given[_SHARED_MEMORY].string_param if _SHARED_MEMORY in given else None
    return Parameters(classification=classes, shared_memory_region=region)


def fill(response: Any, asked: InferRequest, inferences: Sequence[Inference]) -> None:
    """Put the outputs of all windows into a ModelInferResponse.

    Args:
        response: to fill.
        asked: says which outputs, and in which form.
        inferences: one for each window.
    """
    for wanted in asked.outputs:
        values = stack(inferences, wanted.name)
        tensor = response.outputs.add(name=wanted.name, datatype=DATATYPE, shape=values.shape)
        if wanted.is_binary:
            response.raw_output_contents.append(little_endian(values))
        else:
            tensor.contents.fp32_contents.extend(values.reshape(-1).tolist())
