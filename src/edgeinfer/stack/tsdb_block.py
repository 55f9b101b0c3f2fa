"""One block of Prometheus: two hours or more of measurements, checked as its format document describes it."""

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import crc32c
import msgspec

from edgeinfer.clocks import in_words
from edgeinfer.stack.damage import Damage
from edgeinfer.stack.tsdb_binary import (
    CRC_BYTES,
    FILE_HEADER_BYTES,
    FormatFault,
    PartlyRead,
    number,
    numbered,
    opened,
    varint,
)

PART = "prometheus"
_ULID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_TIME_DIGITS = 10
_INDEX_MAGIC, _CHUNKS_MAGIC = 0xBAAAD700, 0x85BD40DD
_TOC = struct.Struct(">6QI")  # offsets of symbols, series, label indices, their table, postings, their table; CRC
_SECTION_ALIGNMENT, _SERIES_ALIGNMENT = 4, 16


class BlockMeta(msgspec.Struct, rename="camel"):
    """What meta.json of a block says; times in milliseconds since 1970, the last one not included."""

    ulid: str
    min_time: int
    max_time: int
    version: int = 0


def read_meta(block: Path) -> BlockMeta | None:
    """What a block says about itself; None where it cannot be read."""
    try:
        return msgspec.json.decode((block / "meta.json").read_bytes(), type=BlockMeta)
    except (OSError, msgspec.MsgspecError):
        return None


def block_damage(block: Path, reads_chunks_since: float) -> Damage | None:
    """What is first found wrong with a block, or None; a block is of use as a whole or not at all."""
    meta = read_meta(block)
    checks: list[Callable[[], None]] = [partial(_check_meta, block, meta), partial(_check_index, block / "index")]
    checks.append(partial(_check_chunk_files, block / "chunks", reads_chunks_since))
    for check in checks:
        try:
            check()
        except FormatFault as failure:
            return Damage(PART, block, failure.what, _lost_with(block, meta))
        except FileNotFoundError as failure:
            return Damage(PART, block, f"has no {Path(failure.filename).name}", _lost_with(block, meta))
        except OSError as failure:
            return Damage(PART, block, f"cannot be read ({failure.strerror or failure})", _lost_with(block, meta))
    return None


def tombstones_damage(block: Path) -> Damage | None:
    """What is wrong with the file that says which samples were deleted; the block is of use without it."""
    path = block / "tombstones"
    try:
        _check_tombstones(path)
    except FormatFault as failure:
        return Damage(PART, path, failure.what, "which samples had been deleted by hand, if any had")
    except OSError as failure:
        return Damage(PART, path, f"cannot be read ({failure})", "which samples had been deleted by hand, if any had")
    return None


def _lost_with(block: Path, meta: BlockMeta | None) -> str:
    if meta and meta.ulid == block.name:
        return f"measurements from {in_words(meta.min_time / 1000)} to {in_words(meta.max_time / 1000)}"
    number = 0
    for digit in block.name[:_ULID_TIME_DIGITS]:
        number = number * 32 + _ULID_DIGITS.index(digit)
    return f"measurements of the hours before {in_words(number / 1000)}"


def _check_meta(block: Path, meta: BlockMeta | None) -> None:
    if meta is None:
        raise FormatFault("has no readable meta.json")
    if meta.ulid != block.name or meta.version != 1 or meta.min_time > meta.max_time:
        raise FormatFault("has the meta.json of another block")


def _check_index(path: Path) -> None:
    with opened(path) as content:
        if len(content) < FILE_HEADER_BYTES + _TOC.size or number(content, 0, 4) != _INDEX_MAGIC:
            raise FormatFault("has an index that is not one of Prometheus")
        toc = content[-_TOC.size :]
        symbols, series, label_indices, label_table, postings, postings_table, checksum = _TOC.unpack(toc)
        if crc32c.crc32c(toc[:-CRC_BYTES]) != checksum:
            raise FormatFault("has a wrong checksum in the table of contents of its index")
        end_of_series = min(offset for offset in (label_indices, postings, label_table, postings_table) if offset)
        for name, offset in (("symbols", symbols), ("labels", label_table), ("postings", postings_table)):
            if offset:
                _section(content, offset, name)
        _check_series(content, series, end_of_series)
        last = min(offset for offset in (label_table, postings_table) if offset)
        for begin, end in ((label_indices, postings), (postings, last)):
            if begin and end > begin:
                _check_sections(content, begin, end)


def _section(content: PartlyRead, offset: int, name: str) -> int:
    """Prove the checksum of a part that begins with its length; returns where it ends."""
    length = number(content, offset, 4)
    data = content[offset + 4 : offset + 4 + length]
    end = offset + 4 + length + CRC_BYTES
    if len(data) < length or end > len(content) or crc32c.crc32c(data) != number(content, end - CRC_BYTES, 4):
        raise FormatFault(f"has a wrong checksum in the {name} of its index")
    return end


def _check_sections(content: PartlyRead, position: int, end: int) -> None:
    while (position := position + -position % _SECTION_ALIGNMENT) < end:
        position = _section(content, position, "postings")


def _check_series(content: PartlyRead, position: int, end: int) -> None:
    while position < end - CRC_BYTES:
        position += -position % _SERIES_ALIGNMENT
        if position >= end or content[position : position + 1] == b"\0":  # aligned past the last one
            return
        length, begin = varint(content, position)
        data = content[begin : begin + length]
        if len(data) < length or crc32c.crc32c(data) != number(content, begin + length, 4):
            raise FormatFault("has a wrong checksum in the series of its index")
        position = begin + length + CRC_BYTES


def _check_chunk_files(folder: Path, reads_chunks_since: float) -> None:
    if not folder.is_dir():
        raise FormatFault("has no chunks")
    files = numbered(folder)
    if not files or [int(file.name) for file in files] != list(range(1, len(files) + 1)):
        raise FormatFault("lacks a file of its chunks")
    for file in files:
        with opened(file) as content:
            if len(content) < FILE_HEADER_BYTES or number(content, 0, 4) != _CHUNKS_MAGIC:
                raise FormatFault(f"has chunks/{file.name}, which is not a file of chunks")
            if file.stat().st_mtime >= reads_chunks_since:
                _check_chunks(content, file.name)


def _check_chunks(content: PartlyRead, name: str) -> None:
    """Each chunk: length, encoding, data, and the checksum of the last two."""
    position = FILE_HEADER_BYTES
    while position < len(content):
        length, begin = varint(content, position)
        end = begin + 1 + length
        if end + CRC_BYTES > len(content):
            raise FormatFault(f"has chunks/{name}, which ends in the middle of a chunk")
        if crc32c.crc32c(content[begin:end]) != number(content, end, 4):
            raise FormatFault(f"has a wrong checksum in chunks/{name}")
        position = end + CRC_BYTES


def _check_tombstones(path: Path) -> None:
    """Magic, version, entries, checksum of the entries; a block without the file has none."""
    if not path.exists():
        return
    with opened(path) as content:
        is_whole = len(content) >= 9 and number(content, 0, 4) == 0x0130BA30  # noqa: PLR2004 - header and checksum
        if not is_whole or crc32c.crc32c(content[5:-CRC_BYTES]) != number(content, len(content) - 4, 4):
            raise FormatFault("is not a file of tombstones")
