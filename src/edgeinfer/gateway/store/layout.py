"""Names of the store's files, and the manifest: which files there must be.

A file that is missing cannot say so, and an empty folder looks like a new one: the manifest knows which segments were
made, and after a clean stop how long the newest of each series is.
"""

import json
import re
import zlib
from dataclasses import dataclass, field

MANIFEST = "manifest.json"
RESERVE = "reserve"
TEMPORARY = ".new"
LIVE, ARCHIVE = "live", "archive"
_SEGMENT = re.compile(rf"^({LIVE}|{ARCHIVE})-(\d{{8}})\.log$", re.ASCII)


def segment_name(series: str, number: int) -> str:
    return f"{series}-{number:08}.log"


def parse_segment(name: str) -> tuple[str, int] | None:
    """Series and number of a segment file, None for another file."""
    match = _SEGMENT.match(name)
    return (match[1], int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class Range:
    """The segments of a series.

    Args:
        first: number of the oldest that is kept.
        last: number of the newest that was made; one less than `first` where there is none.
        size: bytes of the newest after a clean stop, None while it is written.
    """

    first: int = 1
    last: int = 0
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which segments there must be."""

    series: dict[str, Range] = field(default_factory=lambda: {LIVE: Range(), ARCHIVE: Range()})

    def encode(self) -> bytes:
        """As the content of a file, with a CRC-32."""
        content = {name: [part.first, part.last, part.size] for name, part in self.series.items()}
        text = json.dumps(content, sort_keys=True)
        return json.dumps({"format": 1, "crc32": zlib.crc32(text.encode()), "segments": content}).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "Manifest":
        """From the content of a file.

        Raises:
            ValueError: it is damaged.
        """
        try:
            document = json.loads(data)
            content = document["segments"]
            text = json.dumps(content, sort_keys=True)
            if document["crc32"] != zlib.crc32(text.encode()):
                raise ValueError("its checksum does not hold")
            return cls({name: Range(*content[name]) for name in (LIVE, ARCHIVE)})
        except (KeyError, TypeError, UnicodeDecodeError, RecursionError) as failure:
            raise ValueError("it is not a manifest") from failure
