"""A good window out of JSON in one pass and without a Python object per number."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeinfer.backends.base import Window

_REFUSALS = (ValueError, TypeError, KeyError, IndexError, RuntimeError)
_STRUCTURE = b"{}[]:,"
_OTHER_BYTES = bytes(set(range(256)) - set(_STRUCTURE))
_BLAS_NUMBERS = 8192
# Below it, no number of the window lies beyond float32.
_MAX_SQUARE = float(np.finfo(np.float32).max) ** 2


def find_parser(module: str = "simdjson") -> Callable[[], Any] | None:
    """What makes a parser of simdjson; None where it is not installed: it has no wheels for Python 3.14."""
    try:
        parser: Callable[[], Any] = import_module(module).Parser
    except ModuleNotFoundError:
        return None
    return parser


class FastJson:
    """Reads what is certainly a window; anything else is left to the careful decoder.

    It must never accept what that one refuses (tests/sidecar/test_fast_json.py compares them). One thread only:
    the parser's memory is used again for each body.

    Args:
        length: rows of a window.
        channels: numbers of a row.
        new_parser: makes a parser of simdjson.
    """

    def __init__(self, length: int, channels: int, new_parser: Callable[[], Any]) -> None:
        self._new_parser = new_parser
        self._parser = new_parser()
        self._shape = (length, channels)
        self._values = length * channels
        row = b"[" + b"," * (channels - 1) + b"]"
        self._rows = b"[" + b",".join([row] * length) + b"]"
        self._structure = b"{:" + self._rows + b"}"

    def window(self, body: bytes) -> Window | None:
        """The window (length, channels), or None where it takes a closer look."""
        # The parser skips a byte order mark, which JSON does not allow.
        if body[:1] != b"{" or body.translate(None, _OTHER_BYTES) != self._structure:
            return None
        values = self._read(body, _array_of_x, self._values)
        return None if values is None else values.reshape(self._shape)

    def windows(self, data: bytes, count: int) -> Window | None:
        """Windows (count, length, channels) out of an array of arrays of rows, or of the same numbers in one array."""
        structure = data.translate(None, _OTHER_BYTES)
        flat = len(structure) == count * self._values + 1 and structure[1:-1].count(b",") == len(structure) - 2
        if not (flat or structure == b"[" + b",".join([self._rows] * count) + b"]"):
            return None
        values = self._read(data, _whole_array, count * self._values)
        return None if values is None else values.reshape((count, *self._shape))

    def _read(self, body: bytes, array_of: Callable[[Any], Any], size: int) -> Window | None:
        """So many finite numbers; the structure is known to be right, the keys and the kinds of the values are not."""
        try:
            values = np.frombuffer(array_of(self._parser.parse(body)).as_buffer(of_type="d"), np.float64)
        except _REFUSALS:
            # The old one may be referred to by the failure and would refuse to be used again.
            self._parser = self._new_parser()
            return None
        if values.size != size or sum_of_squares(values) > _MAX_SQUARE:
            return None
        return values.astype(np.float32)


def _array_of_x(document: Any) -> Any:
    return document["x"]


def _whole_array(document: Any) -> Any:
    return document


@np.errstate(over="ignore", invalid="ignore")
def sum_of_squares(values: NDArray[np.floating[Any]]) -> float:
    """The sum of the squares, infinite where it is beyond the type; one infinity or NaN anywhere shows in it.

    In pieces: BLAS has more than 10,000 numbers summed by threads of its own, which spin and wait for each other.
    """
    if values.size <= _BLAS_NUMBERS:
        return float(values.dot(values))
    pieces = (values[at : at + _BLAS_NUMBERS] for at in range(0, values.size, _BLAS_NUMBERS))
    return sum(float(piece.dot(piece)) for piece in pieces)
