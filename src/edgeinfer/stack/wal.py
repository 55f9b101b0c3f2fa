"""Prometheus' write-ahead log: whole records out of a segment, as its format document describes it.

A segment is pages of 32 KiB; a record is a type byte, a length (2 bytes), a CRC-32C (4 bytes) and data, and is cut
into fragments where a page ends. A type of zero says that the rest of the page is empty.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import crc32c

_PAGE_BYTES = 32 * 1024
_HEADER = struct.Struct(">BHI")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_TYPE_MASK, _SNAPPY, _ZSTD = 0b111, 0b1000, 0b10000
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# Series, samples, tombstones, exemplars, mapped chunks, metadata, and kinds of histograms; room for some to come.
_RECORD_TYPES = tuple(bytes([kind]) for kind in range(1, 17))
# A samples record begins with its type, the first series and the first time, before any difference to them.
_SAMPLES = struct.Struct(">BQq")
_SAMPLES_TYPES = (2, 7, 8, 9, 10)  # floats, histograms, float histograms, and both with custom buckets


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment holds.

    Args:
        records: the data of each whole record, as it is stored, with the compression bits of its type.
        fault: what is wrong with the segment, where it is first wrong; empty where nothing is.
    """

    records: tuple[tuple[int, bytes], ...]
    fault: str = ""


def read_segment(content: bytes) -> Segment:
    """Every whole record; what is damaged ends a record, and the next whole one after it is taken up again."""
    found = _Assembler()
    for begin in range(0, len(content), _PAGE_BYTES):
        found.where = f"in the page at byte {begin}"
        page, is_last = content[begin : begin + _PAGE_BYTES], begin + _PAGE_BYTES >= len(content)
        for kind, flags, data, fault in _fragments(page, is_last=is_last):
            if fault:
                found.fail(fault)
            else:
                found.add(kind, flags, data)
    if found.pieces:
        found.fail("a record without its end")
    return Segment(tuple(found.records), found.fault)


@dataclass(slots=True)
class _Assembler:
    """Puts records together out of their fragments, and remembers what was first wrong."""

    records: list[tuple[int, bytes]] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    flags: int = 0
    fault: str = ""
    where: str = ""

    def fail(self, fault: str) -> None:
        self.fault = self.fault or f"{fault} {self.where}"
        self.pieces.clear()

    def add(self, kind: int, flags: int, data: bytes) -> None:
        """Take one fragment; a record that is whole is handed on, and a wrong order is the log's fault."""
        is_begin = kind in (_FULL, _FIRST)
        if is_begin and self.pieces:
            self.fail("a record without its end")
        elif not is_begin and not self.pieces:
            self.fail("a record without its begin")
            return
        elif not is_begin and flags != self.flags:
            self.fail("a record that is compressed in two ways")
            return
        self.pieces.append(data)
        self.flags = flags
        if kind in (_FULL, _LAST):
            self._close()

    def _close(self) -> None:
        record = (self.flags, b"".join(self.pieces))
        if _is_plausible(*record):
            self.records.append(record)
        else:
            self.fail("a record of no known type")
        self.pieces.clear()


def write_segment(records: tuple[tuple[int, bytes], ...]) -> bytes:
    """A segment of these records alone."""
    out = bytearray()
    for flags, record in records:
        left, is_first = memoryview(record), True
        while is_first or left:
            room = _PAGE_BYTES - len(out) % _PAGE_BYTES
            if room < _HEADER.size:
                out += bytes(room)
                room = _PAGE_BYTES
            piece = left[: room - _HEADER.size]
            left = left[len(piece) :]
            kind = (_FULL if is_first else _LAST) if not left else (_FIRST if is_first else _MIDDLE)
            out += _HEADER.pack(kind | flags, len(piece), crc32c.crc32c(bytes(piece))) + piece
            is_first = False
    return bytes(out)


