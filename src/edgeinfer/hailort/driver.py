"""What the kernel says of Hailo chips, without HailoRT: modules, class folders, PCI devices, nodes."""

import os
from dataclasses import dataclass
from pathlib import Path

VENDOR = "0x1e60"
_CHIPS = {"0x2864": "Hailo-8", "0x45c4": "Hailo-10H"}
_MODULES = ("hailo_pci", "hailo1x_pci")
# The driver of 5.3 moved its folder; libraries up to 5.2 look in the first one only.
_CLASSES = ("hailo_chardev", "hailo1x")
_BUS = "sys/bus/pci/devices"
_BDF_LENGTH = len("0000:00:00.0")


@dataclass(frozen=True, slots=True)
class PciDevice:
    """One chip on the bus.

    Args:
        address: such as "0001:01:00.0".
        chip: "Hailo-8" (also for an 8L), "Hailo-10H", or the raw device id.
        driver: name of the kernel driver bound to it; empty if none.
    """

    address: str
    chip: str
    driver: str


@dataclass(frozen=True, slots=True)
class Node:
    """One device node that the driver made.

    Args:
        name: such as "hailo0" or "h1x-0".
        class_name: "hailo_chardev", or "hailo1x" from driver 5.3 on.
        address: of the chip behind it; empty if the driver does not say.
        path: in /dev.
        may_open: whether this user may read and write it.
    """

    name: str
    class_name: str
    address: str
    path: Path
    may_open: bool


@dataclass(frozen=True, slots=True)
class DriverFacts:
    """Everything the kernel says.

    Args:
        modules: loaded module to its version.
        pci: the chips on the bus.
        nodes: the device nodes.
        has_bus: whether there is a PCI bus to look at; without one, no chip found says nothing.
        has_classes: whether the kernel's classes can be looked at.
    """

    modules: dict[str, str]
    pci: tuple[PciDevice, ...]
    nodes: tuple[Node, ...]
    has_bus: bool = True
    has_classes: bool = True


def read_driver_facts(root: Path = Path("/")) -> DriverFacts:
    """Read the facts below a root; what is not there is simply not in them.

    Raises:
        OSError: the kernel's folders exist and cannot be read.
    """
    modules = {name: version for name in _MODULES if (version := _text(root / f"sys/module/{name}/version"))}
    has_bus, has_classes = (root / _BUS).is_dir(), (root / "sys/class").is_dir()
    return DriverFacts(modules, tuple(_pci(root / _BUS)), tuple(_nodes(root)), has_bus, has_classes)


def _pci(folder: Path) -> list[PciDevice]:
    if not folder.is_dir():
        return []
    found = []
    for device in sorted(folder.iterdir()):
        if _text(device / "vendor") == VENDOR:
            kind = _text(device / "device")
            driver = device / "driver"
            name = driver.resolve().name if driver.exists() else ""
            found.append(PciDevice(device.name, _CHIPS.get(kind, kind), name))
    return found


def _nodes(root: Path) -> list[Node]:
    found = []
    for class_name in _CLASSES:
        folder = root / "sys/class" / class_name
        if not folder.is_dir():
            continue
        for entry in sorted(folder.iterdir()):
            path = root / "dev" / entry.name
            may_open = os.access(path, os.R_OK | os.W_OK)
            found.append(Node(entry.name, class_name, _address(entry), path, may_open))
    return found


def _address(entry: Path) -> str:
    """The bus address: `board_location` up to driver 5.2, `device_id` from 5.3 on."""
    for name in ("board_location", "device_id"):
        text = _text(entry / name)
        if len(text) == _BDF_LENGTH and text.count(":") == 2:  # noqa: PLR2004  # domain:bus:device.function
            return text
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip().rstrip("\x00")
    except FileNotFoundError:
        return ""
