"""Looks at the store in a data folder without touching it, for `edgeinfer doctor --data-folder`."""

from pathlib import Path

from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.gateway.store.files import DiskFiles
from edgeinfer.gateway.store.layout import MANIFEST, parse_segment
from edgeinfer.gateway.store.recovery import Recovered, recover
from edgeinfer.gateway.store.repair import describe_sessions

_SUBJECT = "session store"


def inspect_store(root: Path) -> list[Diagnostic]:
    """The gateway's sessions, in the data folder of a stack or of a gateway alone; every checksum is computed.

    A store that is being written may look torn at its end: its newest record may be half written.
    """
    folder = next((path for path in (root / "gateway", root) if _is_store(path)), None)
    if folder is None:
        return []
    try:
        found = recover(DiskFiles(folder), whole=True)
    except OSError as failure:
        fault = f"{folder} cannot be read ({failure.strerror or failure})"
        return [
            Diagnostic(_SUBJECT, Verdict.BROKEN, fault, "The gateway will not start. Give it a folder that it owns.")
        ]
    diagnostics = [*_damaged(folder, found), *_torn(folder, found), *_set_aside(folder)]
    return diagnostics or [_well(folder, found)]


def _is_store(folder: Path) -> bool:
    try:
        return any(path.name == MANIFEST or parse_segment(path.name) for path in folder.iterdir())
    except OSError:
        return False


def _damaged(folder: Path, found: Recovered) -> list[Diagnostic]:
    kept = describe_sessions(found)
    diagnostics = []
    for damaged in found.damaged:
        if damaged.is_there:
            remedy = "The next start sets it aside in damaged/<time> and keeps every record whose checksum holds."
        else:
            remedy = "The next start reports it and continues without it; restore a backup before that."
        diagnostics.append(
            Diagnostic(_SUBJECT, Verdict.BROKEN, f"{folder / damaged.name}: {damaged.fault}; {kept}", remedy)
        )
    return diagnostics


def _torn(folder: Path, found: Recovered) -> list[Diagnostic]:
    return [
        Diagnostic(
            _SUBJECT,
            Verdict.NOTE,
            f"{folder / name}: its last {torn} bytes are an incomplete record, as a power cut or a kill leaves them",
            "The next start cuts them off.",
        )
        for name, torn in found.torn.items()
    ]


def _set_aside(folder: Path) -> list[Diagnostic]:
    count = DiskFiles(folder).count_set_aside()
    if not count:
        return []
    message = f"{folder / 'damaged'}: {count} folders of damaged files; report.txt in each says what was lost"
    return [Diagnostic(_SUBJECT, Verdict.NOTE, message, "Remove them once they are no longer needed.")]


def _well(folder: Path, found: Recovered) -> Diagnostic:
    megabytes = sum(size for name, size in found.sizes.items() if parse_segment(name)) / 1e6
    sessions = f"{len(found.sessions)} sessions under way, {len(found.ended)} ended"
    return Diagnostic(_SUBJECT, Verdict.OK, f"{folder}: every checksum holds; {sessions}, {megabytes:.1f} MB")
