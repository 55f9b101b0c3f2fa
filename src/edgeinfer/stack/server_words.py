"""What Prometheus and Alertmanager say when they do not start: whether a file is to blame, and which.

This is the second look, for damage that we did not understand; wordings of Prometheus 2.42, 2.53 and 3.x and of
Alertmanager 0.25 and 0.28 were read in their logs. Nothing here depends on a wording alone: a path must be in the
server's own folder, and what is not damage, such as a full disk, is left alone.
"""

import re
from pathlib import Path

# Not damage, whatever else the line says: moving files away would help nobody.
_OTHER_CAUSES = (
    "no space left",
    "address already in use",
    "permission denied",
    "too many open files",
    "cannot allocate memory",
    "read-only file system",
    "error loading config",
    "couldn't load configuration",
    "parsing yaml",
    "unknown long flag",
    "error parsing command line",
    "quota exceeded",
    "lock db directory",
)
_BLAMES_STORAGE = (
    "opening storage failed",
    "unexpected eof",
    "checksum",
    "corrupt",
    "invalid magic",
    "invalid wire",
    "illegal wire",
    "wiretype",
    "varint",
    "proto:",
    "not sequential",
    "unsequential",
    "meta.json",
    "head chunk",
    "wal",
    "nflog",
    "notification log",
    "silence",
    "is a directory",
    "not a directory",
    "no such file",
    "input/output error",
    "snapshot",
    "panic:",
    "fault address",
    "sigbus",
)
_PATH = re.compile(r"(/[^\s\"':;,()\\]+)")


def blamed_path(lines: list[str], folder: Path) -> Path | None:
    """The file or folder inside of `folder` that the last of these lines blames, as the thing that can be moved alone.

    A file of a block stands for the whole block, because neither is of use without the other.
    """
    for line in reversed(lines):
        if not is_about_storage([line]):
            continue
        for text in _PATH.findall(line):
            path = _part_of(Path(text), folder)
            if path is not None:
                return path
    return None


def is_about_storage(lines: list[str]) -> bool:
    """Whether the server does not start because of its folder's content, as far as its output shows."""
    text = "\n".join(lines).lower()
    return any(words in text for words in _BLAMES_STORAGE) and not any(words in text for words in _OTHER_CAUSES)


def _part_of(path: Path, folder: Path) -> Path | None:
    try:
        inside = path.relative_to(folder).parts
    except ValueError:
        return None
    if not inside:
        return None
    is_shared = inside[0] in ("wal", "wbl", "chunks_head") and len(inside) > 1
    found = folder.joinpath(*inside[: 2 if is_shared else 1])
    return found if found.exists() else None
