"""The seam between what a call to a sidecar means and the HTTP client that carries it, and the failures of both."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from edgeinfer.errors import SidecarError

_UNIX = "unix:"
_MODELS = "/v2/models/"
_path = re.compile(r"[!-~]*", re.ASCII)
_looks_like_ipv4 = re.compile(r"[0-9.]+", re.ASCII)
_host_name = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_.])?", re.ASCII | re.IGNORECASE)
MAX_ANSWER_BYTES = 1_048_576


class RawAnswer(msgspec.Struct, frozen=True):
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    """Asked by names in lower case."""
    body: bytes


class Transport(Protocol):
    """One connection pool to one sidecar; the constructor does no I/O."""

    async def post(
        self, body: bytes, headers: Mapping[str, str], timeout_seconds: float, *, path: str = ""
    ) -> RawAnswer:
        """Send a window to the sidecar's inference route; an empty path is the target's own.

        Raises:
            SidecarError: timeout, connection_error (no answer began), malformed_response (an answer
                began that is not whole HTTP), or unknown_error.
        """

    async def get(self, path: str, timeout_seconds: float) -> RawAnswer:
        """Ask another route of the sidecar; raises as `post`."""

    async def close(self) -> None:
        """Close all connections; safe to call twice."""


@dataclass(frozen=True, slots=True)
class SidecarAddress:
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
    def prefix(self) -> str:
        """What stands before its routes, where they lie behind a proxy; empty or without a slash at its end."""
        if _MODELS in self.path:
            return self.path.partition(_MODELS)[0]
        return self.path.rstrip("/").rpartition("/")[0]

    @property
    def model_path(self) -> str:
        """Of the model of the Open Inference Protocol that the URL names; empty where it names none."""
        return self.path.rstrip("/").removesuffix("/infer") if _MODELS in self.path else ""

    @property
    def health_path(self) -> str:
        """Where it says how it is: next to the inference route, which may be behind a prefix."""
        return self.prefix + "/healthz"

    @property
    def address(self) -> tuple[str, int, bool]:
        """Host, port and whether TLS is spoken."""
        scheme, _, rest = self.origin.partition("://")
        parts = urlsplit("//" + rest)
        is_tls = scheme == "https"
        return parts.hostname or "localhost", parts.port or (443 if is_tls else 80), is_tls


def parse_target(url: str) -> SidecarAddress:
    """A sidecar from its URL: http://host:port/infer, or unix:/path/of/socket.

    Raises:
        ValueError: it is neither.
    """
    if url.startswith(_UNIX):
        socket = url.removeprefix(_UNIX)
        if not socket.startswith("/"):
            raise ValueError("a Unix socket is given as unix:/path")
        return SidecarAddress(socket, "http://localhost", "/infer", socket)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as failure:
        raise ValueError(f"it is not a URL ({failure})") from failure
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("it is neither http://host:port/infer nor unix:/path")
    if parts.query or parts.fragment or not _path.fullmatch(parts.path):
        raise ValueError(f"it has more than a path behind {host}")
    if port == 0 or not _is_host(host):
        raise ValueError(f"nothing can answer at {host}" + (":0" if port == 0 else ""))
    origin = parts.netloc.rpartition("@")[2]
    return SidecarAddress(origin, f"{parts.scheme}://{parts.netloc}", parts.path if parts.path.strip("/") else "/infer")


def _is_host(host: str) -> bool:
    """Whether a host is a name or an address; four numbers that are no address are a typing error, not a name."""
    if ":" in host or _looks_like_ipv4.fullmatch(host):
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return True
    return bool(_host_name.fullmatch(host))


def timed_out(name: str, seconds: float) -> SidecarError:
    fault = f"it did not answer within {seconds:.3f} s"
    remedy = "Look at its queue and device, or raise BACKEND_TIMEOUT_MS."
    return SidecarError(f"sidecar {name}", fault, remedy, error_type="timeout", retryable=True)


def not_http(name: str, fault: str) -> SidecarError:
    """Something came back that is not a whole HTTP answer."""
    remedy = "Look at what listens there, and at proxies on the way."
    return SidecarError(f"sidecar {name}", fault, remedy, error_type="malformed_response", retryable=True)


def broken_off(name: str, failure: Exception, *, answer_began: bool) -> SidecarError:
    """The connection failed: before an answer began, or in the middle of one."""
    if answer_began:
        return not_http(name, "the connection ended in the middle of the answer")
    fault = f"it cannot be reached ({str(failure) or type(failure).__name__})"
    remedy = "Look whether it runs: 'edgeinfer doctor'."
    return SidecarError(f"sidecar {name}", fault, remedy, error_type="connection_error", retryable=True)


def unknown(name: str, failure: Exception) -> SidecarError:
    """A failure that no class describes."""
    fault = f"{type(failure).__name__}: {failure}"
    return SidecarError(f"sidecar {name}", fault, "Look at both logs.", error_type="unknown_error", retryable=False)
