"""The stack that `edgeinfer up` runs on this machine, found by its own record and not by usual ports."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgeinfer.errors import DataFolderError
from edgeinfer.monitoring.causes.commands import Way
from edgeinfer.settings import StackSettings
from edgeinfer.stack import lock, state_file
from edgeinfer.stack.folder import DataFolder, root_of
from edgeinfer.stack.plan import SIDECAR_PREFIX

_PORTS = {
    "gateway": "gateway_port",
    f"{SIDECAR_PREFIX}-1": "sidecar_port",
    "exporter": "exporter_port",
    "console": "console_port",
    "prometheus": "prometheus_port",
    "alertmanager": "alertmanager_port",
}


@dataclass(frozen=True, slots=True)
class RunningStack:
    """What a run that is under way wrote down about itself.

    Args:
        root: its data folder.
        pid: of `edgeinfer up`.
        addresses: of its processes, by name.
    """

    root: Path
    pid: int
    addresses: Mapping[str, str]

    def settings(self, given: StackSettings) -> StackSettings:
        """The given settings with the folder and the ports of this run."""
        ports = {
            field: port
            for name, field in _PORTS.items()
            if name in self.addresses and (port := urlsplit(self.addresses[name]).port)
        }
        sidecars = sum(name.startswith(f"{SIDECAR_PREFIX}-") for name in self.addresses)
        return given.model_copy(update={**ports, "data_folder": self.root, "sidecars": sidecars})


def find_running_stack(
    settings: StackSettings, marked: Callable[[], Iterable[Path]] | None = None
) -> RunningStack | None:
    """The run on the folder that was named; else on the usual one; else the only one that this user can see.

    Args:
        settings: name the folder, or none.
        marked: folders that processes of this machine carry in their environment; looked up if not given.

    Raises:
        DataFolderError: no folder is named, and several stacks run.
    """
    usual = root_of(settings.data_folder, settings.data_home).expanduser().absolute()
    found = _on(usual)
    if found or settings.data_folder:
        return found
    others = [one for one in map(_on, sorted(set((marked or state_file.marked_folders)()))) if one]
    if len(others) > 1:
        places = ", ".join(str(one.root) for one in others)
        raise DataFolderError("data folder", f"several stacks run here: on {places}", "Name one with --data-folder.")
    return others[0] if others else None


def root_to_diagnose(settings: StackSettings, prometheus_url: str | None, way: Way | None = None) -> Path:
    """Data folder of the stack that is asked about: of the one that runs, else the usual one.

    Args:
        settings: name the folder, or none.
        prometheus_url: as the user gave it; another's Prometheus says nothing about which stack runs here.
        way: how the stack runs, as the user gave it; only `edgeinfer up` keeps a record.

    Raises:
        DataFolderError: nothing says which, and several stacks run.
    """
    is_sought = not (settings.data_folder or prometheus_url) and way in (None, Way.UP)
    found = find_running_stack(settings) if is_sought else None
    return found.root if found else root_of(settings.data_folder, settings.data_home)


def _on(root: Path) -> RunningStack | None:
    folder = DataFolder(root)
    try:
        holder = lock.holder(folder.lock)
    except OSError:  # another user's folder
        return None
    record = state_file.read(folder.record)
    if holder is None or not holder.is_ours or record is None or record.pid != holder.pid:
        return None
    return RunningStack(root, record.pid, record.addresses)
