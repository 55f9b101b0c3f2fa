"""Diagnostics of the machine, reported by doctor, by start-up checks and by health endpoints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    """Whether the thing is usable."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that was looked at.

    Args:
        subject: what was checked, such as "prometheus" or "hailo driver".
        verdict: whether it is usable; a note is worth reading and stops nothing.
        message: what was found, with versions and paths.
        remedy: what to do about it; empty where there is nothing to do.
    """

    subject: str
    verdict: Verdict
    message: str
    remedy: str = ""


FolderInspector = Callable[[Path], Sequence[Diagnostic]]
"""Looks at one part of a data folder, whose root it is given, and changes nothing.

Each damaged file is a `broken` diagnostic whose message names the file and what of it is lost, and whose remedy says
what the next start does about it. A part that is not there, or is well, gives no more than one `ok`.
"""
