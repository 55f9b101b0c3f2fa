"""HailoRT's monitor files: the protobuf message that the owner of a chip writes every second."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_DOUBLE = struct.Struct("<d")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


class MalformedMonitorFile(Exception):
    """The bytes are not a whole message; writers of 4.20 and 4.21 rewrite the file in place."""


@dataclass(frozen=True, slots=True)
class NetworkUse:
    """What the owner says of one network.

    Args:
        name: of the network.
        frames_per_second: finished frames; absurd for a network without outputs.
        utilization_percent: share of the interval with a frame in flight.
    """

    name: str
    frames_per_second: float
    utilization_percent: float


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What the owner says of one chip.

    Args:
        device_id: its address.
        utilization_percent: share of the interval with a frame in flight.
        architecture: such as "HAILO8L".
    """

    device_id: str
    utilization_percent: float
    architecture: str


@dataclass(frozen=True, slots=True)
class MonitorMessage:
    """One file; an empty file is a valid message without anything in it.

    Args:
        pid: of the owner; empty in the first interval.
        networks: one entry for each.
        devices: one entry for each.
    """

    pid: str
    networks: tuple[NetworkUse, ...]
    devices: tuple[DeviceUse, ...]


def decode(content: bytes) -> MonitorMessage:
    """Decode a message; a number that is left out is 0, as proto3 has it.

    Raises:
        MalformedMonitorFile: the bytes end too early or are no message.
    """
    pid = ""
    networks, devices = [], []
    for number, value in _fields(content):
        if number == 1:
            pid = _text(value)
        elif number == 2:  # noqa: PLR2004  # the numbers of the schema
            networks.append(_network(_message(value)))
        elif number == 4:  # noqa: PLR2004  # as above
            devices.append(_device(_message(value)))
    return MonitorMessage(pid, tuple(networks), tuple(devices))


def _network(content: bytes) -> NetworkUse:
    found = dict(_fields(content))
    return NetworkUse(_text(found.get(1, b"")), _number(found.get(2, 0.0)), _number(found.get(3, 0.0)))


def _device(content: bytes) -> DeviceUse:
    found = dict(_fields(content))
    return DeviceUse(_text(found.get(1, b"")), _number(found.get(2, 0.0)), _text(found.get(3, b"")))


def _fields(content: bytes) -> Iterator[tuple[int, bytes | float | int]]:
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
            raise MalformedMonitorFile(f"wire type {wire_type} at byte {at}")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for position in range(_LONGEST_VARINT):
        if at + position >= len(content):
            raise MalformedMonitorFile("it ends inside a number")
        byte = content[at + position]
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:  # noqa: PLR2004  # the highest bit says that more follows
            return value, at + position + 1
    raise MalformedMonitorFile(f"a number of more than {_LONGEST_VARINT} bytes")


def _slice(content: bytes, at: int, length: int) -> bytes:
    if at + length > len(content):
        raise MalformedMonitorFile("it ends inside a field")
    return content[at : at + length]


def _message(value: bytes | float) -> bytes:
    if not isinstance(value, bytes):
        raise MalformedMonitorFile("a number where a message is due")
    return value


def _text(value: bytes | float) -> str:
    try:
        return _message(value).decode()
    except UnicodeDecodeError as failure:
        raise MalformedMonitorFile("a name that is not UTF-8") from failure


def _number(value: bytes | float) -> float:
    if isinstance(value, bytes):
        raise MalformedMonitorFile("bytes where a number is due")
    return float(value)
