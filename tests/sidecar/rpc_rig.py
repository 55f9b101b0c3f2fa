"""A sidecar with gRPC on a free port, and a client that sends what a test makes, byte for byte."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
import numpy as np

from edgeinfer.backends.base import Backend
from edgeinfer.sidecar.open_inference.rpc.messages import SERVICE, message_classes
from edgeinfer.sidecar.open_inference.rpc.parts import RPC_LIMITS
from edgeinfer.sidecar.open_inference.rpc.server import make_server
from tests.sidecar.rig import Rig, running, shipped_card

NAME, VERSION = shipped_card().name, shipped_card().version
MESSAGES = message_classes()
INFER = f"/{SERVICE}/ModelInfer"
Metadata = Sequence[tuple[str, str]]
# What tritonclient 2.73 sends for a window of one number: no message of ours has a part in these bytes.
OF_TRITON = b"\n\x01m\x12\x012\x1a\x01i*\x12\n\x06window\x12\x04FP32\x1a\x02\x01\x012\x08\n\x06latent:\x04\x00\x00\x80?"


@dataclass
class Failure:
    """How a call ended."""

    code: Any
    details: str
    metadata: dict[str, str]


@dataclass
class Rpc:
    rig: Rig
    channel: Any
    port: int

    def send(self, path: str, message: bytes, metadata: Metadata = (), **options: Any) -> tuple[bytes, dict[str, str]]:
        """The answer's bytes, and what followed them."""
        answer, call = self.channel.unary_unary(path).with_call(message, timeout=20, metadata=metadata, **options)
        return answer, dict(call.trailing_metadata())

    def ask(self, method: str, **fields: Any) -> Any:
        """The answer of one of the methods."""
        message = MESSAGES[f"{method}Request"](**fields).SerializeToString()
        return MESSAGES[f"{method}Response"].FromString(self.send(f"/{SERVICE}/{method}", message)[0])

    def infer(self, message: Any, metadata: Metadata = ()) -> Any:
        return MESSAGES["ModelInferResponse"].FromString(self.send(INFER, message.SerializeToString(), metadata)[0])

    def failure(self, path: str, message: bytes, **options: Any) -> Failure:
        """How a call ends that is not answered."""
        try:
            self.send(path, message, **options)
        except grpc.RpcError as failed:
            metadata = dict(failed.trailing_metadata() or ())
            return Failure(failed.code(), failed.details(), metadata)
        raise AssertionError("the call was answered")

    def counted(self, path: str, status: int) -> float:
        labels = {"method": "POST", "endpoint": path, "status_code": str(status)}
        return self.rig.value("hailo_http_requests_total", **labels) or 0

    def windows(self, status: str) -> float:
        return self.rig.value("hailo_sidecar_inferences_total", status=status) or 0


@contextmanager
def serving(backend: Backend, *, queue_capacity: int = 64, ready: bool = True, **limits: Any) -> Iterator[Rpc]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bounds = replace(RPC_LIMITS, **limits)
    with (
        grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)]) as channel,
        running(
            backend,
            queue_capacity=queue_capacity,
            ready=ready,
            make_rpc=lambda parts: make_server(parts, "127.0.0.1", port, bounds),
        ) as rig,
    ):
        yield Rpc(rig, channel, port)


def request(windows: np.ndarray, *, raw: bool = True, **fields: Any) -> Any:
    """A ModelInferRequest for windows of (n, 100, 9)."""
    message = MESSAGES["ModelInferRequest"](**({"model_name": NAME} | fields))
    tensor = message.inputs.add(name="window", datatype="FP32", shape=windows.shape)
    if raw:
        message.raw_input_contents.append(windows.astype("<f4").tobytes())
    else:
        tensor.contents.fp32_contents.extend(windows.reshape(-1).tolist())
    return message


def outputs_of(response: Any) -> dict[str, np.ndarray]:
    """The tensors of an answer, in whichever form they travelled."""
    raw = list(response.raw_output_contents)
    found = {}
    for place, output in enumerate(response.outputs):
        values = np.frombuffer(raw[place], "<f4") if raw else np.array(output.contents.fp32_contents, np.float32)
        found[output.name] = values.reshape(output.shape)
    return found
