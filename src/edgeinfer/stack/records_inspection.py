"""The stack's own records in a data folder: whether they can be read."""

from pathlib import Path

from edgeinfer.findings import Finding, Verdict
from edgeinfer.stack import record
from edgeinfer.stack.folder import DataFolder


def inspect_records(root: Path) -> list[Finding]:
    """The state file of the last run; the lock needs no look, because its content is a hint and not the lock."""
    path = DataFolder(root).record
    if not path.exists() or record.read(path):
        return []
    fault = f"{path} cannot be read: the processes of the last run are not known"
    return [Finding("stack record", Verdict.BROKEN, fault, "'edgeinfer up' sets it aside and writes a new one.")]
