"""HEF files byte by byte, written as the compiler lays them out and judged as the library judges them.

Layouts, order of the checks and statuses: HailoRT's public source, 4.20 to 5.2 (`hef_internal.hpp`, `hef.cpp`).
"""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import xxhash

from tests.fakes.hailo_platform.statuses import as_numbers

MAGIC = b"\x01HEF"
SIZES = {0: 32, 1: 28, 2: 44, 3: 56}
_COMMON_SIZE = 12
_DATA = bytes(range(256)) * 8
# hef.proto; a Hailo-10H's real files carry 103, for which 5.1 has another name.
_NUMBERS = {
    "HAILO8": 0, "HAILO8P": 1, "HAILO8R": 2, "HAILO8L": 3, "HAILO15M": 4, "HAILO10H": 5, "HAILO15L": 6,
    "SAGE_A0": 100, "SAGE_B0": 101, "PAPRIKA_B0": 102, "HAILO15H": 103, "GINGER": 104, "LAVENDER": 105, "PLUTO": 106,
}  # fmt: skip
_TARGETS = {"HAILO8": "HAILO8P", "HAILO10H": "HAILO15H"}
_COMPILER_5_3 = "sdk-version: 5.3.0, git-branch: stability-v5.3.0, git-commit: 5b0ed83"
_OUTDATED = (
    "Hef has periph_calculation_in_hailort feature disabled - this HEF is outdated and no longer supported. "
    "Please update HEF"
)
# device_internal.cpp, 4.20 to 5.0.
_RUNS = {
    "HAILO8": {"HAILO8P", "HAILO8R", "HAILO8L"},
    "HAILO8L": {"HAILO8L"},
    "HAILO10H": {"GINGER", "LAVENDER", "HAILO15H", "HAILO15M", "HAILO10H"},
}


