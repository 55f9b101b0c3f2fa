"""A request's body to a window: exactly 100 rows of 9 finite numbers, or a message that says where it is not."""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from math import isfinite
from typing import Any

import msgspec
import numpy as np

from edgeinfer.backends.base import Window
from edgeinfer.errors import InvalidBody, InvalidWindow
from edgeinfer.model.window import CHANNELS
from edgeinfer.sidecar.fast_json import FastJson, sum_of_squares
from edgeinfer.web.json_errors import UNDECODABLE, why_not_json

_REMEDY = "Send rows of 9 finite numbers: ax ay az (m/s²), gx gy gz (rad/s), mx my mz (µT)."
_ROW = tuple[float, float, float, float, float, float, float, float, float]
_PLACE = re.compile(r"\$\.x\[(\d+)\](?:\[(\d+)\])?")


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    x: list[_ROW]


class WindowDecoder:
    """Decodes windows of one length.

    Args:
        length: rows of a window.
        new_parser: of `find_parser`; without one, the careful decoder reads every body, in twice the time.
    """

    def __init__(self, length: int, new_parser: Callable[[], Any] | None) -> None:
        self._quick = FastJson(length, len(CHANNELS), new_parser) if new_parser is not None else None
        self.json_decoder = "msgspec" if new_parser is None else "simdjson"
        self._decode = msgspec.json.Decoder(_Body).decode
        self._decode_flat = msgspec.json.Decoder(list[float]).decode
        self._decode_nested = msgspec.json.Decoder(list[list[_ROW]]).decode
        self._length = length
        self._values = length * len(CHANNELS)
        self._bytes = 4 * self._values

    def from_json(self, body: bytes) -> Window:
        """A window (length, 9) from `{"x": [[9 numbers] x length]}`.

        Raises:
            InvalidBody: not JSON, truncated, or not this object.
            InvalidWindow: the rows are not the window's, or a value is not finite.
        """
        window = self._quick.window(body) if self._quick is not None else None
        return self.from_json_carefully(body) if window is None else window

    def from_json_carefully(self, body: bytes) -> Window:
        """The same window, or a message that names the place of the fault."""
        try:
            rows = self._decode(body).x
        except msgspec.ValidationError as failure:
            raise _misfit(str(failure)) from failure
        except UNDECODABLE as failure:
            raise InvalidBody("body", why_not_json(body, failure), 'Send {"x": [[9 numbers] x 100]}.') from failure
        if len(rows) != self._length:
            raise InvalidWindow("x", f"it has {len(rows)} rows, not {self._length}", _REMEDY)
        # A number beyond float32 becomes infinite here and is refused below.
        with np.errstate(over="ignore"):
            window = np.fromiter(chain.from_iterable(rows), np.float32, self._values)
        return self._finite(window)

    def from_binary(self, body: bytes) -> Window:
        """A window (length, 9) from little-endian float32 in C order.

        Raises:
            InvalidWindow: another number of bytes, or a value that is not finite.
        """
        if len(body) != self._bytes:
            fault = f"it has {len(body)} bytes, not {self._bytes}"
            remedy = f"Send {self._length} x {len(CHANNELS)} little-endian float32 in row order."
            raise InvalidWindow("body", fault, remedy)
        return self._finite(np.frombuffer(body, "<f4"))

    def windows_from_json(self, data: bytes, count: int, name: str) -> Window:
        """Windows (count, length, 9) from a JSON array of them, or of their numbers one after another.

        Args:
            data: the array.
            count: windows that it is to hold.
            name: of the array, for messages.

        Raises:
            InvalidBody: not such an array.
            InvalidWindow: another number of rows or values, or a value that is not finite.
        """
        windows = self._quick.windows(data, count) if self._quick is not None else None
        return self._windows_from_json_carefully(data, count, name) if windows is None else windows

    def _windows_from_json_carefully(self, data: bytes, count: int, name: str) -> Window:
        try:
            flat = self._flatten(data, count, name)
        except msgspec.ValidationError as failure:
            fault, _, place = str(failure).replace("`", "'").partition(" - at '$")
            raise InvalidWindow(name + place.rstrip("'"), fault[0].lower() + fault[1:], _REMEDY) from failure
        except UNDECODABLE as failure:
            raise InvalidBody(name, why_not_json(data, failure), "Send an array of numbers.") from failure
        return self.windows_from_numbers(flat, count, name)

    def _flatten(self, data: bytes, count: int, name: str) -> list[float]:
        if data[1:].lstrip()[:1] != b"[":
            return self._decode_flat(data)
        windows = self._decode_nested(data)
        lengths = {len(window) for window in windows}
        if len(windows) != count or lengths != {self._length}:
            fault = f"it has {len(windows)} windows of {sorted(lengths)} rows, not {count} of {self._length}"
            raise InvalidWindow(name, fault, _REMEDY)
        return [value for window in windows for row in window for value in row]

    def windows_from_binary(self, data: bytes | memoryview, count: int, name: str) -> Window:
        """Windows (count, length, 9) from little-endian float32; raises InvalidWindow."""
        if len(data) != count * self._bytes:
            fault = f"it has {len(data)} bytes, not {count * self._bytes}"
            raise InvalidWindow(name, fault, f"Send {count} x {self._length} x {len(CHANNELS)} little-endian float32.")
        return self._finite_windows(np.frombuffer(data, "<f4"), count, name)

    def windows_from_numbers(self, numbers: Sequence[float], count: int, name: str) -> Window:
        """Windows (count, length, 9) from their numbers one after another; raises InvalidWindow."""
        if len(numbers) != count * self._values:
            raise InvalidWindow(name, f"it has {len(numbers)} numbers, not {count * self._values}", _REMEDY)
        with np.errstate(over="ignore"):
            return self._finite_windows(np.fromiter(numbers, np.float32, len(numbers)), count, name)

    def _finite_windows(self, values: Window, count: int, name: str) -> Window:
        at = _first_not_finite(values)
        if at is not None:
            window, value = divmod(at, self._values)
            row, column = divmod(value, len(CHANNELS))
            place = f"{name}[{window}][{row}][{column}] ({CHANNELS[column]})"
            raise InvalidWindow(place, "it is not a finite float32", _REMEDY)
        return values.reshape(count, self._length, len(CHANNELS))

    def _finite(self, values: Window) -> Window:
        at = _first_not_finite(values)
        if at is not None:
            row, column = divmod(at, len(CHANNELS))
            raise InvalidWindow(f"x[{row}][{column}] ({CHANNELS[column]})", "it is not a finite float32", _REMEDY)
        return values.reshape(self._length, len(CHANNELS))


def _first_not_finite(values: Window) -> int | None:
    # At a fraction of looking at each value.
    if isfinite(sum_of_squares(values)) or np.isfinite(values).all():
        return None
    return int(np.argmin(np.isfinite(values)))


def _misfit(message: str) -> InvalidBody | InvalidWindow:
    """Say where a body that is JSON does not fit."""
    fault = message.partition(" - at ")[0].replace("`", "'")
    place = _PLACE.search(message)
    if place is None:
        return InvalidBody("body", f"it is not the documented object ({fault})", 'Send {"x": [[9 numbers] x 100]}.')
    row, column = place.groups()
    thing = f"x[{row}]" if column is None else f"x[{row}][{column}] ({CHANNELS[int(column)]})"
    return InvalidWindow(thing, fault[0].lower() + fault[1:], _REMEDY)
