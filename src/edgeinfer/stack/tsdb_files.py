"""Prometheus' folder: blocks, write-ahead log and head chunks, checked as its format documents describe them."""

import math
import re
import struct
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import crc32c

from edgeinfer.clocks import in_words
from edgeinfer.stack.damage import Damage
from edgeinfer.stack.tsdb_binary import (
    CRC_BYTES,
    FILE_HEADER_BYTES,
    FormatFault,
    number,
    numbered,
    opened,
    varint,
)
from edgeinfer.stack.tsdb_block import PART, block_damage, read_meta, tombstones_damage
from edgeinfer.stack.wal import Segment, newest_milliseconds, read_segment, write_segment

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_CHECKPOINT = re.compile(r"checkpoint\.(\d+)")
_HEAD_MAGIC = 0x0130BC91
_HEAD_CHUNK = struct.Struct(">QQQB")  # series, first and last time, encoding
# So many missing segments are replaced by empty ones; a wider gap is a name that is not one of the log.
_MAX_GAP = 1000
_LOGS = ("wal", "wbl")
# Clocks differ by seconds; whoever is so much ahead was wrong.
AHEAD_SECONDS = 300.0
_AHEAD = "measurements that carry a wrong time"


def find_damage(folder: Path, *, reads_chunks_since: float = math.inf) -> list[Damage]:
    """Everything in a folder of Prometheus that it cannot use, or could use only by dropping more than must be.

    Args:
        folder: `--storage.tsdb.path`; Prometheus must not be running on it.
        reads_chunks_since: the measurements of blocks that were written after this time (seconds since 1970) are read
            as well, which takes as long as the disk needs. A wrong bit in others makes queries fail in Prometheus, and
            never gives a wrong number.
    """
    if not folder.is_dir():
        return []
    damages: list[Damage] = []
    for block in _blocks(folder):
        damage = block_damage(block, reads_chunks_since) or tombstones_damage(block)
        damages += [damage] if damage else []
    for name in _LOGS:
        damages += _log_damage(folder / name)
    return [*damages, *_head_damage(folder / "chunks_head")]


def written_since(folder: Path, max_bytes: int) -> float:
    """The time (seconds since 1970) since which no more than so many bytes of measurements were written."""
    files = [file for block in _blocks(folder) for file in numbered(block / "chunks")]
    since, total = math.inf, 0
    for written, size in sorted(((file.stat().st_mtime, file.stat().st_size) for file in files), reverse=True):
        total += size
        if total > max_bytes:
            break
        since = written
    return since


def newest_time(folder: Path) -> float | None:
    """The newest time that is stored, in seconds since 1970; None where nothing is, or nothing can be read."""
    times = [meta.max_time - 1 for block in _blocks(folder) if (meta := read_meta(block))]
    for name in _LOGS:
        for segment in numbered(folder / name)[-2:]:  # the last one may have just begun
            newest = newest_milliseconds(read_segment(segment.read_bytes()))
            times += [newest] if newest is not None else []
    return max(times) / 1000 if times else None


def find_ahead(folder: Path, now: float) -> list[Damage]:
    """What was measured while the clock was ahead, to be called only when the clock is known to be right now.

    Left in place, it would let Prometheus drop true measurements: their age counts from the newest block on.
    """
    limit = now + AHEAD_SECONDS
    damages = [
        Damage(PART, block, f"ends at {in_words(meta.max_time / 1000)}, which is still to come", _AHEAD)
        for block in _blocks(folder)
        if (meta := read_meta(block)) and meta.max_time / 1000 > limit
    ]
    for name in _LOGS:
        for path in numbered(folder / name):
            segment = read_segment(path.read_bytes())
            timely = tuple(record for record in segment.records if not _is_after(record, limit))
            if len(timely) < len(segment.records):
                fault = "holds measurements of a time that is still to come"
                damages.append(Damage(PART, path, fault, _AHEAD, partial(write_segment, timely)))
    if damages:
        damages += [Damage(PART, file, "goes with the above", "nothing") for file in numbered(folder / "chunks_head")]
    return damages


def _is_after(record: tuple[int, bytes], limit: float) -> bool:
    newest = newest_milliseconds(Segment((record,)))
    return newest is not None and newest / 1000 > limit