class Refused(Exception):
    """The library does not load the file."""

    def __init__(self, status: int, sentence: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.sentence = sentence


class Aborted(BaseException):
    """The real library ends the process here, or reads beyond its buffer; nothing of ours may catch it."""


@dataclass(frozen=True)
class Header:
    """What the compiler says of a file."""

    target: str = "HAILO8L"
    format: int = 1
    compiler: str = "3.29.0"
    timestamp: int = 1_735_689_600_000
    """In milliseconds, as four public files have it; this is 2025-01-01."""
    has_proto_checksum: bool = False
    """As compilers for 5.1 and newer write format 3; the other checksum covers everything in those files too."""
    has_whole_checksum: bool = True
    is_outdated: bool = False
    """Without the feature that 4.21 and newer ask for."""


@dataclass(frozen=True)
class Opened:
    """A file that the library took."""

    architecture: str
    mapping: bytes


def header_for(architecture: str) -> Header:
    """What compilers write for a chip that calls itself so."""
    target = _TARGETS.get(architecture, architecture)
    if target == "HAILO15H":
        return Header(target, format=3, compiler=_COMPILER_5_3, has_proto_checksum=True)
    return Header(target if target in _NUMBERS else "HAILO8L")


def fits(compiled_for: str, architecture: str) -> bool:
    """Whether the chip runs it."""
    return compiled_for in _RUNS.get(architecture, set())


def encode(mapping: bytes, header: Header) -> bytes:
    """A whole file; formats 1 to 3 carry data behind the protobuf part."""
    proto = _proto(mapping, header)
    start = MAGIC + header.format.to_bytes(4, "big") + len(proto).to_bytes(4, "big")
    if header.format == 0:
        return start + bytes(4) + hashlib.md5(proto, usedforsecurity=False).digest() + proto
    data_size = len(_DATA).to_bytes(8, "big")
    if header.format == 1:
        return start + zlib.crc32(proto + _DATA).to_bytes(4, "big") + data_size + bytes(4) + proto + _DATA
    if header.format == 2:
        return start + xxhash.xxh3_64_digest(proto + _DATA) + data_size + bytes(16) + proto + _DATA
    return _encode_v3(start, proto, header)


def _encode_v3(start: bytes, proto: bytes, header: Header) -> bytes:
    padding = bytes(-(SIZES[3] + len(proto)) % 4096)
    further = b"further sections"
    body = proto + padding + _DATA + further
    proto_checksum = xxhash.xxh3_64_digest(proto) if header.has_proto_checksum else bytes(8)
    sizes = (len(padding + _DATA).to_bytes(8, "big"), len(padding).to_bytes(4, "big"), len(further).to_bytes(8, "big"))
    whole_checksum = xxhash.xxh3_64_digest(body) if header.has_whole_checksum else bytes(8)
    return start + whole_checksum + b"".join(sizes) + proto_checksum + bytes(8) + body


def open_path(source: str, version: str) -> Opened:
    """As `HEF(path)`: 13 missing, 14 shorter than its header, 92 magic, format, outdated, 91 length and checksum."""
    try:
        content = Path(source).read_bytes()
    except OSError as failure:
        raise Refused(13) from failure
    # The format is looked at before the magic.
    if len(content) < _COMMON_SIZE:
        raise Refused(14)
    if len(content) < SIZES[_format(content, version)]:
        raise Refused(14)
    return _open(content, version, is_path=True)


def open_bytes(content: bytes, version: str) -> Opened:
    """As `HEF(bytes)`: reads without looking how much there is, then asks for the longest header."""
    if len(content) < _COMMON_SIZE:
        raise Aborted("HEF(bytes) of less than 12 bytes: an assertion ends the process")
    longest = SIZES[3] if as_numbers(version) >= (4, 21) else SIZES[2]
    if len(content) < longest:
        raise _refused(91, version)
    _format(content, version)
    return _open(content, version, is_path=False)


def _open(content: bytes, version: str, *, is_path: bool) -> Opened:
    form, proto_size = _format(content, version), int.from_bytes(content[8:12], "big")
    size = SIZES[form]
    if form == 3 and as_numbers(version) >= (5, 1) and any(content[40:48]):
        # From 5.1 on neither magic nor length is looked at where the protobuf part has a checksum of its own.
        if len(content) < size + proto_size:
            raise Refused(14) if is_path else Aborted("the reader goes beyond its buffer")
        if xxhash.xxh3_64_digest(content[size : size + proto_size]) != content[40:48]:
            raise Refused(91)
    else:
        _validate(content, form, version)
    return _parse(content[size : size + proto_size], version)


def _validate(content: bytes, form: int, version: str) -> None:
    body = content[SIZES[form] :]
    sizes = {0: [], 1: [(16, 24)], 2: [(20, 28)], 3: [(20, 28), (32, 40)]}[form]
    stated = sum(int.from_bytes(content[start:end], "big") for start, end in [(8, 12), *sizes])
    computed, said = {
        0: (hashlib.md5(body, usedforsecurity=False).digest(), content[16:32]),
        1: (zlib.crc32(body).to_bytes(4, "big"), content[12:16]),
        2: (xxhash.xxh3_64_digest(body), content[12:20]),
        3: (xxhash.xxh3_64_digest(body), content[12:20]),
    }[form]
    if content[:4] != MAGIC:
        raise _refused(92, version)
    if len(body) != stated or computed != said:
        raise _refused(91, version)


def _format(content: bytes, version: str) -> int:
    form = int.from_bytes(content[4:8], "big")
    newest = 3 if as_numbers(version) >= (4, 21) else 2 if as_numbers(version) >= (4, 20) else 1
    if form > newest:
        raise _refused(92, version)
    return form


def _refused(status: int, version: str, sentence: str = "") -> Refused:
    return Refused(status if as_numbers(version) >= (4, 21) else 26, sentence)


def _parse(proto: bytes, version: str) -> Opened:
    try:
        found = _fields(proto)
        header = _fields(found[1])
        number = int.from_bytes(header.get(1, b"\0"), "little")
        if b"outdated" in found.get(4, b""):
            raise _refused(92, version, _OUTDATED)
        return Opened(next(name for name, code in _NUMBERS.items() if code == number), found[3])
    except (LookupError, StopIteration) as failure:
        raise _refused(91, version) from failure


def _proto(mapping: bytes, header: Header) -> bytes:
    """ProtoHEFHef: header 1 (target 1, time 2, compiler 3), mapping 3, included features 4."""
    inner = _number(1, _NUMBERS[header.target]) + _number(2, header.timestamp) + _text(3, header.compiler.encode())
    if header.compiler == _COMPILER_5_3:
        inner += _text(5, _number(1, 5) + _number(2, 3))
    features = b"outdated" if header.is_outdated else b"\x30\x01"
    return _text(1, inner) + _text(3, mapping) + _text(4, features)


def _number(field: int, value: int) -> bytes:
    """proto3 leaves zeros out."""
    return bytes([field << 3]) + _varint(value) if value else b""


def _text(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _fields(content: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at < len(content):
        key, at = content[at], at + 1
        value, at = _read_varint(content, at)
        if key & 7 == 2:
            found[key >> 3], at = content[at : at + value], at + value
        else:
            found[key >> 3] = value.to_bytes(8, "little")
    return found


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def damaged(content: bytes, at: int) -> bytes:
    """The same file with one byte flipped."""
    changed = bytearray(content)
    changed[at] ^= 0xFF
    return bytes(changed)
