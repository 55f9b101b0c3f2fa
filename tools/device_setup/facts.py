"""What is there before anything is changed: the system, its Python, HailoRT, a chip, a model, who keeps the clock."""

import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.device_setup.machine import Machine

MODEL = "/opt/edgeinfer/models/model.hef"
_HAILO_VENDOR = "0x1e60"
# pybind11 looks for this module from 2.12 on, the first that reads arrays of numpy 2.
_MARK_OF_NUMPY_2 = b"numpy._core"
_NATIVE_PART = "usr/lib/python3/dist-packages/hailo_platform/pyhailort/_pyhailort*.so"
_PYTHON_TAG = re.compile(r"cpython-(\d)(\d+)")
TIME_KEEPERS = ("systemd-timesyncd", "chrony", "ntpsec", "openntpd", "ntp")


@dataclass(frozen=True, slots=True)
class HailoRt:
    """HailoRT's Python package, looked at as files.

    Args:
        native_part: its compiled part.
        python: the Python that it was built for; None where its name does not say.
        reads_numpy_2: whether arrays of numpy 2 are not empty to it.
    """

    native_part: str
    python: tuple[int, int] | None
    reads_numpy_2: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """One machine as it is.

    Args:
        system: such as "Debian GNU/Linux 12 (bookworm)".
        codename: such as "bookworm"; empty where it has none.
        has_apt: whether packages are installed by apt.
        python: of the system's own python3, which the environment is made with.
        bits: 64, or 32.
        packages: installed ones to their version, those that matter here.
        hailort: None where it is not installed.
        has_chip: whether the PCIe bus shows a Hailo chip.
        has_model: whether a compiled model lies where the sidecar looks for it.
        systemd_runs: whether services can be started now.
        edited_files: configuration files of Debian's Prometheus and Alertmanager that were edited.
        listeners: ports that something listens on, of those that are needed.
    """

    system: str
    codename: str
    has_apt: bool
    python: tuple[int, int]
    bits: int
    packages: Mapping[str, str] = field(default_factory=dict)
    hailort: HailoRt | None = None
    has_chip: bool = False
    has_model: bool = False
    systemd_runs: bool = True
    edited_files: tuple[str, ...] = ()
    listeners: frozenset[int] = frozenset()

    @property
    def needs_numpy_1(self) -> bool:
        """Whether the installed HailoRT reads arrays of numpy 2 as empty."""
        return self.hailort is not None and not self.hailort.reads_numpy_2

    @property
    def compiles_numpy(self) -> bool:
        """Whether that numpy has no wheel for this Python."""
        return self.needs_numpy_1 and self.python >= (3, 13)

    @property
    def backend(self) -> str:
        """What the sidecar can compute on with what is there."""
        return "hailort" if self.hailort and self.has_chip and self.has_model else "onnx"

    @property
    def keeps_time(self) -> bool:
        """Whether a service that sets the clock is installed."""
        return any(name in self.packages for name in TIME_KEEPERS)


def look(machine: Machine, ports: tuple[int, ...] = ()) -> Facts:
    """Look at a machine; nothing is changed, and no right of root is needed.

    Args:
        machine: the one that is set up.
        ports: those that will be listened on.
    """
    release = _release(machine)
    return Facts(
        system=release.get("PRETTY_NAME", platform.platform()),
        codename=release.get("VERSION_CODENAME", ""),
        has_apt=machine.path("/usr/bin/apt-get").exists(),
        python=sys.version_info[:2],
        bits=64 if sys.maxsize > 2**32 else 32,
        packages=_packages(machine),
        hailort=_hailort(machine),
        has_chip=any(_read(file) == _HAILO_VENDOR for file in machine.path("/sys/bus/pci/devices").glob("*/vendor")),
        has_model=machine.path(MODEL).is_file(),
        systemd_runs=machine.systemd_runs,
        edited_files=_edited(machine, "prometheus", "prometheus-alertmanager"),
        listeners=_listeners(machine) & frozenset(ports),
    )


def _release(machine: Machine) -> dict[str, str]:
    lines = (line.partition("=") for line in machine.text("/etc/os-release").splitlines())
    return {name: value.strip("\"'") for name, _, value in lines}


def _packages(machine: Machine) -> dict[str, str]:
    lines = machine.ask("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package} ${Version}\n").output.splitlines()
    found = (line.split() for line in lines)
    return {words[1]: words[2] for words in found if len(words) == 3 and words[0] == "ii"}  # noqa: PLR2004 - columns


def _edited(machine: Machine, *packages: str) -> tuple[str, ...]:
    """Configuration files that are not as their package brought them."""
    shown = machine.ask("dpkg-query", "-W", "-f", "${Conffiles}\n", *packages).output
    pairs = [line.split()[:2] for line in shown.splitlines() if line.startswith(" /etc/")]
    found = []
    for path, known in pairs:
        said = machine.ask("md5sum", str(machine.path(path))).output.split()
        if said and said[0] != known:
            found.append(path)
    return tuple(found)


def _hailort(machine: Machine) -> HailoRt | None:
    for native in sorted(machine.root.glob(_NATIVE_PART)):
        tag = _PYTHON_TAG.search(native.name)
        python = (int(tag.group(1)), int(tag.group(2))) if tag else None
        return HailoRt(f"/{native.relative_to(machine.root)}", python, _MARK_OF_NUMPY_2 in native.read_bytes())
    return None


def _listeners(machine: Machine) -> frozenset[int]:
    """TCP ports that are listened on, as the kernel shows them."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in machine.text(f"/proc/net/{name}").splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":  # LISTEN
                found.add(int(words[1].rpartition(":")[2], 16))
    return frozenset(found)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
