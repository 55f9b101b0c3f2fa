"""A sidecar's answer as arrays, checked against the model's contract."""

import json
import math
import struct
from collections.abc import Callable, Mapping
from operator import mul
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgeinfer.catalog.labels import BACKEND_KINDS
from edgeinfer.errors import ContractViolation, SidecarError
from edgeinfer.installation import shipped_file
from edgeinfer.web.json_errors import UNDECODABLE

BINARY = "application/octet-stream"
_FLOAT_BYTES = 4
_SUM_TOLERANCE = 1e-3
_RANGE_TOLERANCE = 1e-6
_PAGE = shipped_file("docs/concepts/gateway.md")
_REMEDY = f"Compare the sidecar's version and model with the gateway's; {_PAGE} describes the contract."


class Outputs(msgspec.Struct, frozen=True):
    """What the model said about one window.

    Args:
        latent: (latent_size,) float32.
        scores: one per motif, each in [0, 1], summing to 1 unless the model card says otherwise.
        latent_norm: Euclidean length of the latent vector.
        backend: "hailo", "cpu", "stub", or "unknown" where the sidecar does not say.
    """

    latent: NDArray[np.float32]
    scores: list[float]
    latent_norm: float
    backend: str

    @property
    def top(self) -> int:
        """Index of the motif that scored highest."""
        return self.scores.index(max(self.scores))


class _Document(msgspec.Struct):
    latent: list[float]
    motif_scores: list[float]
    backend: str = ""


_T = TypeVar("_T")
_decoder = msgspec.json.Decoder(_Document)


def check_outputs(
    latent: NDArray[np.float32], scores: NDArray[np.float32], backend: str, *, sum_to_one: bool = True
) -> Outputs:
    """Outputs of the right shape, proven to hold what the contract says.

    Args:
        latent: of the answer.
        scores: of the answer.
        backend: that computed them.
        sum_to_one: whether the model card says that scores do.

    Raises:
        ContractViolation: of class decode_error, for values that cannot be meant.
    """
    return _check_numbers(latent, float(np.dot(latent, latent)), scores.tolist(), backend, sum_to_one=sum_to_one)


def _check_numbers(
    latent: NDArray[np.float32], squared: float, values: list[float], backend: str, *, sum_to_one: bool
) -> Outputs:
    total = sum(values)
    if not (math.isfinite(squared) and math.isfinite(total)):
        raise _decode_error("not_finite", "holds NaN or infinity")
    if min(values) < -_RANGE_TOLERANCE or max(values) > 1 + _RANGE_TOLERANCE:
        raise _decode_error("score_range", f"has scores from {min(values):.4g} to {max(values):.4g}, outside 0 to 1")
    if sum_to_one and abs(total - 1) > _SUM_TOLERANCE:
        raise _decode_error("score_sum", f"has scores that sum to {total:.4g}, not 1")
    return Outputs(latent, values, math.sqrt(squared), backend)


