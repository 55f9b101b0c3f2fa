"""What a look at the machine found: told by doctor, by start-up checks and by health pages."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether the thing is usable."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        subject: the room it belongs to, such as "prometheus" or "hailo driver".
        verdict: whether it is usable; a note is worth reading and stops nothing.
        message: what was found, with versions and paths.
        remedy: what to do about it; empty where there is nothing to do.
    """

    subject: str
    verdict: Verdict
    message: str
    remedy: str = ""
