"""Protobuf's wire format, as far as HailoRT's own messages need it to be read without a schema compiler."""

import struct
from collections.abc import Iterator

_DOUBLE = struct.Struct("<d")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10


class MalformedMessage(Exception):
    """The bytes are truncated or not a message."""


def fields(content: bytes) -> Iterator[tuple[int, bytes | float | int]]:
    """Number and value of each field in the order of the message; nested messages and texts stay bytes.

    Raises:
        MalformedMessage: while iterating, at the first byte that does not fit.
    """
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        wire_type = key & 7
        if wire_type == _VARINT:
            value, at = _varint(content, at)
            yield key >> 3, value
        elif wire_type == _FIXED64:
            yield key >> 3, _DOUBLE.unpack(_slice(content, at, 8))[0]
            at += 8
        elif wire_type == _BYTES:
            length, at = _varint(content, at)
            yield key >> 3, _slice(content, at, length)
            at += length
        elif wire_type == _FIXED32:
            _slice(content, at, 4)
            at += 4
        else:
            raise MalformedMessage(f"wire type {wire_type} at byte {at}")


def message(value: bytes | float) -> bytes:
    """The bytes of a nested message; raises MalformedMessage if the field is a number."""
    if not isinstance(value, bytes):
        raise MalformedMessage("a number where a message is due")
    return value


def text(value: bytes | float) -> str:
    """The text of a field; raises MalformedMessage if it is a number or not UTF-8."""
    try:
        return message(value).decode()
    except UnicodeDecodeError as failure:
        raise MalformedMessage("a name that is not UTF-8") from failure


def number(value: bytes | float) -> float:
    """The number of a field; raises MalformedMessage if it is bytes."""
    if isinstance(value, bytes):
        raise MalformedMessage("bytes where a number is due")
    return float(value)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for position in range(_MAX_VARINT_BYTES):
        if at + position >= len(content):
            raise MalformedMessage("it ends inside a number")
        byte = content[at + position]
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:  # noqa: PLR2004  # the highest bit marks that more follows
            return value, at + position + 1
    raise MalformedMessage(f"a number of more than {_MAX_VARINT_BYTES} bytes")


def _slice(content: bytes, at: int, length: int) -> bytes:
    if at + length > len(content):
        raise MalformedMessage("it ends inside a field")
    return content[at : at + length]