class OutputReader:
    """Reads the body of an answer with status 200.

    Args:
        latent_size: of the model card.
        motifs: number of motifs of the model card.
        sum_to_one: whether the model card says that the scores of a window do.
    """

    def __init__(self, latent_size: int, motifs: int, *, sum_to_one: bool = True) -> None:
        self.latent_size = latent_size
        self.motifs = motifs
        self._sum_to_one = sum_to_one
        self._numbers = struct.Struct(f"<{latent_size + motifs}f")
        self._declared = str(latent_size)
        self.dimensions: tuple[int, int] | None = None
        """Lengths of latent and scores in the newest answer, right or wrong."""

    def read(self, body: bytes, headers: Mapping[str, str]) -> Outputs:
        """The outputs of an answer.

        Raises:
            SidecarError: malformed_response for a body of the wrong form, decode_error for the right
                form with values that cannot be meant; a ContractViolation names the check.
        """
        if headers.get("content-type", "").startswith(BINARY):
            if len(body) == self._numbers.size and headers.get("x-latent-dimensions", self._declared) == self._declared:
                return self._read_usual(body, headers.get("x-backend", ""))
            latent, scores = self._from_binary(body, headers)
            backend = headers.get("x-backend", "")
        else:
            latent, scores, backend = self._from_json(body)
            backend = backend or headers.get("x-backend", "")
        return self.check(latent, scores, backend)

    def _read_usual(self, body: bytes, backend: str) -> Outputs:
        """An answer of the right size; without numpy, as far as that goes: see `edgeinfer.gateway.samples`."""
        self.dimensions = (self.latent_size, self.motifs)
        numbers = self._numbers.unpack(body)
        latent = numbers[: self.latent_size]
        return _check_numbers(
            np.frombuffer(body, "<f4", self.latent_size),
            sum(map(mul, latent, latent)),
            list(numbers[self.latent_size :]),
            backend if backend in BACKEND_KINDS else "unknown",
            sum_to_one=self._sum_to_one,
        )

    def check(self, latent: NDArray[np.float32], scores: NDArray[np.float32], backend: str) -> Outputs:
        """Outputs checked against the model's contract, from any protocol; raises ContractViolation."""
        self._check_shapes(len(latent), len(scores))
        known = backend if backend in BACKEND_KINDS else "unknown"
        return check_outputs(latent, scores, known, sum_to_one=self._sum_to_one)

    def _from_binary(self, body: bytes, headers: Mapping[str, str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if len(body) % _FLOAT_BYTES:
            raise malformed(f"has {len(body)} bytes, which are not whole 32-bit numbers")
        declared = headers.get("x-latent-dimensions", str(self.latent_size))
        if not (declared.isascii() and declared.isdecimal()):
            raise malformed("has an X-Latent-Dimensions that is not a number")
        values = np.frombuffer(body, "<f4").astype(np.float32, copy=False)
        return values[: int(declared)], values[int(declared) :]

    def _from_json(self, body: bytes) -> tuple[NDArray[np.float32], NDArray[np.float32], str]:
        document = decode_json(_decoder.decode, body)
        latent, scores = np.array(document.latent, np.float64), np.array(document.motif_scores, np.float64)
        with np.errstate(over="ignore"):  # what does not fit becomes infinity, and is refused as such
            return latent.astype(np.float32), scores.astype(np.float32), document.backend

    def _check_shapes(self, latent: int, scores: int) -> None:
        self.dimensions = (latent, scores)
        if latent != self.latent_size:
            fault = f"has a latent vector of {latent} numbers where the model has {self.latent_size}"
            raise ContractViolation(_THING, fault, _REMEDY, check="latent_shape", error_type="malformed_response")
        if scores != self.motifs:
            fault = f"has {scores} motif scores where the model has {self.motifs}"
            raise ContractViolation(_THING, fault, _REMEDY, check="motif_shape", error_type="malformed_response")


_THING = "the sidecar's answer"


def decode_json(decode: Callable[[bytes], _T], body: bytes) -> _T:
    """A document of an answer; raises SidecarError: decode_error for anything else than a number."""
    try:
        return decode(body)
    except msgspec.ValidationError as failure:
        if "[" in str(failure).partition(" - at ")[2]:
            raise _decode_error("not_finite", f"holds something other than numbers: {failure}") from failure
        raise malformed(f"is not the documented object: {failure}") from failure
    except UNDECODABLE as failure:
        if _is_json_but_for_nan(body):
            raise _decode_error("not_finite", "holds NaN or infinity") from failure
        raise malformed(f"is not JSON: {failure}") from failure


def _is_json_but_for_nan(body: bytes) -> bool:
    """Python's own writer puts NaN and Infinity, which JSON does not know."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def malformed(fault: str) -> SidecarError:
    """An answer that is not of the documented form."""
    return SidecarError(_THING, fault, _REMEDY, error_type="malformed_response", retryable=True)


def _decode_error(check: str, fault: str) -> ContractViolation:
    return ContractViolation(_THING, fault, _REMEDY, check=check, error_type="decode_error")
