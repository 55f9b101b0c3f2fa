"""Where the processes of the stack are: from the stack's own record, from systemd's units, or from the settings."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from edgeinfer.monitoring.causes.commands import PROCESSES, Way
from edgeinfer.settings import StackSettings
from edgeinfer.stack import lock, state_file
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.plan import LOOPBACK, SIDECAR_PREFIX
from edgeinfer.stack.ports import reachable

_UNITS = Path("/etc/systemd/system")
_UNITS_SETTINGS = Path("/etc/edgeinfer")
_CONTAINER = "docker"
_SETTING = re.compile(r"(?m)^(EDGEINFER_\w+)=[\"']?([^\"'\s]*)")
# A process that crashed this often without a pause is in a loop.
_CRASHES_OF_A_LOOP = 2


@dataclass(frozen=True, slots=True)
class Place:
    """One process of the stack.

    Args:
        process: a key of `commands.PROCESSES`; several sidecars share one.
        name: of the process in the stack's record.
        url: where it answers.
        pid: of the living process; None where it is not known or there is none.
        state: as the supervisor wrote it down; empty where nobody did.
        crashes: without a pause between them.
        fault: why it does not work, as the supervisor wrote it down.
        log: its log; None where it has no file.
    """

    process: str
    name: str
    url: str
    pid: int | None = None
    state: str = ""
    crashes: int = 0
    fault: str = ""
    log: Path | None = None

    @property
    def is_looping(self) -> bool:
        """Whether it ends again and again, and is not up for good now."""
        return self.crashes >= _CRASHES_OF_A_LOOP and self.state != "ready"

    @property
    def port(self) -> int:
        """That it listens on."""
        return urlsplit(self.url).port or 0


@dataclass(frozen=True, slots=True)
class Stack:
    """The stack as it was found.

    Args:
        way: how it was started.
        folder: its data folder.
        places: its processes.
        unseen: what could not be found out, a sentence each.
        is_recorded: whether its own record names its processes; without, usual addresses are assumed.
        is_foreign: whether there is a record that this version cannot read; what is at the usual addresses says
            nothing about its stack.
    """

    way: Way
    folder: Path
    places: tuple[Place, ...]
    unseen: tuple[str, ...] = ()
    is_recorded: bool = False
    is_foreign: bool = False

    def url(self, process: str) -> str:
        """Address of the first process of this kind; empty without one."""
        return next((place.url for place in self.places if place.process == process), "")

    def pid(self, process: str) -> int | None:
        """Of the first process of this kind."""
        return next((place.pid for place in self.places if place.process == process), None)


def find_stack(
    settings: StackSettings,
    root: Path,
    way: Way | None = None,
    units: Path = _UNITS,
    units_settings: Path = _UNITS_SETTINGS,
) -> Stack:
    """The stack that this machine runs.

    Args:
        settings: addresses where no record names them.
        root: the data folder.
        way: how it was started, where the caller knows; else it is found out.
        units: folder of systemd's units.
        units_settings: folder of the settings files that these units read.
    """
    folder = DataFolder(root.expanduser().absolute())
    record = state_file.read(folder.record)
    unseen: tuple[str, ...] = ()
    try:
        is_held = folder.root.is_dir() and lock.holder(folder.lock) is not None
    except OSError as failure:
        is_held, unseen = False, (f"{folder.lock} could not be read: {failure.strerror}",)
    if way in (None, Way.UP) and record is not None and is_held:
        return Stack(Way.UP, folder.root, _recorded(record, folder), is_recorded=True)
    if way is None:
        way = found_way(units)
    is_foreign = record is None and folder.record.exists()
    if is_foreign:
        unseen = (*unseen, f"{folder.record} is not of this version and was not read")
    elif way is None:
        unseen = (*unseen, f"{folder.record} names no run that is under way")
    if way is Way.SYSTEMD:
        settings = _of_units(settings, units_settings)
    return Stack(way or Way.UP, folder.root, _by_settings(settings), unseen, is_foreign=is_foreign)


def found_way(units: Path = _UNITS) -> Way | None:
    """How a stack without a record is run here; None where nothing says so."""
    if (units / "edgeinfer-gateway.service").exists():
        return Way.SYSTEMD
    return Way.COMPOSE if _runs_in_a_container() else None


def _runs_in_a_container() -> bool:
    """Whether one of our services is a process of a container."""
    for process in psutil.process_iter():
        try:
            if "edgeinfer" in " ".join(process.cmdline()) and _CONTAINER in _cgroup(process.pid):
                return True
        except (psutil.Error, OSError):
            continue
    return False


def _cgroup(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text("ascii", "replace")


def _of_units(settings: StackSettings, folder: Path) -> StackSettings:
    """The settings with what the units' own files say of addresses; a file that is not there changes nothing."""
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.env")):
        try:
            found |= dict(_SETTING.findall(file.read_text("utf-8", "replace")))
        except OSError:  # receivers of alerts are root's alone
            continue
    named = {
        field: found[variable]
        for field, variable in StackSettings.variables().items()
        if field.endswith(("_host", "_port")) and found.get(variable)
    }
    return settings.model_copy(
        update={field: int(value) if value.isdecimal() else value for field, value in named.items()}
    )


def _recorded(record: state_file.StackRecord, folder: DataFolder) -> tuple[Place, ...]:
    pids = {one.name: one.pid for one in record.processes}
    members = {one.name: one for one in record.members}
    found = []
    for name, url in record.addresses.items():
        process = process_of(name)
        if not process:
            continue
        member = members.get(name)
        place = Place(process, name, url, pids.get(name), log=folder.logs / f"{name}.log")
        if member:
            place = Place(
                process, name, url, pids.get(name), member.state, member.crashes_in_a_row, member.fault, place.log
            )
        found.append(place)
    return tuple(found)


def process_of(name: str) -> str:
    """The key in `commands.PROCESSES` of a process by its name in the record; empty for one that is not asked."""
    process = SIDECAR_PREFIX if name.startswith(f"{SIDECAR_PREFIX}-") else name
    return process if process in PROCESSES else ""


def _by_settings(settings: StackSettings) -> tuple[Place, ...]:
    ports = {
        "gateway": settings.gateway_port,
        "sidecar": settings.sidecar_port,
        "exporter": settings.exporter_port,
        "console": settings.console_port,
        "prometheus": settings.prometheus_port,
        "alertmanager": settings.alertmanager_port,
    }
    hosts = {"gateway": settings.gateway_host, "console": settings.console_host}
    return tuple(
        Place(process, PROCESSES[process].member, f"http://{reachable(hosts.get(process, LOOPBACK))}:{port}")
        for process, port in ports.items()
    )
