"""What the sidecar gives to its gRPC server, and what it asks of it; imports nothing of gRPC."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Counter

from edgeinfer.sidecar.decoding import WindowDecoder
from edgeinfer.sidecar.open_inference.core import OpenInferenceCore
from edgeinfer.sidecar.open_inference.endpoint import MAX_BODY_BYTES
from edgeinfer.sidecar.open_inference.request import RequestDecoder
from edgeinfer.web.error_answers import Refusal
from edgeinfer.web.limits import ConnectionLimits

# Each connection carries many calls; so few fit into the limit of open files together with those of HTTP.
RPC_LIMITS = ConnectionLimits(max_body_bytes=MAX_BODY_BYTES, max_connections=256)


@dataclass(frozen=True, slots=True)
class Counting:
    """Where what becomes of calls is counted.

    Args:
        record: takes an answer: method, endpoint, status of HTTP, seconds.
        problems: counter with one label, the kind of error.
        on_refusal: takes what was refused before it was read.
    """

    record: Callable[[str, str, int, float], None]
    problems: Counter
    on_refusal: Callable[[Refusal], None]


@dataclass(frozen=True, slots=True)
class RpcParts:
    """The parts of the sidecar that a call meets.

    Args:
        core: has requests computed.
        requests: knows which tensors the model takes.
        windows: decodes them.
        version: of the sidecar.
        counting: of calls.
    """

    core: OpenInferenceCore
    requests: RequestDecoder
    windows: WindowDecoder
    version: str
    counting: Counting


class RpcServer(Protocol):
    """Serves calls while the application runs."""

    async def start(self) -> None:
        """Begin to serve, on the running event loop; raises PortInUse."""

    async def stop(self) -> None:
        """Take no more calls, and let those under way end within a bounded time."""


MakeRpcServer = Callable[[RpcParts], RpcServer]
