"""What the kernel reports about Hailo chips, without HailoRT: modules, class folders, PCI devices, nodes."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from edgeinfer.installation import shipped_file

VENDOR = "0x1e60"
_CHIPS = {"0x2864": "Hailo-8", "0x45c4": "Hailo-10H"}
_MODULES = ("hailo_pci", "hailo1x_pci")
# The driver of 5.3 moved its folder; libraries up to 5.2 look in the first one only.
_NEW_CLASS = "hailo1x"
_CLASSES = ("hailo_chardev", _NEW_CLASS)
_MOVED_IN = (5, 3)
MODULE_OF_CHIP = {"Hailo-8": "hailo_pci", "Hailo-10H": "hailo1x_pci"}
_RULES = shipped_file("deploy/udev/51-edgeinfer.rules")
_NEW_UDEV_RULE = f"{_RULES} in /etc/udev/rules.d (driver 5.3 brings no rule of its own)"
_BUS = "sys/bus/pci/devices"
_LINK_SPEED = re.compile(r"(\d+(?:\.\d+)?) GT/s")
_MAX_LANES = 32
_BDF_LENGTH = len("0000:00:00.0")


@dataclass(frozen=True, slots=True)
class PcieLink:
    """A link, or what one end of it is able to.

    Args:
        speed_gt_per_second: transfers of one lane, in 10^9 a second; 5 for generation 2, 8 for generation 3.
        width_lanes: number of lanes.
    """

    speed_gt_per_second: float
    width_lanes: int

    def __str__(self) -> str:
        return f"{self.speed_gt_per_second:g} GT/s x{self.width_lanes}"


@dataclass(frozen=True, slots=True)
class PciDevice:
    """One chip on the bus.

    Args:
        address: such as "0001:01:00.0".
        chip: "Hailo-8" (also for an 8L), "Hailo-10H", or the raw device id.
        driver: name of the kernel driver bound to it; empty if none.
        link: as it is now; None where the kernel does not say it, as for a link that is down.
        max_link: of the chip.
        port_max_link: of the port that it is plugged into.
    """

    address: str
    chip: str
    driver: str
    link: PcieLink | None = None
    max_link: PcieLink | None = None
    port_max_link: PcieLink | None = None


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
    """Everything the kernel reports about Hailo chips.

    Args:
        modules: loaded module to its version.
        pci: the chips on the bus.
        nodes: the device nodes.
        has_bus: whether there is a PCI bus; without one, diagnostic no chip proves nothing.
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
            links = _link(device, "current"), _link(device, "max"), _link(device.resolve().parent, "max")
            found.append(PciDevice(device.name, _CHIPS.get(kind, kind), name, *links))
    return found


def _link(folder: Path, which: str) -> PcieLink | None:
    """Speed as "8.0 GT/s PCIe" and width as "4"; "Unknown" and 0 or 255 lanes mean that there is no link."""
    speed, width = _text(folder / f"{which}_link_speed"), _text(folder / f"{which}_link_width")
    said = _LINK_SPEED.match(speed)
    if said is None or not width.isdecimal() or not 0 < int(width) <= _MAX_LANES:
        return None
    return PcieLink(float(said.group(1)), int(width))


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


@dataclass(frozen=True, slots=True)
class DriverNames:
    """Names of the driver's parts on this machine, for messages whose commands people copy.

    Args:
        module: kernel module, such as "hailo_pci".
        node: of the first chip, such as "/dev/hailo0".
        udev_rule: what lets users open the node.
    """

    module: str = "hailo_pci"
    node: str = "/dev/hailo0"
    udev_rule: str = "the udev rule 51-hailo-udev.rules of the driver"


_USUAL = DriverNames()


def driver_names(facts: DriverFacts, root: Path = Path("/")) -> DriverNames:
    """The names as this machine shows them: by its loaded module, its nodes and its chips, in this order."""
    chips = {MODULE_OF_CHIP[device.chip] for device in facts.pci if device.chip in MODULE_OF_CHIP}
    module = next(iter([*sorted(facts.modules), *sorted(chips)]), _USUAL.module)
    nodes = [node for node in facts.nodes if node.class_name == _NEW_CLASS] or list(facts.nodes)
    is_new = (
        any(node.class_name == _NEW_CLASS for node in nodes) or _numbers(facts.modules.get(module, "")) >= _MOVED_IN
    )
    node = f"/{nodes[0].path.relative_to(root)}" if nodes else "/dev/h1x-0" if is_new else _USUAL.node
    rule = _NEW_UDEV_RULE if is_new else _USUAL.udev_rule
    return DriverNames(module, node, rule)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


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
