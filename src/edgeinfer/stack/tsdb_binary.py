"""How the files of Prometheus are read: big-endian numbers, varints, and no file as a whole."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

CRC_BYTES = 4
FILE_HEADER_BYTES = 8  # magic, version, and bytes that are not used
_MAX_VARINT_BYTES = 10
_WINDOW_BYTES = 64 * 1024
_NUMBER = re.compile(r"\d+")


class FormatFault(Exception):
    """What is wrong with a file."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class PartlyRead:
    """The content of a file, read where it is cut: a map would kill this process where the disk does not answer."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()
        self._size = os.fstat(self._descriptor).st_size
        self._at, self._window = 0, b""

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, wanted: slice) -> bytes:
        begin, end, _ = wanted.indices(self._size)
        count = max(0, end - begin)
        if not self._at <= begin <= end <= self._at + len(self._window):
            self._at, self._window = begin, os.pread(self._descriptor, max(count, _WINDOW_BYTES), begin)
        return self._window[begin - self._at : begin - self._at + count]


@contextmanager
def opened(path: Path) -> Iterator[PartlyRead]:
    """A file, to be cut like bytes."""
    with path.open("rb") as file:
        yield PartlyRead(file)


def number(content: PartlyRead, offset: int, count: int) -> int:
    """A big-endian number.

    Raises:
        FormatFault: the file ends before it.
    """
    data = content[offset : offset + count]
    if offset < 0 or len(data) < count:
        raise FormatFault("ends too early")
    return int.from_bytes(data, "big")


def varint(content: PartlyRead, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends.

    Raises:
        FormatFault: the file ends before it does, or it has no end.
    """
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        byte = number(content, position + place, 1)
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that another byte follows
            return value, position + place + 1
    raise FormatFault("has an invalid length")


def numbered(folder: Path) -> list[Path]:
    """Files whose name is a number, in order of the number."""
    try:
        found = [path for path in folder.iterdir() if _NUMBER.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(found, key=lambda path: int(path.name))
