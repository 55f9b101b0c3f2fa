"""The seam between what a call to a sidecar means and the HTTP client that carries it, and the failures of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from edgeinfer.errors import UpstreamError

_UNIX = "unix:"
LONGEST_ANSWER_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    """Asked by names in lower case."""
    body: bytes


class Transport(Protocol):
    """One connection pool to one sidecar; the constructor does no I/O."""

    async def post(self, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> RawAnswer:
        """Send a window to the sidecar's inference route.

        Raises:
            UpstreamError: timeout, connection_error (no answer began), malformed_response (an answer
                began that is not whole HTTP), or unknown_error.
        """

    async def get(self, path: str, timeout_seconds: float) -> RawAnswer:
        """Ask another route of the sidecar; raises as `post`."""

    async def close(self) -> None:
        """Close all connections; safe to call twice."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a sidecar answers.

    Args:
        name: host and port, or the socket's path: a label value that comes from the settings.
        origin: scheme, host and port.
        path: of the inference route.
        socket: path of a Unix socket, or empty.
    """

    name: str
    origin: str
    path: str
    socket: str = ""

    @property
    def address(self) -> tuple[str, int, bool]:
        """Host, port and whether TLS is spoken."""
        scheme, _, rest = self.origin.partition("://")
        parts = urlsplit("//" + rest)
        is_tls = scheme == "https"
        return parts.hostname or "localhost", parts.port or (443 if is_tls else 80), is_tls


def parse_target(url: str) -> Target:
    """A sidecar from its URL: http://host:port/infer, or unix:/path/of/socket.

    Raises:
        ValueError: it is neither.
    """
    if url.startswith(_UNIX):
        socket = url.removeprefix(_UNIX)
        if not socket.startswith("/"):
            raise ValueError("a Unix socket is given as unix:/path")
        return Target(socket, "http://localhost", "/infer", socket)
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if scheme not in {"http", "https"} or not host:
        raise ValueError("it is neither http://host:port/infer nor unix:/path")
    return Target(host.rpartition("@")[2], f"{scheme}://{host}", slash + path if path else "/infer")


def timed_out(name: str, seconds: float) -> UpstreamError:
    """No whole answer in time."""
    fault = f"it did not answer within {seconds:.3f} s"
    remedy = "Look at its queue and device, or raise BACKEND_TIMEOUT_MS."
    return UpstreamError(f"sidecar {name}", fault, remedy, error_type="timeout", retryable=True)


def not_http(name: str, fault: str) -> UpstreamError:
    """Something came back that is not a whole HTTP answer."""
    remedy = "Look at what listens there, and at proxies on the way."
    return UpstreamError(f"sidecar {name}", fault, remedy, error_type="malformed_response", retryable=True)


def broken_off(name: str, failure: Exception, *, answer_began: bool) -> UpstreamError:
    """The connection failed: before an answer began, or in the middle of one."""
    if answer_began:
        return not_http(name, "the connection ended in the middle of the answer")
    fault = f"it cannot be reached ({str(failure) or type(failure).__name__})"
    remedy = "Look whether it runs: 'edgeinfer doctor'."
    return UpstreamError(f"sidecar {name}", fault, remedy, error_type="connection_error", retryable=True)


def unknown(name: str, failure: Exception) -> UpstreamError:
    """A failure that no class describes."""
    fault = f"{type(failure).__name__}: {failure}"
    return UpstreamError(f"sidecar {name}", fault, "Look at both logs.", error_type="unknown_error", retryable=False)
