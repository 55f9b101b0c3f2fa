"""gRPC's server on the event loop of the sidecar, within bounds."""

from typing import Any

import grpc

from edgeinfer.errors import PortInUse
from edgeinfer.listeners import who_listens
from edgeinfer.sidecar.open_inference.rpc.calls import Calls
from edgeinfer.sidecar.open_inference.rpc.parts import RpcParts
from edgeinfer.sidecar.open_inference.rpc.service import InferenceService
from edgeinfer.sidecar.open_inference.rpc.tensors import MessageDecoder
from edgeinfer.web.limits import ConnectionLimits

_STOP_SECONDS = 5.0
_MAX_STREAMS = 128
_KEEPALIVE_SECONDS, _KEEPALIVE_TIMEOUT_SECONDS = 60, 20
_MIN_PING_SECONDS = 10


def make_server(parts: RpcParts, host: str, port: int, limits: ConnectionLimits) -> "GrpcServer":
    """A server of the protocol, not started.

    Args:
        parts: of the sidecar.
        host: address to listen on.
        port: to listen on.
        limits: of messages, calls and connections.
    """
    calls = Calls(parts.counting, limits)
    decoder = MessageDecoder(parts.requests, parts.windows)
    service = InferenceService(parts.core, decoder, parts.version, calls, limits.answer_seconds)
    return GrpcServer(service, host, port, limits)


class GrpcServer:
    """Serves one handler on one port, from `start` to `stop`.

    Args:
        service: finds the handler of a call.
        host: address to listen on.
        port: to listen on.
        limits: of messages, calls and connections.
    """

    def __init__(self, service: Any, host: str, port: int, limits: ConnectionLimits) -> None:
        self._service = service
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._port = port
        self._limits = limits
        self._server: Any = None

    async def start(self) -> None:
        """Begin to serve; needs a running event loop.

        Raises:
            PortInUse: another process has the port.
        """
        self._server = grpc.aio.server(options=_options(self._limits))
        self._server.add_generic_rpc_handlers((self._service,))
        try:
            self._server.add_insecure_port(self._address)
        except RuntimeError as failure:
            fault = f"{who_listens(self._port)} listens there"
            raise PortInUse(self._address, fault, "End it or choose another port.") from failure
        await self._server.start()

    async def stop(self) -> None:
        """Take no more calls, and let those under way end within five seconds."""
        if self._server is not None:
            await self._server.stop(_STOP_SECONDS)


def _options(limits: ConnectionLimits) -> list[tuple[str, int]]:
    milliseconds = 1000
    return [
        # Else a second sidecar on the same port would take every other connection, and nobody would notice.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", limits.max_body_bytes),
        ("grpc.max_metadata_size", limits.max_head_bytes),
        ("grpc.absolute_max_metadata_size", limits.max_head_bytes),
        ("grpc.max_concurrent_streams", _MAX_STREAMS),
        ("grpc.max_allowed_incoming_connections", limits.max_connections),
        # A connection without a call ends; one whose peer has vanished is found by its silence.
        ("grpc.max_connection_idle_ms", int(limits.idle_seconds * milliseconds)),
        ("grpc.server_handshake_timeout_ms", int(limits.head_seconds * milliseconds)),
        ("grpc.keepalive_time_ms", _KEEPALIVE_SECONDS * milliseconds),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_SECONDS * milliseconds),
        ("grpc.http2.min_ping_interval_without_data_ms", _MIN_PING_SECONDS * milliseconds),
    ]