def _blocks(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and _ULID.fullmatch(path.name))
    except OSError:
        return []


def _log_damage(folder: Path) -> list[Damage]:
    """Segments of a log and of its checkpoints; a missing segment is replaced by an empty one, which loses no more."""
    if not folder.is_dir():
        return []
    segments = numbered(folder)
    damages = [damage for segment in segments if (damage := _segment_damage(segment))]
    checkpoints = sorted(
        (int(found[1]), path)
        for path in folder.iterdir()
        if path.is_dir() and (found := _CHECKPOINT.fullmatch(path.name))
    )
    for _, checkpoint in checkpoints[-1:]:
        damages += [damage for segment in numbered(checkpoint) if (damage := _segment_damage(segment))]
        damages += _gaps(numbered(checkpoint), first=0)
        if not numbered(checkpoint):
            damages.append(Damage(PART, checkpoint, "is empty", "names of series: their last hours cannot be read"))
    # Every log begins with 0, until a checkpoint takes over; that of late samples drops its begin without one.
    first = checkpoints[-1][0] + 1 if checkpoints else 0
    if folder.name == "wbl" and segments:
        first = int(segments[0].name)
    return [*damages, *_gaps(segments, first)]


def _segment_damage(segment: Path) -> Damage | None:
    try:
        found = read_segment(segment.read_bytes())
    except OSError as failure:
        return Damage(PART, segment, f"cannot be read ({failure.strerror or failure})", _lost_hours(segment), bytes)
    if not found.fault:
        return None
    lost = f"the damaged records of {_lost_hours(segment)}; {len(found.records)} records of it are kept"
    return Damage(PART, segment, f"has {found.fault}", lost, partial(write_segment, found.records))


def _lost_hours(segment: Path) -> str:
    try:
        return f"measurements of the hours before {in_words(segment.stat().st_mtime)}"
    except OSError:
        return "measurements of the last hours"


def _gaps(segments: Sequence[Path], first: int) -> Iterator[Damage]:
    """Segments that should be there: from the one after the checkpoint to the newest."""
    numbers = {int(segment.name): segment for segment in segments}
    if not numbers:
        return
    missing = [number for number in range(first, max(numbers)) if number not in numbers]
    if len(missing) > _MAX_GAP:
        last = max(numbers)
        yield Damage(PART, numbers[last], "has a number far from the others", _lost_hours(numbers[last]))
        return
    for absent in missing:
        path = segments[0].with_name(f"{absent:08d}")
        after = min(one for one in numbers if one > absent)
        yield Damage(PART, path, "is missing", _lost_hours(numbers[after]), bytes)


def _head_damage(folder: Path) -> Iterator[Damage]:
    """Head chunks from the first damaged file on: Prometheus creates them again from its write-ahead log."""
    if not folder.is_dir():
        return
    files = numbered(folder)
    fault = ""
    for position, file in enumerate(files):
        if not fault and position and int(file.name) != int(files[position - 1].name) + 1:
            fault = "comes after one that is missing"
        if not fault:
            try:
                _check_head_chunks(file, is_last=file is files[-1])
            except (FormatFault, OSError) as failure:
                fault = failure.what if isinstance(failure, FormatFault) else f"cannot be read ({failure})"
        if fault:
            yield Damage(PART, file, fault, "nothing that the write-ahead log does not hold as well")
            fault = "comes after one that is damaged"


def _check_head_chunks(path: Path, *, is_last: bool) -> None:
    with opened(path) as content:
        if not content and is_last:  # just made
            return
        if len(content) < FILE_HEADER_BYTES or number(content, 0, 4) != _HEAD_MAGIC:
            raise FormatFault("is not a file of head chunks")
        position = FILE_HEADER_BYTES
        while position + _HEAD_CHUNK.size < len(content):
            if not any(content[position : position + _HEAD_CHUNK.size]):  # room that was reserved and not used
                if any(content[position:]):
                    raise FormatFault("has unexpected bytes")
                return
            length, begin = varint(content, position + _HEAD_CHUNK.size)
            end = begin + length
            if end + CRC_BYTES > len(content):
                raise FormatFault("ends in the middle of a chunk")
            if crc32c.crc32c(content[position:end]) != number(content, end, 4):
                raise FormatFault("has a wrong checksum")
            position = end + CRC_BYTES
