"""The header of a HEF and its first message: format, length, checksum, and for which chip by which compiler.

Read in the library's public source (4.20 to 5.2): four formats, all numbers big-endian, the magic, the format and the
size of the protobuf part first. What follows differs: MD5 in format 0, CRC-32 in 1, XXH3 in 2 and 3; the configuration
of the chip lies behind the protobuf part from format 1 on, in format 3 with further sections behind it.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import xxhash

from edgeinfer.hailort.protobuf import MalformedMessage, fields, message, number, text

MAGIC = 0x01484546
# 4.21 refuses bytes that are shorter than its longest header, whatever their format; shorter than 12 it aborts.
MIN_BYTES = 56
_COMMON = struct.Struct(">III")
_EARLIEST, _LATEST = 1.4e9, 4.1e9  # a compiler's clock between 2014 and 2099; anything else is no time

# The enumeration ProtoHEFHwArch. 5.1 renamed 103, which a Hailo-10H's files carry, to HAILO1XH and gave up 5.
ARCHITECTURES = {
    0: "HAILO8",
    1: "HAILO8P",
    2: "HAILO8R",
    3: "HAILO8L",
    4: "HAILO15M",
    5: "HAILO10H",
    6: "HAILO15L",
    100: "SAGE_A0",
    101: "SAGE_B0",
    102: "PAPRIKA_B0",
    103: "HAILO15H",
    104: "GINGER",
    105: "LAVENDER",
    106: "PLUTO",
    108: "MARS",
}


class DamagedHef(Exception):
    """The file is not whole or not what it was; the text continues "it ..."."""


class UnknownFormat(Exception):
    """The header names a format that did not exist when this was written."""

    def __init__(self, format_number: int) -> None:
        super().__init__(str(format_number))
        self.format_number = format_number


@dataclass(frozen=True, slots=True)
class HefHeader:
    """What a HEF says of itself.

    Args:
        format: 0 to 3.
        architecture: the compiler's target, a value of `ARCHITECTURES`; "architecture 42" for one that is newer.
        compiler: version of the Dataflow Compiler, such as "3.29.0"; empty if it is not said.
        compiled_at: when; None if it is not said.
        is_data_covered: whether the checksum covers the chip's configuration too, and not the protobuf part alone.
    """

    format: int
    architecture: str
    compiler: str
    compiled_at: datetime | None
    is_data_covered: bool


@dataclass(frozen=True, slots=True)
class _Layout:
    """A header taken apart: how long everything is, and what the checksum has to be over how many bytes."""

    size: int
    stated_bytes: int
    checksum_name: str
    checksum: bytes
    covered_bytes: int
    compute: Callable[[memoryview], bytes]


def read_header(content: bytes) -> HefHeader:
    """Read and check everything that the file itself allows to be checked.

    Raises:
        DamagedHef: cut off, padded or changed.
        UnknownFormat: newer than format 3.
    """
    if len(content) < _COMMON.size:
        raise DamagedHef(f"ends within its header, after {len(content)} bytes")
    _, format_number, proto_size = _COMMON.unpack_from(content)
    if format_number not in _READERS:
        raise UnknownFormat(format_number)
    struct_of, read = _READERS[format_number]
    if len(content) < max(MIN_BYTES, struct_of.size):
        raise DamagedHef(f"ends within its header, after {len(content)} bytes")
    layout = read(content, proto_size)
    if len(content) != layout.stated_bytes:
        raise DamagedHef(f"has {len(content)} bytes, and its header says {layout.stated_bytes}")
    body = memoryview(content)[layout.size : layout.size + layout.covered_bytes]
    if layout.compute(body) != layout.checksum:
        raise DamagedHef(f"does not have the {layout.checksum_name} that its header says")
    proto = content[layout.size : layout.size + proto_size]
    return _described(format_number, proto, is_data_covered=layout.size + layout.covered_bytes == len(content))


_V0, _V1 = struct.Struct(">III4x16s"), struct.Struct(">III4sQ4x")
_V2, _V3 = struct.Struct(">III8sQ16x"), struct.Struct(">III8sQIQ8s8x")


def _md5(body: memoryview) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


def _crc32(body: memoryview) -> bytes:
    return zlib.crc32(body).to_bytes(4, "big")


def _xxh3(body: memoryview) -> bytes:
    return xxhash.xxh3_64_digest(body)


def _read_v0(content: bytes, proto_size: int) -> _Layout:
    *_, checksum = _V0.unpack_from(content)
    return _Layout(_V0.size, _V0.size + proto_size, "MD5", checksum, proto_size, _md5)


def _read_v1(content: bytes, proto_size: int) -> _Layout:
    *_, checksum, data_size = _V1.unpack_from(content)
    body = proto_size + data_size
    return _Layout(_V1.size, _V1.size + body, "CRC-32", checksum, body, _crc32)


def _read_v2(content: bytes, proto_size: int) -> _Layout:
    *_, checksum, data_size = _V2.unpack_from(content)
    body = proto_size + data_size
    return _Layout(_V2.size, _V2.size + body, "XXH3", checksum, body, _xxh3)


def _read_v3(content: bytes, proto_size: int) -> _Layout:
    *_, checksum, data_size, padding, further_size, proto_checksum = _V3.unpack_from(content)
    if padding > data_size:
        raise DamagedHef(f"has {padding} bytes of padding in {data_size} bytes of data")
    body = proto_size + data_size + further_size
    if any(proto_checksum):
        # Compilers for HailoRT 5.1 and newer fill this in. The library then checks the protobuf part alone and leaves
        # the data to the chip's firmware; what the other checksum covers in such a file is not known.
        return _Layout(_V3.size, _V3.size + body, "XXH3", proto_checksum, proto_size, _xxh3)
    return _Layout(_V3.size, _V3.size + body, "XXH3", checksum, body, _xxh3)


_READERS: dict[int, tuple[struct.Struct, Callable[[bytes, int], _Layout]]] = {
    0: (_V0, _read_v0),
    1: (_V1, _read_v1),
    2: (_V2, _read_v2),
    3: (_V3, _read_v3),
}


def _described(format_number: int, proto: bytes, *, is_data_covered: bool) -> HefHeader:
    try:
        header = _first_message(proto)
        found = dict(fields(header))
        architecture = int(number(found.get(1, 0)))
        name = ARCHITECTURES.get(architecture, f"architecture {architecture}")
        return HefHeader(format_number, name, _compiler(found), _time(found), is_data_covered)
    except MalformedMessage as failure:
        raise DamagedHef(f"has a description that cannot be read: {failure}") from failure


def _first_message(proto: bytes) -> bytes:
    """Field 1 of the whole message, which compilers write first; the rest, up to megabytes, is not looked at."""
    for field, value in fields(proto):
        if field == 1:
            return message(value)
    raise MalformedMessage("it does not say for which chip it was compiled")


def _compiler(found: dict[int, bytes | float | int]) -> str:
    if 3 in found:  # noqa: PLR2004  # the numbers of the schema
        return text(found[3])
    if 5 not in found:  # noqa: PLR2004  # as above
        return ""
    parts = dict(fields(message(found[5])))
    return ".".join(str(int(number(parts.get(part, 0)))) for part in (1, 2, 3))


def _time(found: dict[int, bytes | float | int]) -> datetime | None:
    seconds = number(found.get(2, 0))
    return datetime.fromtimestamp(seconds, UTC) if _EARLIEST < seconds < _LATEST else None
