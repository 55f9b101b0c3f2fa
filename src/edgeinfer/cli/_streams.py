"""Text outside of ASCII in every locale: a path with an umlaut must not end a stack."""

import codecs
import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

_UTF8_MODE = "PYTHONUTF8"


def utf8_command(
    encoding: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[str], dict[str, str]] | None:
    """The same command in Python's UTF-8 mode with its environment, or None where it is not needed.

    In the locale C nothing is known of the file system's encoding, and Python takes ASCII if it must not coerce the
    locale (PEP 538, 540): a path with an umlaut then cannot be printed, nor written into Prometheus' configuration.
    The mode is passed on to every process that is started.

    Args:
        encoding: of the file system.
        arguments: of this process, those of the interpreter included.
        environment: of this process.
    """
    if codecs.lookup(encoding).name != "ascii" or environment.get(_UTF8_MODE) == "1":
        return None
    return [sys.executable, *arguments[1:]], {**environment, _UTF8_MODE: "1"}


def use_utf8() -> None:
    """Begin again in UTF-8 mode where the locale is C; later commands are not affected."""
    command = utf8_command(sys.getfilesystemencoding(), sys.orig_argv, os.environ)  # noqa: TID251 - passed on whole, not read
    if command is not None:
        os.execve(sys.executable, *command)  # noqa: S606 - this very command


def make_printable(streams: Iterable[TextIO]) -> None:
    """Let each stream take every character: file names with the bytes that they have, others as an escape."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):  # else replaced by whoever runs the command line inside a program
            is_utf8 = codecs.lookup(stream.encoding).name == "utf-8"
            stream.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")
