"""One call to a sidecar: what is sent, what an answer means, and which class a failure has."""

from dataclasses import dataclass
from math import inf

import numpy as np
import orjson
from numpy.typing import NDArray

from edgeinfer.errors import SidecarError
from edgeinfer.gateway.outputs import BINARY, OutputReader, Outputs
from edgeinfer.gateway.transport import RawAnswer, Transport

_OK = 200
_BUSY = 503


@dataclass(frozen=True, slots=True)
class Answer:
    """A sidecar's answer to one window.

    Args:
        outputs: checked against the contract.
        inside_seconds: time the sidecar accounts for, None where it does not say.
    """

    outputs: Outputs
    inside_seconds: float | None


class SidecarClient:
    """Asks one sidecar.

    Args:
        name: for messages, and the label of its metrics.
        transport: carries the bytes.
        reader: decodes and checks answers.
        encoding: "binary" or "json", the form in which windows are sent.
        health_path: where it says how it is.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        reader: OutputReader,
        *,
        encoding: str = "binary",
        health_path: str = "/healthz",
    ) -> None:
        self.name = name
        self._transport = transport
        self._reader = reader
        self._is_binary = encoding == "binary"
        self._health_path = health_path

    async def infer(self, window: NDArray[np.float32], request_id: str, timeout_seconds: float) -> Answer:
        """Have one window (100, 9) analysed.

        Raises:
            SidecarError: with one of `edgeinfer.catalog.labels.INFERENCE_ERROR_TYPES`.
        """
        raw = await self._transport.post(self._encode(window), self._headers(request_id), timeout_seconds)
        if raw.status != _OK:
            raise _refused(self.name, raw)
        return Answer(self._reader.read(raw.body, raw.headers), inside_seconds(raw.headers.get("server-timing", "")))

    async def health(self, timeout_seconds: float) -> RawAnswer:
        """Its own view of its health; raises SidecarError."""
        return await self._transport.get(self._health_path, timeout_seconds)

    async def close(self) -> None:
        """Close its connections."""
        await self._transport.close()

    def _encode(self, window: NDArray[np.float32]) -> bytes:
        if self._is_binary:
            return window.astype("<f4", copy=False).tobytes()
        return orjson.dumps({"x": window}, option=orjson.OPT_SERIALIZE_NUMPY)

    def _headers(self, request_id: str) -> dict[str, str]:
        if self._is_binary:
            return {"Content-Type": BINARY, "Accept": BINARY, "X-Request-Id": request_id}
        return {"Content-Type": "application/json", "Accept": "application/json", "X-Request-Id": request_id}


def inside_seconds(server_timing: str) -> float | None:
    """The total of a Server-Timing header, in seconds; None where it is not a plausible time.

    It goes into a sum that is never set back: one answer must not distort it.
    """
    for metric in server_timing.split(","):
        name, _, duration = metric.strip().partition(";dur=")
        if name == "total":
            try:
                seconds = float(duration) / 1000
            except ValueError:
                return None
            return seconds if 0 <= seconds < inf else None
    return None


def is_about_health(failure: SidecarError) -> bool:
    """Whether a failure shows that the sidecar does not work, rather than that it refused this one call."""
    return failure.error_type != "http_4xx" and not getattr(failure, "is_busy", False)


class Busy(SidecarError):
    """The sidecar sheds load: it works, and asks to be left alone for a moment."""

    is_busy = True


def _refused(name: str, raw: RawAnswer) -> SidecarError:
    thing, fault = f"sidecar {name}", f"it answered with status {raw.status}"
    if raw.status == _BUSY and raw.headers.get("retry-after"):
        return Busy(thing, fault, "It is full or starting; see its log.", error_type="http_5xx", retryable=True)
    if 400 <= raw.status < 500:  # noqa: PLR2004 - the ranges of HTTP
        remedy = "Compare its version with the gateway's, and the path of MODEL_BACKEND_URL."
        return SidecarError(thing, fault, remedy, error_type="http_4xx", retryable=False)
    if 500 <= raw.status < 600:  # noqa: PLR2004 - as above
        return SidecarError(thing, fault, "See its log.", error_type="http_5xx", retryable=True)
    remedy = "Set MODEL_BACKEND_URL to the URL of the inference route."
    return SidecarError(thing, fault, remedy, error_type="unknown_error", retryable=False)
