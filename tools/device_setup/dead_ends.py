"""What makes a device impossible, said before anything is changed."""

import re
from pathlib import Path

from tools.device_setup.environment import HOME, VENV
from tools.device_setup.facts import Facts
from tools.device_setup.journal import Journal
from tools.device_setup.machine import Machine, SetupError
from tools.device_setup.options import Options
from tools.device_setup.plan import ACCOUNT, ETC, LINK, UNITS_FOLDER
from tools.device_setup.services import PORTS, is_active

_MIN_PYTHON = (3, 11)
# The newest with a wheel of every locked package: tools/wheel_check.py.
_MAX_PYTHON = (3, 14)
# The newest that numpy 1.26 was seen to compile for; it has no wheel for this one either.
_MAX_PYTHON_OF_NUMPY_1 = (3, 13)
_MIN_FREE_BYTES = 1_500_000_000
_OUR_DROP_IN = "edgeinfer.conf"
_DROP_IN = f"{UNITS_FOLDER}/prometheus.service.d/{_OUR_DROP_IN}"
_WATCHERS = ("prometheus", "prometheus-alertmanager")
_LISTENER = re.compile(r'"([^"]+)",pid=(\d+)')


def dead_ends(machine: Machine, facts: Facts, options: Options, journal: Journal) -> list[SetupError]:
    """Every reason why the set-up cannot succeed here, or would take what belongs to others."""
    found = [*_of_system(facts), *_of_hailort(facts), *_of_places(machine), *_of_account(machine)]
    if machine.free_bytes("/opt") < _MIN_FREE_BYTES and not machine.path(VENV).exists():
        free = machine.free_bytes("/opt") / 1e9
        found.append(SetupError("the disk of /opt", f"has {free:.1f} GB left and 1.5 GB are needed", "Make room."))
    place = machine.path(VENV)
    if place.is_dir() and not place.is_symlink():
        found.append(SetupError(VENV, "is a folder of an older set-up", f"Move it away: sudo mv {VENV} {VENV}.before"))
    return found + _of_own_watchers(machine, facts, options, journal) + _of_ports(machine, facts)


def _of_own_watchers(machine: Machine, facts: Facts, options: Options, journal: Journal) -> list[SetupError]:
    """A Prometheus or Alertmanager that was configured here by hand."""
    found = []
    units = [f"{UNITS_FOLDER}/{name}.service" for name in _WATCHERS]
    for unit in units:
        if machine.path(unit).exists():
            fault = "is a unit of your own: the service of Debian's package, which EdgeInfer uses, has the same name"
            remedy = (
                f"Move it away: sudo mv {unit} {unit}.before && sudo systemctl daemon-reload, and stop the service."
            )
            found.append(SetupError(unit, fault, remedy))
    drop_ins = [path for unit in units for path in machine.path(f"{unit}.d").glob("*.conf")]
    edited = [
        *facts.edited_files,
        *(f"/{path.relative_to(machine.root)}" for path in sorted(drop_ins) if path.name != _OUR_DROP_IN),
    ]
    if edited and not options.take_over and not journal.has("file", _DROP_IN):
        found.append(
            SetupError(
                ", ".join(edited),
                "was edited: this machine has a Prometheus or Alertmanager of its own, which would get EdgeInfer's"
                " configuration in place of that one",
                "If that is meant, add --take-over-prometheus; --undo gives the old one back. Else use another machine"
                " or 'make run', which brings its own.",
            )
        )
    return found


def _of_ports(machine: Machine, facts: Facts) -> list[SetupError]:
    found = []
    for port in sorted(facts.listeners):
        if not is_active(machine, PORTS[port]):
            shown = machine.ask("ss", "--listening", "--tcp", "--numeric", "--processes", f"sport = :{port}").output
            names = sorted(set(_LISTENER.findall(shown)))
            who = f" by {', '.join(f'{name} (process {pid})' for name, pid in names)}" if names else ""
            remedy = f"End it, or give it another port; 'sudo ss -ltnp sport = :{port}' shows who it is."
            found.append(SetupError(f"port {port}", f"is taken{who}, and {PORTS[port]} needs it", remedy))
    return found


