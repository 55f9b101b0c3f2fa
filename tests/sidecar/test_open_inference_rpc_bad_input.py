"""What a call over gRPC sends in error is refused with its reason, and nothing else is affected."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.backends.onnx import OnnxBackend
from tests.sidecar.rig import ToyBackend, shipped_card, window
from tests.sidecar.rpc_rig import INFER, OF_TRITON, Rpc, request, serving

ONE = np.array([window()], np.float32)
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


@pytest.fixture
def toy() -> Iterator[Rpc]:
    with serving(ToyBackend(), queue_capacity=4) as rpc:
        yield rpc


@pytest.fixture(scope="module")
def onnx() -> Iterator[Rpc]:
    with serving(OnnxBackend(shipped_card())) as rpc:
        yield rpc


def broken(change: Callable[[Any], None], *, raw: bool = True) -> bytes:
    message = request(ONE, raw=raw)
    change(message)
    encoded: bytes = message.SerializeToString()
    return encoded


def set_shape(*shape: int) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        del message.inputs[0].shape[:]
        message.inputs[0].shape.extend(shape)

    return change


def set_raw(*parts: bytes) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        del message.raw_input_contents[:]
        message.raw_input_contents.extend(parts)

    return change


def set_input(**fields: str) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        for name, value in fields.items():
            setattr(message.inputs[0], name, value)

    return change


def share_memory(message: Any) -> None:
    message.inputs[0].parameters["shared_memory_region"].string_param = "r"


def both_forms(message: Any) -> None:
    message.inputs[0].contents.fp32_contents.append(1)


def classify(message: Any) -> None:
    output = message.outputs.add(name="latent")
    output.parameters["classification"].int64_param = 3


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        (b"\xff\xff\xff", INVALID, "it is not a inference.ModelInferRequest"),
        (b"", NOT_FOUND, "model ''"),
        (broken(lambda m: setattr(m, "model_name", "other")), NOT_FOUND, "model 'other': it is not served here"),
        (broken(lambda m: setattr(m, "model_version", "9")), NOT_FOUND, "it has no version '9'"),
        (broken(lambda m: m.ClearField("inputs")), INVALID, "input 'window': it is missing"),
        (broken(lambda m: m.inputs.add(name="window")), INVALID, "it is there 2 times"),
        (broken(set_input(name="w")), INVALID, "input 'w': the model has no such input"),
        (broken(set_input(datatype="FP64")), INVALID, "its datatype is 'FP64'"),
        (broken(set_shape(1, 100, 8)), INVALID, "its shape is [1, 100, 8]"),
        (broken(set_shape(100, 9)), INVALID, "its shape is [100, 9]"),
        (broken(set_shape(-1, 100, 9)), INVALID, "its shape is [-1, 100, 9]"),
        (broken(set_shape(0, 100, 9)), INVALID, "its shape is [0, 100, 9]"),
        (broken(set_shape(*range(50_000))), INVALID, "its shape is [0, 1, 2, 3, 4, 5, 6, 7]..."),
        (broken(set_shape(2**62, 100, 9)), INVALID, "windows, and the queue takes 4"),
        (broken(set_shape(10_000, 100, 9)), INVALID, "it holds 10000 windows, and the queue takes 4"),
        (broken(set_raw(bytes(3599))), INVALID, "it has 3599 bytes, not 3600"),
        (broken(set_raw(b"")), INVALID, "it has 0 bytes, not 3600"),
        (broken(set_raw()), INVALID, "it comes without its contents"),
        (broken(set_raw(bytes(3600), bytes(3600))), INVALID, "it has 2 entries for one input"),
        (broken(both_forms), INVALID, "it has both contents and raw_input_contents"),
        (broken(both_forms, raw=False), INVALID, "it has 901 numbers, not 900"),
        (broken(set_raw(b"\x00\x00\xc0\x7f" * 900)), INVALID, "window[0][0][0] (ax): it is not a finite float32"),
        (broken(share_memory), INVALID, "shared memory is not read here"),
        (broken(lambda m: m.outputs.add(name="z")), INVALID, "output 'z': the model has no such output"),
        (broken(classify), INVALID, "neither classification nor shared memory"),
    ],
)
def test_bad_input_is_refused_with_its_reason(toy: Rpc, message: bytes, code: Any, said: str) -> None:
    failure = toy.failure(INFER, message)
    assert (failure.code, toy.windows("invalid_input")) == (code, 1)
    assert said in failure.details
    assert failure.metadata["error"] in {"invalid_body", "invalid_window", "not_found"}
    assert failure.metadata["x-request-id"]
    assert toy.infer(request(ONE)).outputs


@settings(max_examples=60)
@given(st.binary(max_size=200) | st.builds(lambda cut: OF_TRITON[:cut] + b"\x07", st.integers(0, len(OF_TRITON))))
def test_any_bytes_are_answered_with_what_is_wrong_with_them(onnx: Rpc, message: bytes) -> None:
    assert onnx.failure(INFER, message).code in {INVALID, NOT_FOUND}
