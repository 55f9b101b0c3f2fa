"""What a power cut leaves of a file: six kinds of damage, done to a file on purpose."""

import random
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What a power cut leaves of a file."""

    MISSING = "missing"
    EMPTY = "empty"
    CUT = "cut"
    ZEROS = "zeros"
    GARBAGE = "garbage"
    FLIPPED = "flipped"


def damage(path: Path, kind: Kind, chance: random.Random) -> None:
    """Do to a file what a power cut does."""
    content = path.read_bytes()
    if kind is Kind.MISSING:
        path.unlink()
        return
    contents: Mapping[Kind, Callable[[], bytes]] = {
        Kind.EMPTY: lambda: b"",
        Kind.CUT: lambda: content[: max(1, int(len(content) * chance.uniform(0.3, 0.9)))] if len(content) > 1 else b"",
        Kind.ZEROS: lambda: bytes(len(content)),
        Kind.GARBAGE: lambda: chance.randbytes(max(64, len(content))),
        Kind.FLIPPED: lambda: _flipped(content, chance),
    }
    changed = contents[kind]()
    with path.open("r+b") as file:  # the very file that a running server has open
        file.truncate(0)
        file.write(changed)


def _flipped(content: bytes, chance: random.Random) -> bytes:
    """One bit, among the bytes that hold something."""
    places = [place for place, byte in enumerate(content) if byte] or list(range(len(content)))
    if not places:
        return content
    changed = bytearray(content)
    changed[chance.choice(places)] ^= 1 << chance.randrange(8)
    return bytes(changed)
