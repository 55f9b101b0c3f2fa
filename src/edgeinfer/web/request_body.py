"""The body of a request, as it comes in pieces: of a known length, or in chunks."""

import re

from edgeinfer.web.error_answers import head_too_large, malformed

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_FIELD_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n")
_END_OF_LINE = b"\r\n"
# Of a body in tiny chunks more is framing than content; a chunk of 20 bytes costs 6.
_FRAMING_SHARE = 4


class SizedBody:
    """A body whose length was announced.

    Args:
        length: in bytes, at least 1.
    """

    __slots__ = ("content", "missing")

    def __init__(self, length: int) -> None:
        self.content = bytearray()
        self.missing = length

    @property
    def is_whole(self) -> bool:
        """Whether all of it came."""
        return not self.missing

    @property
    def is_too_large(self) -> bool:
        """Never: what is announced as too large is not begun."""
        return False

    @property
    def memory_bytes(self) -> int:
        """What it holds."""
        return len(self.content)

    def feed(self, data: bytes | bytearray, start: int) -> int:
        """Take what is its own of what came from `start` on; returns where it ends."""
        end = min(len(data), start + self.missing)
        with memoryview(data) as view:
            self.content += view[start:end]
        self.missing -= end - start
        return end


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1); trailers are read and dropped, and never become headers.

    Args:
        max_bytes: of the content.
        max_framing_bytes: of chunk sizes, their extensions and trailers, in addition to a share of the content.
    """

    __slots__ = ("_framing", "_line", "_max_bytes", "_max_framing", "_missing", "_step", "content", "is_whole")

    def __init__(self, max_bytes: int, max_framing_bytes: int) -> None:
        self.content = bytearray()
        self.is_whole = False
        self._max_bytes = max_bytes
        self._max_framing = max_framing_bytes
        self._framing = 0
        self._missing = 0
        self._line = b""
        self._step = ChunkedBody._read_size  # a function and no method: that would be a cycle

    @property
    def is_too_large(self) -> bool:
        """Whether a byte more came than is taken; nothing may be fed any more."""
        return len(self.content) > self._max_bytes

    @property
    def memory_bytes(self) -> int:
        """What it holds."""
        return len(self.content) + len(self._line)

    def feed(self, data: bytes | bytearray, start: int) -> int:
        """Take what is its own of what came from `start` on; returns where it ends.

        Raises:
            Refused: it is not framed as it must be, or almost all of it is framing.
        """
        end = len(data)
        while start < end and not self.is_whole and not self.is_too_large:
            start = self._read_content(data, start) if self._missing else self._read_line(data, start)
        return start

    def _read_content(self, data: bytes | bytearray, start: int) -> int:
        end = min(len(data), start + min(self._missing, self._max_bytes + 1 - len(self.content)))
        with memoryview(data) as view:
            self.content += view[start:end]
        self._missing -= end - start
        return end

    def _read_line(self, data: bytes | bytearray, start: int) -> int:
        stop = data.find(b"\n", start) + 1
        end = stop or len(data)
        self._framing += end - start
        if self._framing > self._max_framing + len(self.content) // _FRAMING_SHARE:
            raise head_too_large("The body's chunk sizes, extensions and trailers are too long.")
        self._line += data[start:end]
        if stop:
            line, self._line = self._line, b""
            self._step(self, line)
        return end

    def _read_size(self, line: bytes) -> None:
        size = _SIZE_LINE.fullmatch(line)
        if size is None:
            raise malformed("A chunk's size is not a hexadecimal number.")
        self._missing = int(size[1], 16)
        self._step = ChunkedBody._read_end_of_chunk if self._missing else ChunkedBody._read_trailer

    def _read_end_of_chunk(self, line: bytes) -> None:
        if line != _END_OF_LINE:
            raise malformed("A chunk is longer than its size.")
        self._step = ChunkedBody._read_size

    def _read_trailer(self, line: bytes) -> None:
        if line == _END_OF_LINE:
            self.is_whole = True
        elif not _FIELD_LINE.fullmatch(line):
            raise malformed("A trailer is not a header.")


Body = SizedBody | ChunkedBody
