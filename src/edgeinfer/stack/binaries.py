"""Prometheus and Alertmanager: found on PATH, or in the private cache."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edgeinfer.errors import BinaryNotFound

_VERSION_SECONDS = 10.0

THREE_WAYS = (
    "Put prometheus and alertmanager on PATH; or use a Debian-family system, where they are fetched by apt-get "
    "without root; or run the compose stack of a checkout with docker. "
    "Without any of these, --no-monitoring starts the services alone."
)


class Program(StrEnum):
    """The programs, as `--version` calls them."""

    PROMETHEUS = "prometheus"
    PROMTOOL = "promtool"
    ALERTMANAGER = "alertmanager"
    AMTOOL = "amtool"


# Debian renames one of them.
_FILE_NAMES: dict[Program, tuple[str, ...]] = {
    Program.PROMETHEUS: ("prometheus",),
    Program.PROMTOOL: ("promtool",),
    Program.ALERTMANAGER: ("prometheus-alertmanager", "alertmanager"),
    Program.AMTOOL: ("amtool",),
}
NEEDED = (Program.PROMETHEUS, Program.ALERTMANAGER)
TOOLS = (Program.PROMTOOL, Program.AMTOOL)


@dataclass(frozen=True, slots=True)
class Binary:
    """A program that was found and answered."""

    program: Program
    path: Path
    version: str

    @property
    def folder(self) -> Path:
        """Where it must be started: the fetched Alertmanager looks for its templates from there."""
        return self.path.parent.parent


def cache_folder(cache_home: Path) -> Path:
    return cache_home.expanduser() / "edgeinfer" / "monitoring"


def search_folders(cache: Path, search_path: str | None = None) -> list[str | None]:
    """Where to look, first things first; None stands for PATH."""
    return [search_path, str(cache / "usr" / "bin")]


def find_all(cache: Path, search_path: str | None = None) -> dict[Program, Binary]:
    """Every program that is there, PATH before cache."""
    places = search_folders(cache, search_path)
    found = (_find(program, places) for program in Program)
    return {binary.program: binary for binary in found if binary}


def require(found: Mapping[Program, Binary], program: Program) -> Binary:
    """The program.

    Raises:
        BinaryNotFound: it was not found; the message names the ways to get it.
    """
    if program not in found:
        raise BinaryNotFound(program.value, "is neither on PATH nor in the cache, and could not be fetched", THREE_WAYS)
    return found[program]


def _find(program: Program, places: Sequence[str | None]) -> Binary | None:
    for place in places:
        for name in _FILE_NAMES[program]:
            path = shutil.which(name, path=place)
            version = version_of(program, Path(path)) if path else ""
            if path and version:
                return Binary(program, Path(path), version)
    return None


def version_of(program: Program, path: Path) -> str:
    """The version, or "" where the file is another program of this name, or does not run here."""
    try:
        # Which stream the version goes to differs between releases.
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = done.stdout.decode("utf-8", "replace").split()
    if words[:2] != [f"{program.value},", "version"] or len(words) < 3:  # noqa: PLR2004 - "NAME, version X"
        return ""
    return words[2]