def newest_milliseconds(segment: Segment) -> int | None:
    """The newest time that a record of samples begins with; None where no record has one."""
    times = [time for flags, data in segment.records if (time := _first_time(flags, data)) is not None]
    return max(times, default=None)


def _is_plausible(flags: int, data: bytes) -> bool:
    """The checksum does not cover the byte that says how a record is compressed; its own first byte shows that."""
    if flags == _ZSTD:
        return data.startswith(_ZSTD_MAGIC)
    if flags == _SNAPPY:  # used only where it makes a record shorter
        return _snappy_length(data) > len(data) and _unsnappy(data, 1) in _RECORD_TYPES
    return data[:1] in _RECORD_TYPES


def _first_time(flags: int, data: bytes) -> int | None:
    if flags not in (0, _SNAPPY):  # zstd, which is not the default: the blocks know the time as well
        return None
    begin = _unsnappy(data, _SAMPLES.size) if flags == _SNAPPY else data[: _SAMPLES.size]
    if len(begin) < _SAMPLES.size:
        return None
    kind, _, time = _SAMPLES.unpack(begin)
    return int(time) if kind in _SAMPLES_TYPES else None


def _fragments(page: bytes, *, is_last: bool) -> Iterator[tuple[int, int, bytes, str]]:
    """Kind, flags, data and fault of each fragment; a fault ends the page, because what follows cannot be found.

    Prometheus itself takes zeros for the end of a page, wherever they begin. It writes them only where no header fits
    any more, and at the end of its last page: elsewhere they are what a power cut leaves of data.
    """
    position = 0
    while position < len(page):
        kind, flags = page[position] & _TYPE_MASK, page[position] & ~_TYPE_MASK
        if page[position] == 0:
            if any(page[position:]):
                yield 0, 0, b"", "bytes where nothing should be"
            elif position == 0 or (not is_last and len(page) - position >= _HEADER.size):
                yield 0, 0, b"", "zeros where records should be"
            return
        if position + _HEADER.size > len(page):
            yield 0, 0, b"", "half a header"
            return
        _, length, checksum = _HEADER.unpack_from(page, position)
        data = page[position + _HEADER.size : position + _HEADER.size + length]
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or flags & ~0b11000:
            yield 0, 0, b"", "an unknown type of record"
            return
        if len(data) < length:
            yield 0, 0, b"", "half a record"
            return
        if crc32c.crc32c(data) != checksum:
            yield 0, 0, b"", "a wrong checksum"
            return
        yield kind, flags, data, ""
        position += _HEADER.size + length


def _snappy_length(data: bytes) -> int:
    """The length that a snappy block says it has when it is unpacked."""
    value = 0
    for place, byte in enumerate(data[:5]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that another byte follows
            break
    return value


def _unsnappy(data: bytes, wanted: int) -> bytes:
    """The first bytes of a snappy block; the few that this needs, so that no library is."""
    position = 0
    while position < len(data) and data[position] & 0x80:  # the whole length, a varint that is not needed
        position += 1
    position += 1
    out = bytearray()
    while len(out) < wanted and position < len(data):
        tag = data[position]
        position += 1
        if tag & 3 == 0:
            length = (tag >> 2) + 1
            if length > 60:  # noqa: PLR2004 - 61 to 64 stand for 1 to 4 bytes of length
                extra = length - 60
                length = int.from_bytes(data[position : position + extra], "little") + 1
                position += extra
            out += data[position : position + length]
            position += length
            continue
        size, extra = ((tag >> 2 & 7) + 4, 1) if tag & 3 == 1 else ((tag >> 2) + 1, 2 if tag & 3 == 2 else 4)  # noqa: PLR2004
        offset = int.from_bytes(data[position : position + extra], "little") | ((tag >> 5) << 8 if extra == 1 else 0)
        position += extra
        if not 0 < offset <= len(out):
            return b""
        for _ in range(size):
            out.append(out[-offset])
    return bytes(out[:wanted])
