"""Alertmanager's folder: silences and the log of notifications, each a file of messages with their lengths.

The messages are protocol buffers (MeshSilence and MeshEntry): field 1 is the thing itself, field 2 when it expires.
The files have no checksum: a wrong bit that breaks a message can be seen, and one inside of a text only against the
checksums that were written down when the last run ended.
"""

import contextlib
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from edgeinfer.stack.damage import Damage

PART = "alertmanager"
LOST = {
    "silences": "the damaged silences, and those behind them: what they silenced notifies again",
    "nflog": "which notifications went out: some may be sent once more",
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_THING, _EXPIRES = 1, 2
_MAX_FIELD = 1000
_MAX_VARINT_BYTES = 10


def find_damage(folder: Path, known: Mapping[str, tuple[int, ...]]) -> list[Damage]:
    """Files that Alertmanager would not start with, or that say something else than they did.

    Args:
        folder: `--storage.path`; Alertmanager must not be running on it.
        known: checksums of the messages of each file, as of the orderly end of the last run; empty after a kill,
            because Alertmanager may have rewritten the files since they were last known.
    """
    return [damage for name in LOST if (damage := _file_damage(folder / name, known.get(name)))]


def checksums(folder: Path) -> dict[str, tuple[int, ...]]:
    """Of each message of each file, to know later whether one was changed."""
    found = {}
    for name in LOST:
        with contextlib.suppress(OSError):
            content = (folder / name).read_bytes()
            found[name] = tuple(zlib.crc32(message) for message in _messages(content))
    return found


def whole_messages(content: bytes) -> int:
    """How many bytes from the begin are whole messages."""
    return sum(map(len, _messages(content)))


def _messages(content: bytes) -> list[bytes]:
    """The messages with their lengths, up to the first that is none."""
    found: list[bytes] = []
    position = 0
    while position < len(content):
        length, begin = _varint(content, position)
        if length < 0 or begin + length > len(content) or not _is_entry(content[begin : begin + length]):
            break
        found.append(content[position : begin + length])
        position = begin + length
    return found


def _file_damage(path: Path, known: tuple[int, ...] | None) -> Damage | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as failure:
        return Damage(PART, path, f"cannot be read ({failure.strerror or failure})", LOST[path.name])
    messages = _messages(content)
    whole = sum(map(len, messages))
    kept = [message for message in messages if known is None or zlib.crc32(message) in known]
    if len(kept) < len(messages):
        fault = f"has {len(messages) - len(kept)} of {len(messages)} entries that were changed since the last run"
    elif whole < len(content):
        fault = f"is damaged from byte {whole} of {len(content)} on"
    else:
        return None
    return Damage(PART, path, fault, LOST[path.name], partial(b"".join, kept))


def _is_entry(message: bytes) -> bool:
    fields = _fields(message)
    if fields is None or [number for number, _ in fields] != [_THING, _EXPIRES]:
        return False
    return all(_fields(data) is not None for _, data in fields) and bool(fields[0][1])


def _fields(message: bytes) -> list[tuple[int, bytes]] | None:
    """Number and content of each field; None where this is not a message."""
    found: list[tuple[int, bytes]] = []
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if key < 0 or not 0 < number < _MAX_FIELD:
            return None
        begin = position
        if wire == _VARINT:
            value, position = _varint(message, position)
            if value < 0:
                return None
        elif wire in (_FIXED64, _FIXED32):
            position += 8 if wire == _FIXED64 else 4
        elif wire == _BYTES:
            length, begin = _varint(message, position)
            position = begin + length if length >= 0 else len(message) + 1
        else:
            return None
        if position > len(message):
            return None
        found.append((number, message[begin:position]))
    return found


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits a byte and where it ends; -1 where there is none."""
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        if position + place >= len(content):
            return -1, position
        byte = content[position + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that another byte follows
            return value, position + place + 1
    return -1, position
