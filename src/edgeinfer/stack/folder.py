"""The data folder: what lies where, and whether it can be written."""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeinfer.errors import DataFolderError

# A scrape costs about 2 KB and the head block is kept in a write-ahead log: below this, a day does not fit.
MIN_FREE_BYTES = 200 * 1024 * 1024
_PROBE_BYTES = 64 * 1024
_FROM_EMPTY = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_FULL = (errno.ENOSPC, errno.EDQUOT)

FreeBytes = Callable[[Path], int]


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Everything that a run leaves behind lies under `root`.

    Args:
        root: the folder.
        prometheus_name: what the folder of the measurements is called in it; Debian's package calls it metrics2.
    """

    root: Path
    prometheus_name: str = "prometheus"

    @property
    def lock(self) -> Path:
        """The file whose lock says that a run is under way."""
        return self.root / "lock"

    @property
    def record(self) -> Path:
        """What the present or last run started: processes and addresses, as JSON."""
        return self.root / "stack.json"

    @property
    def configuration(self) -> Path:
        """The files that Prometheus and Alertmanager are started with; rewritten by each run."""
        return self.root / "configuration"

    @property
    def prometheus(self) -> Path:
        """The measurements."""
        return self.root / self.prometheus_name

    @property
    def alertmanager(self) -> Path:
        """Silences and the log of notifications."""
        return self.root / "alertmanager"

    @property
    def gateway(self) -> Path:
        """Sessions, so that a crash of the gateway loses no sample."""
        return self.root / "gateway"

    @property
    def damaged(self) -> Path:
        """What was damaged and set aside, by the time at which that was done; nothing is ever deleted here."""
        return self.root / "damaged"

    @property
    def logs(self) -> Path:
        """One log for each process, and its older parts."""
        return self.root / "logs"


def root_of(named: Path | None, data_home: Path) -> Path:
    """The folder that was named, else ours among the user's data."""
    return named or data_home / "edgeinfer"


def free_bytes(folder: Path) -> int:
    """Bytes that this user can still write there."""
    return shutil.disk_usage(folder).free


def prepare(root: Path) -> DataFolder:
    """Make the folders, for this user's eyes only, and prove that they can be written.

    A full disk is accepted: gateway and sidecar still answer, and EdgeInfer can drop most of what fills it.

    Raises:
        DataFolderError: a folder cannot be created or written.
    """
    folder = DataFolder(root.expanduser().absolute())
    _make(folder.root)
    written = (folder.prometheus, folder.alertmanager, folder.gateway, folder.logs)
    for path in (*written, folder.configuration):
        _make(path)
        _close_to_others(path)
    for path in (folder.root, *written):
        _prove_writable(path)
    return folder


def too_little_room(root: Path, free: FreeBytes = free_bytes) -> str:
    """What to say where the disk of a folder is nearly full; empty where it is not."""
    left = free(root)
    if left >= MIN_FREE_BYTES:
        return ""
    return f"the disk of {root} has {left / 1e6:.0f} MB left where {MIN_FREE_BYTES / 1e6:.0f} MB are needed"


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step and synced: after a power cut it holds the old text or the new one.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    unfinished = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(unfinished, _FROM_EMPTY, 0o600), "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as failure:
        raise _error(path, "is a file where a folder is needed", "Name a folder with --data-folder.") from failure
    except OSError as failure:
        raise _cannot("be created", path, failure) from failure


def _close_to_others(path: Path) -> None:
    """Samples are nobody else's; folders of an earlier version are closed as well, the one that was named is not."""
    with contextlib.suppress(PermissionError):  # another user's folder that we may write: theirs to decide
        path.chmod(0o700)


def _prove_writable(path: Path) -> None:
    """Write and drop a small file: this finds a read-only mount and missing rights alike."""
    probe = path / f".probe-{os.getpid()}"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as failure:
        if failure.errno not in _FULL:
            raise _cannot("be written", path, failure) from failure
    finally:
        probe.unlink(missing_ok=True)


def _cannot(what: str, path: Path, failure: OSError) -> DataFolderError:
    reason = failure.strerror or type(failure).__name__
    remedy = "Give this user the right to write there and some room, or name another folder with --data-folder."
    return _error(path, f"cannot {what} ({reason})", remedy)


def _error(path: Path, fault: str, remedy: str) -> DataFolderError:
    return DataFolderError(f"data folder {path}", fault, remedy)
