"""The data folder: what lies where, and whether it can be written."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeinfer.errors import DataFolderError

# A scrape costs about 2 KB and the head block is kept in a write-ahead log: below this, a day does not fit.
LEAST_FREE_BYTES = 200 * 1024 * 1024
_PROBE_BYTES = 64 * 1024

FreeBytes = Callable[[Path], int]


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Everything that a run leaves behind lies under `root`."""

    root: Path

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
        """The files that Prometheus and Alertmanager are started with; written anew by each run."""
        return self.root / "configuration"

    @property
    def prometheus(self) -> Path:
        """The measurements."""
        return self.root / "prometheus"

    @property
    def alertmanager(self) -> Path:
        """Silences and the log of notifications."""
        return self.root / "alertmanager"

    @property
    def gateway(self) -> Path:
        """Sessions, so that a crash of the gateway loses no sample."""
        return self.root / "gateway"

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


def prepare(root: Path, free: FreeBytes = free_bytes) -> DataFolder:
    """Make the folders and prove that they can be written.

    Raises:
        DataFolderError: a folder cannot be made or written, or the disk is nearly full.
    """
    folder = DataFolder(root.expanduser().absolute())
    written = (folder.root, folder.prometheus, folder.alertmanager, folder.gateway, folder.logs)
    for path in (*written, folder.configuration):
        _make(path)
    left = free(folder.root)
    if left < LEAST_FREE_BYTES:
        raise _error(
            folder.root,
            f"its disk has {left / 1e6:.0f} MB left where {LEAST_FREE_BYTES / 1e6:.0f} MB are needed",
            "Make room, or name a folder on another disk with --data-folder.",
        )
    for path in written:
        _prove_writable(path)
    return folder


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as failure:
        raise _error(path, "is a file where a folder is needed", "Name a folder with --data-folder.") from failure
    except OSError as failure:
        raise _cannot("be made", path, failure) from failure


def _prove_writable(path: Path) -> None:
    """Write and drop a small file: this finds a read-only mount, a quota and a full disk alike."""
    probe = path / f".probe-{os.getpid()}"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as failure:
        raise _cannot("be written", path, failure) from failure
    finally:
        probe.unlink(missing_ok=True)


def _cannot(what: str, path: Path, failure: OSError) -> DataFolderError:
    reason = failure.strerror or type(failure).__name__
    remedy = "Give this user the right to write there and some room, or name another folder with --data-folder."
    return _error(path, f"cannot {what} ({reason})", remedy)


def _error(path: Path, fault: str, remedy: str) -> DataFolderError:
    return DataFolderError(f"data folder {path}", fault, remedy)
