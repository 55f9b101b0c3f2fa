"""What was changed and how it was before: the file that `--undo` reads, written before each change is made."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.device_setup.machine import Machine

FOLDER = "/var/lib/edgeinfer-setup"
_FILE = f"{FOLDER}/journal.json"
_BEFORE = f"{FOLDER}/before"

Entry = dict[str, Any]


def digest(content: bytes) -> str:
    """What distinguishes two contents of a file."""
    return hashlib.sha256(content).hexdigest()


@dataclass(slots=True)
class Journal:
    """The changes of all runs on one machine.

    Args:
        machine: where it lies.
        entries: the changes, oldest first; each holds the state before the first of our changes to that thing.
        written: digest of each file as it was last written by us, so that an edit of the owner is seen.
        options: what was last asked for, which a later run keeps.
    """

    machine: Machine
    entries: list[Entry] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, machine: Machine) -> "Journal":
        """The journal of this machine; an empty one before the first run."""
        content = json.loads(machine.text(_FILE) or "{}")
        return cls(machine, content.get("entries", []), content.get("written", {}), content.get("options", {}))

    def has(self, kind: str, name: str) -> bool:
        """Whether this thing was changed by us before."""
        return any(entry["kind"] == kind and entry["name"] == name for entry in self.entries)

    def record(self, kind: str, name: str, **before: object) -> None:
        """Write down a change that is about to be made; what it was before our first one stays."""
        if not self.has(kind, name):
            self.entries.append({"kind": kind, "name": name, **before})
        self.save()

    def keep_before(self, absolute: str) -> str:
        """Copy a file that is about to be replaced; returns where the copy lies."""
        copy = f"{_BEFORE}{absolute}"
        place = self.machine.path(copy)
        _make_private(self.machine.path(FOLDER))
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.machine.path(absolute), place)
        status = self.machine.path(absolute).stat()
        if self.machine.is_root:
            os.chown(place, status.st_uid, status.st_gid)
        return copy

    def is_edited(self, absolute: str) -> bool:
        """Whether a file of ours was changed since we wrote it."""
        place = self.machine.path(absolute)
        return absolute in self.written and place.is_file() and digest(place.read_bytes()) != self.written[absolute]

    def save(self) -> None:
        """Write it whole and synced: a cut in the middle of a run leaves what can be undone."""
        folder = self.machine.path(FOLDER)
        _make_private(folder)
        text = json.dumps(
            {"options": self.options, "entries": self.entries, "written": self.written}, indent=2, sort_keys=True
        )
        replace_file(self.machine.path(_FILE), text.encode(), 0o600)

    def forget(self) -> None:
        """All is undone."""
        shutil.rmtree(self.machine.path(FOLDER), ignore_errors=True)


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def replace_file(path: Path, content: bytes, mode: int, ids: tuple[int, int] | None = None) -> None:
    """Put a whole file in the place of another in one step, with its mode and owner from the begin."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        if ids is not None:
            os.fchown(file.fileno(), *ids)
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