def _of_places(machine: Machine) -> list[SetupError]:
    """Folders of ours that others made: they could change what is in them."""
    found = []
    for path in (HOME, ETC):
        place = machine.path(path)
        if place.exists() and (not place.is_dir() or (machine.is_root and place.stat().st_uid != 0)):
            owner = machine.user_of(place.stat().st_uid)
            fault = f"belongs to {owner}, who could change what runs" if place.is_dir() else "is not a folder"
            found.append(SetupError(path, fault, f"Move it away: sudo mv {path} {path}.before"))
    program = machine.path(LINK)
    if program.exists() and not program.is_symlink():
        remedy = f"Move it away: sudo mv {LINK} {LINK}.before"
        found.append(SetupError(LINK, "is a program of another set-up, such as pip or pipx as root", remedy))
    return found


def _of_account(machine: Machine) -> list[SetupError]:
    """An account of the services' name that was not made for them."""
    lines = [line.split(":") for line in machine.text("/etc/passwd").splitlines()]
    account = next((words for words in lines if words[0] == ACCOUNT), None)
    has_group = machine.ids("root", ACCOUNT) is not None
    if account is None and has_group:
        remedy = f"Make it: sudo useradd --system --gid {ACCOUNT} --shell /usr/sbin/nologin {ACCOUNT}"
        return [SetupError(f"group {ACCOUNT}", f"is here without an account {ACCOUNT}", remedy)]
    if account is None:
        return []
    found = []
    if not has_group:
        remedy = f"Make it: sudo groupadd --system {ACCOUNT} && sudo usermod --gid {ACCOUNT} {ACCOUNT}"
        found.append(SetupError(f"account {ACCOUNT}", f"is here without a group {ACCOUNT}", remedy))
    if not account[-1].endswith(("nologin", "false")):
        fault = "is a person's, who can log in: the services and their samples would be that person's"
        remedy = f"Take the login away: sudo usermod --shell /usr/sbin/nologin {ACCOUNT}; or rename it."
        found.append(SetupError(f"account {ACCOUNT}", fault, remedy))
    return found


def _of_system(facts: Facts) -> list[SetupError]:
    found = []
    if not facts.has_apt:
        remedy = "Use Debian 12 or 13, Raspberry Pi OS or Ubuntu; 'edgeinfer up' runs on others."
        found.append(SetupError(facts.system, "has no apt-get", remedy))
    if facts.python < _MIN_PYTHON:
        found.append(
            SetupError(
                f"Python {_dotted(facts.python)}",
                "is too old: 3.11 is needed, and HailoRT works with the system's own python3 alone",
                "Use Raspberry Pi OS Bookworm (Debian 12) or newer.",
            )
        )
    if facts.python > _MAX_PYTHON:
        found.append(
            SetupError(
                f"Python {_dotted(facts.python)}",
                f"is newer than {_dotted(_MAX_PYTHON)}, the newest that every locked package has a wheel for",
                "Use a newer version of EdgeInfer, or an older release of the system.",
            )
        )
    if facts.bits != 64:  # noqa: PLR2004 - bits of an address
        remedy = "Use the 64-bit Raspberry Pi OS."
        found.append(SetupError(facts.system, "is a 32-bit system, for which there are no packages", remedy))
    return found


def _of_hailort(facts: Facts) -> list[SetupError]:
    found = []
    if {"hailo-all", "hailo-h10-all"} <= set(facts.packages):
        remedy = "Remove the one that is not for your chip: sudo apt remove hailo-all, or hailo-h10-all."
        found.append(SetupError("HailoRT", "4.x and 5.x are installed, which exclude each other", remedy))
    library = facts.hailort
    if facts.needs_numpy_1 and facts.python > _MAX_PYTHON_OF_NUMPY_1:
        found.append(
            SetupError(
                library.native_part if library else "HailoRT",
                "reads arrays of numpy 2 as empty, and"
                f" numpy 1 was not seen to compile for Python {_dotted(facts.python)}",
                "Use HailoRT 5.1.1 or newer, or a system with Python 3.13 or older; without HailoRT the CPU computes:"
                " remove its package, or use another machine.",
            )
        )
    if library is not None and library.python not in {None, facts.python}:
        assert library.python is not None  # noqa: S101 - None is excluded above
        found.append(
            SetupError(
                library.native_part,
                f"is built for Python {_dotted(library.python)}, and this system's is {_dotted(facts.python)}",
                "Install the HailoRT package that belongs to this system: sudo apt full-upgrade, then reboot.",
            )
        )
    return found


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def of_checkout(checkout: Path) -> list[SetupError]:
    """What a checkout lacks."""
    wanted = ("requirements-runtime.lock", "src/edgeinfer/monitoring/generated/rules", "deploy/systemd")
    missing = [name for name in wanted if not (checkout / name).exists()]
    return [SetupError(str(checkout / name), "is missing", "Clone the repository again.") for name in missing]
