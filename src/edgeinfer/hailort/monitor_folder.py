"""The folder of HailoRT's monitor files, which is owned by the user of the first process that created it."""

import pwd
import stat
from pathlib import Path

from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.hailort.library import Library
from edgeinfer.installation import shipped_file

_FOLDER = "tmp/hmon_files"


def diagnose_monitor_folder(library: Library | None, root: Path = Path("/")) -> list[Diagnostic]:
    """Name the owner where only its processes can write; HailoRT itself fails there without a word.

    Args:
        library: the loaded HailoRT; a Hailo-10H writes no such files on the host.
        root: the directory that contains /tmp.
    """
    folder = root / _FOLDER
    if library is None or library.is_remote or not folder.is_dir():
        return []
    found = folder.stat()
    if found.st_mode & stat.S_IWOTH:
        return [Diagnostic("hailo monitor files", Verdict.OK, f"/{_FOLDER} may be written by every user")]
    owner = f"{_name(found.st_uid)} ({stat.S_IMODE(found.st_mode):04o})"
    message = f"/{_FOLDER} belongs to {owner}: a sidecar of another user writes no utilization there"
    remedy = (
        f"If the sidecar runs as another user: sudo cp {shipped_file('deploy/systemd/edgeinfer.tmpfiles')} "
        "/etc/tmpfiles.d/edgeinfer.conf && sudo systemd-tmpfiles --create edgeinfer.conf, then restart it."
    )
    return [Diagnostic("hailo monitor files", Verdict.NOTE, message, remedy)]


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # a user of a container
        return f"user {user}"
