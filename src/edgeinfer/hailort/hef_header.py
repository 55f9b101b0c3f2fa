"""The header of a HEF and its first message: format, length, checksum, and for which chip by which compiler.

Read in the library's public source (4.20 to 5.2): four formats, all numbers big-endian, the magic, the format and the
size of the protobuf part first. What follows differs: MD5 in format 0, CRC-32 in 1, XXH3 in 2 and 3; the configuration
of the chip follows the protobuf part from format 1 on, in format 3 with further sections after it.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import xxhash

from edgeinfer.hailort.protobuf import MalformedMessage, fields, message, number, text

MAGIC = 0x01484546
# 4.21 refuses bytes that are shorter than its longest header, in any format; below 12 bytes it aborts.
MIN_BYTES = 56
_COMMON = struct.Struct(">III")
_PAGE = 4096
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
_EARLIEST, _LATEST = 1.4e9, 4.1e9  # a compiler's clock between 2014 and 2099; anything else is not a timestamp

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
    """The decoded header of a HEF.

    Args:
        format: 0 to 3.
        architecture: the compiler's target, a value of `ARCHITECTURES`; "architecture 42" for one that is newer.
        compiler: version of the Dataflow Compiler, such as "3.29.0"; empty if absent.
        compiled_at: time of the compilation; None if absent.
        is_data_covered: whether the checksum covers the chip's configuration too, and not the protobuf part alone.
    """

    format: int
    architecture: str
    compiler: str
    compiled_at: datetime | None
    is_data_covered: bool


@dataclass(frozen=True, slots=True)
class _Checksum:
    """What the first bytes behind the header have to give."""

    name: str
    said: bytes
    covered_bytes: int
    compute: Callable[[memoryview], bytes]


@dataclass(frozen=True, slots=True)
class _Layout:
    """A header taken apart: its own size, the size of all that follows, and the checksums."""

    size: int
    body_bytes: int
    checksums: tuple[_Checksum, ...]


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
    if len(content) != layout.size + layout.body_bytes:
        stated = layout.size + layout.body_bytes
        raise DamagedHef(f"has {len(content)} bytes, and its header says {stated}")
    body = memoryview(content)[layout.size :]
    for checksum in layout.checksums:
        if checksum.compute(body[: checksum.covered_bytes]) != checksum.said:
            raise DamagedHef(f"does not have the {checksum.name} that its header says")
    is_data_covered = any(checksum.covered_bytes == len(body) for checksum in layout.checksums)
    return _described(format_number, bytes(body[:proto_size]), is_data_covered=is_data_covered)


_V0, _V1 = struct.Struct(">III4x16s"), struct.Struct(">III4sQ4x")
_V2, _V3 = struct.Struct(">III8sQ16x"), struct.Struct(">III8sQIQ8s8x")


def _md5(body: memoryview) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


def _crc32(body: memoryview) -> bytes:
    return zlib.crc32(body).to_bytes(4, "big")


def _xxh3(body: memoryview) -> bytes:
    return xxhash.xxh3_64_digest(body)


def _read_v0(content: bytes, proto_size: int) -> _Layout:
    *_, said = _V0.unpack_from(content)
    return _Layout(_V0.size, proto_size, (_Checksum("MD5", said, proto_size, _md5),))


def _read_v1(content: bytes, proto_size: int) -> _Layout:
    *_, said, data_size = _V1.unpack_from(content)
    body = proto_size + data_size
    return _Layout(_V1.size, body, (_Checksum("CRC-32", said, body, _crc32),))


def _read_v2(content: bytes, proto_size: int) -> _Layout:
    *_, said, data_size = _V2.unpack_from(content)
    body = proto_size + data_size
    return _Layout(_V2.size, body, (_Checksum("XXH3", said, body, _xxh3),))


def _read_v3(content: bytes, proto_size: int) -> _Layout:
    """From 5.1 on the library checks only the checksum of the protobuf part, if there is one, and no length.

    The other one covers everything in those files too (computed on a public file of compiler 5.3.0), which libraries
    before 5.1 check.
    """
    *_, said, data_size, padding, further_size, said_of_proto = _V3.unpack_from(content)
    if padding and (padding >= _PAGE or padding > data_size or (_V3.size + proto_size + padding) % _PAGE):
        raise DamagedHef(f"has {padding} bytes of padding, which do not bring its data to a page of {_PAGE} bytes")
    body = proto_size + data_size + further_size
    whole = _Checksum("XXH3", said, body, _xxh3)
    of_proto = _Checksum("XXH3 of its description", said_of_proto, proto_size, _xxh3)
    if not any(said_of_proto):
        return _Layout(_V3.size, body, (whole,))
    return _Layout(_V3.size, body, (of_proto, whole) if any(said) else (of_proto,))


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
    """Compilers of the older line write "3.27.0", those of 5.x "sdk-version: 5.3.0, git-branch: ..."."""
    said = text(found.get(3, b""))
    version = _VERSION.search(said)
    return version.group(0) if version else said.strip()


def _time(found: dict[int, bytes | float | int]) -> datetime | None:
    seconds = number(found.get(2, 0)) / 1000
    return datetime.fromtimestamp(seconds, UTC) if _EARLIEST < seconds < _LATEST else None
