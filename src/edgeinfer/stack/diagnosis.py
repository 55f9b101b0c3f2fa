"""What doctor reports about the native stack: binaries, ports, data folder."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.errors import DataFolderError, PortInUse
from edgeinfer.listeners import who_listens
from edgeinfer.stack import lock, ports, state_file
from edgeinfer.stack.binaries import NEEDED, THREE_WAYS, Binary, Program
from edgeinfer.stack.folder import DataFolder, FreeBytes, free_bytes, prepare, too_little_room

_FETCH = "Run 'edgeinfer doctor --fetch', or 'edgeinfer up', which fetches what it needs."


def look_at_binaries(found: Mapping[Program, Binary], *, can_fetch: bool) -> list[Diagnostic]:
    """Prometheus, Alertmanager and their checking tools."""
    return [_binary(program, found.get(program), can_fetch=can_fetch) for program in Program]


def _binary(program: Program, binary: Binary | None, *, can_fetch: bool) -> Diagnostic:
    if binary:
        return Diagnostic(program.value, Verdict.OK, f"{binary.version} at {binary.path}")
    if program not in NEEDED:
        remedy = "Only tests and checks of rules need it. " + (_FETCH if can_fetch else "")
        return Diagnostic(program.value, Verdict.NOTE, "not found", remedy.strip())
    if can_fetch:
        return Diagnostic(program.value, Verdict.NOTE, "not installed; it can be fetched without root", _FETCH)
    return Diagnostic(program.value, Verdict.MISSING, "not found, and apt-get is missing to fetch it", THREE_WAYS)


def look_at_ports(
    wanted: Sequence[tuple[str, str, int]], folder: Path, answering: Mapping[int, str] | None = None
) -> list[Diagnostic]:
    """Whether each port is free, or the stack's own.

    Args:
        wanted: name of the process, host, port.
        folder: whose record names the processes of a run that is under way.
        answering: which service of ours answers on a port that no record names, in words.
    """
    written = state_file.read(DataFolder(folder).record)
    ours = {one.pid for one in written.processes} if written and lock.holder(DataFolder(folder).lock) else set()
    return [_port(name, host, port, ours, answering or {}) for name, host, port in wanted]


def _port(name: str, host: str, port: int, ours: set[int], answering: Mapping[int, str]) -> Diagnostic:
    subject = f"port {port}"
    if port in answering:
        return Diagnostic(subject, Verdict.OK, answering[port])
    try:
        if ports.is_free(host, port):
            return Diagnostic(subject, Verdict.OK, f"free for the {name}")
    except PortInUse as failure:
        return Diagnostic(subject, Verdict.BROKEN, f"{failure.thing} {failure.fault}", failure.remedy)
    if any(psutil.pid_exists(pid) and ports.listens(pid, port) for pid in ours):
        return Diagnostic(subject, Verdict.OK, f"the {name} of the running stack listens there")
    remedy = "Stop it, or choose another port: see 'edgeinfer up --help'."
    return Diagnostic(subject, Verdict.BROKEN, f"needed by the {name}, used by {who_listens(port)}", remedy)


def look_at_folder(root: Path, free: FreeBytes = free_bytes) -> list[Diagnostic]:
    """The data folder and its disk; a folder that is not there yet is not made."""
    root = root.expanduser().absolute()
    if not root.exists():
        return [_folder_to_be(root)]
    try:
        folder = prepare(root)
    except DataFolderError as failure:
        return [Diagnostic("data folder", Verdict.BROKEN, f"{failure.thing}: {failure.fault}", failure.remedy)]
    holder = lock.holder(folder.lock)
    use = f"in use by {holder}" if holder else "writable, not in use"
    kept = sum(file.stat().st_size for file in folder.prometheus.rglob("*") if file.is_file())
    message = f"{folder.root} is {use}; measurements take {kept / 1e6:.0f} MB"
    return [
        Diagnostic("data folder", Verdict.OK, message),
        _disk(folder.root, free),
    ]


def _disk(root: Path, free: FreeBytes) -> Diagnostic:
    scarce = too_little_room(root, free)
    if scarce:
        return Diagnostic("disk", Verdict.BROKEN, scarce, "Make room, or name a folder on another disk.")
    return Diagnostic("disk", Verdict.OK, f"{free(root) / 1e9:.1f} GB free for {root}")


def _folder_to_be(root: Path) -> Diagnostic:
    parent = next(path for path in root.parents if path.exists())
    if os.access(parent, os.W_OK | os.X_OK) and parent.is_dir():
        return Diagnostic("data folder", Verdict.OK, f"{root} is created by the first 'edgeinfer up'")
    remedy = "Give this user the right to write there, or name another folder with --data-folder."
    return Diagnostic("data folder", Verdict.BROKEN, f"{root} cannot be created: {parent} is not writable", remedy)
