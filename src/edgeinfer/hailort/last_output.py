"""What HailoRT wrote to standard error while it failed: often the only place that names the cause."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SENTENCE = re.compile(r"\[HailoRT\] \[(?:error|critical)\] (.+)")
# The library reports each level that hands a failure on; these sentences add nothing to the first.
_HANDED_ON = re.compile(r"CHECK_\w+ failed|Failed creating HEF|Failed parsing HEF")
_STDERR = 2


class LastOutput:
    """The error sentences of the calls so far, in their order."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    @property
    def quoted(self) -> str:
        """The last sentence that adds information, as a quotation; empty if there was none."""
        own = [sentence for sentence in self._sentences if not _HANDED_ON.match(sentence)] or self._sentences
        return f'HailoRT says: "{own[-1]}"' if own else ""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Capture what native code writes to standard error inside the block, and write it there at the end.

        Meant for a program with one thread: the file descriptor of the whole process is turned away. A file in memory
        takes it and not a pipe, because HailoRT holds the interpreter while it writes and no thread could drain a pipe.
        """
        self._sentences = []
        before = _duplicated()
        if before is None:
            yield
            return
        with os.fdopen(os.memfd_create("hailort"), "r+b") as caught:
            os.dup2(caught.fileno(), _STDERR)
            try:
                yield
            finally:
                os.dup2(before, _STDERR)
                os.close(before)
                caught.seek(0)
                content = caught.read()
                os.write(_STDERR, content)
                self._sentences = _sentences(content.decode(errors="replace"))


def _duplicated() -> int | None:
    try:
        return os.dup(_STDERR)
    except OSError:  # closed by the caller: nothing is written, and nothing can be caught
        return None


def _sentences(text: str) -> list[str]:
    return [match.group(1).strip() for match in _SENTENCE.finditer(_COLOUR.sub("", text))]
