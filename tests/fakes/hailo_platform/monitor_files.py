"""Writes HailoRT's monitor files, field by field as its schema numbers them."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NetworkUse:
    """What a file says of one network; 0 is left out, as proto3 does."""

    name: str
    fps: float = 0.0
    utilization: float = 0.0


@dataclass(frozen=True)
class DeviceUse:
    """What a file says of one device."""

    device_id: str
    utilization: float = 0.0
    architecture: str = "HAILO8L"


def encode(pid: str, networks: list[NetworkUse], devices: list[DeviceUse]) -> bytes:
    """A ProtoMon message, with the frames of each network too, which a reader has to skip."""
    message = _text(1, pid)
    for network in networks:
        message += _nested(2, _text(1, network.name) + _double(2, network.fps) + _double(3, network.utilization))
        stream = _text(1, f"{network.name}/input_layer1") + _number(3, 4) + _number(5, -1) + _double(7, -1.0)
        message += _nested(3, _text(1, network.name) + _nested(2, stream))
    for device in devices:
        body = _text(1, device.device_id) + _double(2, device.utilization) + _text(3, device.architecture)
        message += _nested(4, body)
    return message


def write(
    folder: Path,
    content: bytes,
    *,
    name: str = "",
    modified_at: float | None = None,
) -> Path:
    """Put a message where the library puts it; `modified_at` sets the file's time."""
    folder.mkdir(exist_ok=True)
    path = folder / (name or f"{os.getpid()}aB3dE6")
    path.write_bytes(content)
    if modified_at is not None:
        os.utime(path, (modified_at, modified_at))
    return path


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative int32 takes ten bytes
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _number(number: int, value: int) -> bytes:
    return _key(number, 0) + _varint(value) if value else b""


def _double(number: int, value: float) -> bytes:
    return _key(number, 1) + struct.pack("<d", value) if value else b""


def _nested(number: int, content: bytes) -> bytes:
    return _key(number, 2) + _varint(len(content)) + content


def _text(number: int, value: str) -> bytes:
    return _nested(number, value.encode())
