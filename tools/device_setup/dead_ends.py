"""What makes a device impossible, said before anything is changed."""

from pathlib import Path

from tools.device_setup.environment import VENV
from tools.device_setup.facts import Facts
from tools.device_setup.journal import Journal
from tools.device_setup.machine import Machine, SetupError
from tools.device_setup.options import Options
from tools.device_setup.plan import UNITS_FOLDER
from tools.device_setup.services import PORTS, is_active

_MIN_PYTHON = (3, 11)
_MIN_FREE_BYTES = 1_500_000_000
_DROP_IN = f"{UNITS_FOLDER}/prometheus.service.d/edgeinfer.conf"


def dead_ends(machine: Machine, facts: Facts, options: Options, journal: Journal) -> list[SetupError]:
    """Every reason why the set-up cannot succeed here, or would take what belongs to others."""
    found = [*_of_system(facts), *_of_hailort(facts)]
    if machine.free_bytes("/opt") < _MIN_FREE_BYTES and not machine.path(VENV).exists():
        free = machine.free_bytes("/opt") / 1e9
        found.append(SetupError("the disk of /opt", f"has {free:.1f} GB left and 1.5 GB are needed", "Make room."))
    place = machine.path(VENV)
    if place.is_dir() and not place.is_symlink():
        found.append(SetupError(VENV, "is a folder of an older set-up", f"Move it away: sudo mv {VENV} {VENV}.before"))
    if facts.edited_files and not options.take_over and not journal.has("file", _DROP_IN):
        found.append(
            SetupError(
                ", ".join(facts.edited_files),
                "was edited: this machine has a Prometheus or Alertmanager of its own, which would get EdgeInfer's"
                " configuration in place of that one",
                "If that is meant, add --take-over-prometheus; --undo gives the old one back. Else use another machine"
                " or 'make run', which brings its own.",
            )
        )
    for port in sorted(facts.listeners):
        if not is_active(machine, PORTS[port]):
            remedy = f"See who it is with 'sudo ss -ltnp sport = :{port}', and end it."
            found.append(SetupError(f"port {port}", f"is taken, and {PORTS[port]} needs it", remedy))
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
