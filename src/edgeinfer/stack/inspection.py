"""The stack's own half of a data folder, for the doctor: what is damaged, and what the next start does about it."""

import time
from collections.abc import Callable
from pathlib import Path

from edgeinfer.clocks import ahead_in_words
from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.stack import lock
from edgeinfer.stack.damage import lying_aside
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.repair import find_in_folder
from edgeinfer.stack.tsdb_files import AHEAD_SECONDS, newest_time

_SUBJECTS = {"prometheus": "prometheus data", "alertmanager": "alertmanager data", "stack": "stack record"}


def inspect_monitoring(root: Path, now: Callable[[], float] = time.time) -> list[Diagnostic]:
    """Prometheus' measurements, Alertmanager's files and our own record; nothing is changed.

    What a server is just writing looks damaged, so nothing is read while a run lasts.
    """
    folder = DataFolder(root)
    if lock.holder(folder.lock):
        note = "in use: what a running server writes cannot be judged"
        return [Diagnostic("data files", Verdict.NOTE, note, "Look again when 'edgeinfer down' has ended the run.")]
    damages = find_in_folder(folder)
    found = [
        Diagnostic(
            _SUBJECTS[one.part],
            Verdict.BROKEN,
            f"{one.path} {one.fault}; lost: {one.lost}",
            f"'edgeinfer up' sets it aside in {folder.damaged} and starts"
            + (" with what can be kept of it." if one.kept else " without it."),
        )
        for one in damages
    ]
    if not found:
        found = [Diagnostic("data files", Verdict.OK, "every file of Prometheus, Alertmanager and the stack is whole")]
    return found + _time(folder, now()) + _aside(folder)


def _time(folder: DataFolder, now: float) -> list[Diagnostic]:
    newest = newest_time(folder.prometheus)
    if newest is None or newest <= now + AHEAD_SECONDS:
        return []
    fault, remedy = ahead_in_words(newest, now, str(folder.prometheus))
    return [Diagnostic("clock", Verdict.BROKEN, fault, remedy)]


def _aside(folder: DataFolder) -> list[Diagnostic]:
    return [
        Diagnostic(
            "set aside",
            Verdict.NOTE,
            f"{one.moved_to}: {one.path} {one.fault}; lost: {one.lost}",
            f"Remove {folder.root / one.moved_to} once it is no longer needed.",
        )
        for one in lying_aside(folder)
        if one.moved_to
    ]
