"""A good window out of JSON in one pass and without a Python object per number."""

from typing import Any

import numpy as np
import simdjson
from numpy.typing import NDArray

from edgeinfer.backends.base import Window

_REFUSALS = (ValueError, TypeError, KeyError, IndexError, RuntimeError)
_STRUCTURE = b"{}[]:,"
_OTHER_BYTES = bytes(set(range(256)) - set(_STRUCTURE))
# Below it, no number of the window lies beyond float32.
_MAX_SQUARE = float(np.finfo(np.float32).max) ** 2


class FastJson:
    """Reads what is certainly a window; anything else is left to the careful decoder.

    It must never accept what that one refuses (tests/sidecar/test_quick_json.py compares them). One thread only:
    the parser's memory is used again for each body.

    Args:
        length: rows of a window.
        channels: numbers of a row.
    """

    def __init__(self, length: int, channels: int) -> None:
        self._parser = simdjson.Parser()
        self._shape = (length, channels)
        self._values = length * channels
        row = b"[" + b"," * (channels - 1) + b"]"
        self._structure = b"{:[" + b",".join([row] * length) + b"]}"

    def window(self, body: bytes) -> Window | None:
        """The window (length, channels), or None where it takes a closer look."""
        # The parser skips a byte order mark, which JSON does not allow.
        if body[:1] != b"{" or body.translate(None, _OTHER_BYTES) != self._structure:
            return None
        try:
            values = self._read(body)
        except _REFUSALS:
            # The old one may be referred to by the failure and would refuse to be used again.
            self._parser = simdjson.Parser()
            return None
        if values.size != self._values or _square(values) > _MAX_SQUARE:
            return None
        return values.astype(np.float32).reshape(self._shape)

    def _read(self, body: bytes) -> NDArray[np.float64]:
        document: Any = self._parser.parse(body)
        # The structure is that of one key and of rows; what is left to see is the key, and that all values are numbers.
        return np.frombuffer(document["x"].as_buffer(of_type="d"), np.float64)


@np.errstate(over="ignore")
def _square(values: NDArray[np.float64]) -> float:
    """The sum of the squares, infinite where it is beyond float64."""
    return float(values.dot(values))
