"""Which part is at fault: chip, link, driver, node, library, device, firmware or HEF, each with its remedy."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.errors import BackendError
from edgeinfer.hailort.diagnose_library import diagnose_library
from edgeinfer.hailort.driver import (
    MODULE_OF_CHIP,
    DriverFacts,
    DriverNames,
    PciDevice,
    PcieLink,
    driver_names,
    read_driver_facts,
)
from edgeinfer.hailort.holders import holders_of
from edgeinfer.hailort.layout import LayoutChoice
from edgeinfer.hailort.library import Library, load_library
from edgeinfer.hailort.monitor_folder import diagnose_monitor_folder
from edgeinfer.hailort.surroundings import Surroundings
from edgeinfer.model.card import ModelCard

_INSTALL_DRIVER = "Install it (on a Pi: sudo apt install hailo-all, or hailo-h10-all for a Hailo-10H) and reboot."
_SAME_VERSION = "Bring both to one version (on a Pi: sudo apt full-upgrade, then reboot)."
_NO_HEF = Diagnostic(
    "hef", Verdict.MISSING, "HEF_PATH is not set", "Set it to the compiled model (HEF) for the Hailo chip."
)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the steps inspect; an argument, so that tests pass a fake machine.

    Args:
        root: below which the kernel's folders lie.
        load: imports the HailoRT library.
        numpy_version: of the numpy whose arrays the library gets; empty where that is not to be looked at.
    """

    root: Path = Path("/")
    load: Callable[[], Library] = load_library
    numpy_version: str = ""


def diagnose(  # the subject, and what it is compared with
    *,
    hef_path: Path | None = None,
    card: ModelCard | None = None,
    layout: LayoutChoice = "auto",
    machine: Machine = Machine(),  # frozen, and without anything that was read
    wanted: bool = False,
) -> list[Diagnostic]:
    """Check everything between the chip and the network, from the bottom up.

    Args:
        hef_path: the compiled network to check too.
        card: of the model that it should be; without one its edges are listed and not checked.
        layout: of the window in its input, as the settings choose it.
        machine: where to look.
        wanted: whether a Hailo chip is expected; if not, and there is none, one note is the whole result.
    """
    facts = read_driver_facts(machine.root)
    library, failure = _library(machine.load)
    if not facts.pci and library is None and not wanted and hef_path is None:
        return [Diagnostic("hailo chip", Verdict.NOTE, "none in this machine; windows are computed on the CPU")]
    names = driver_names(facts, machine.root)
    return [
        *_chip(facts),
        *_driver(facts, library, names),
        *_node(facts, names, machine.root),
        *diagnose_library(
            facts,
            library,
            failure,
            hef_path=hef_path,
            card=card,
            layout=layout,
            numpy_version=machine.numpy_version,
            surroundings=Surroundings(names),
        ),
        *([_NO_HEF] if wanted and hef_path is None else []),
        *diagnose_monitor_folder(library, machine.root),
    ]


def _library(load: Callable[[], Library]) -> tuple[Library | None, BackendError | None]:
    try:
        return load(), None
    except BackendError as failure:
        return None, failure


def _chip(facts: DriverFacts) -> list[Diagnostic]:
    if not facts.pci:
        remedy = (
            "Switch the machine off, reseat the module and its flat cable, and on a Pi check that PCIe is on "
            "(dtparam=pciex1). In a container, share /sys."
        )
        return [Diagnostic("hailo chip", Verdict.MISSING, "no PCI device of vendor 1e60", remedy)]
    diagnostics = []
    for device in facts.pci:
        diagnostics.append(Diagnostic("hailo chip", Verdict.OK, f"{device.chip} at {device.address}"))
        diagnostics += _link(device)
    return diagnostics


def _link(device: PciDevice) -> list[Diagnostic]:
    """The PCIe link, if the kernel reports it: slower than both ends support is a failure."""
    link, chip, port = device.link, device.max_link, device.port_max_link
    if link is None or chip is None:
        return []
    both = chip if port is None else _lesser(chip, port)
    if link.speed_gt_per_second < both.speed_gt_per_second or link.width_lanes < both.width_lanes:
        message = f"{link}, and chip and port can do {both}: frames travel slower than they could"
        remedy = (
            "Switch off and reseat module and flat cable; look at 'dmesg | grep -i pcie'. "
            "On a Pi 5, dtparam=pciex1_gen=3 in config.txt asks for 8 GT/s."
        )
        return [Diagnostic("hailo link", Verdict.NOTE, message, remedy)]
    if link != chip:
        message = f"{link} of the {chip} that the chip can do; the port offers no more"
        remedy = "Nothing is broken. On a Pi 5, dtparam=pciex1_gen=3 in config.txt doubles the speed of its one lane."
        return [Diagnostic("hailo link", Verdict.NOTE, message, remedy)]
    return [Diagnostic("hailo link", Verdict.OK, str(link))]


def _lesser(chip: PcieLink, port: PcieLink) -> PcieLink:
    speed = min(chip.speed_gt_per_second, port.speed_gt_per_second)
    return PcieLink(speed, min(chip.width_lanes, port.width_lanes))


def _driver(facts: DriverFacts, library: Library | None, names: DriverNames) -> list[Diagnostic]:
    if not facts.modules:
        if not facts.pci:
            return []
        message = f"no module {names.module} is loaded"
        return [Diagnostic("hailo driver", Verdict.MISSING, message, _INSTALL_DRIVER)]
    diagnostics = [_module(facts, library, name, version) for name, version in sorted(facts.modules.items())]
    diagnostics += [
        Diagnostic("hailo driver", Verdict.BROKEN, f"the {device.chip} at {device.address} has no driver bound", remedy)
        for device in facts.pci
        if not device.driver
        for remedy in [f"Load the module {MODULE_OF_CHIP.get(device.chip, 'of this chip')}, and look at 'dmesg'."]
    ]
    return diagnostics


def _module(facts: DriverFacts, library: Library | None, name: str, version: str) -> Diagnostic:
    bound = {device.driver for device in facts.pci}
    expected = {MODULE_OF_CHIP[device.chip] for device in facts.pci if device.chip in MODULE_OF_CHIP}
    # hailo_pci of 5.0.0 drives a Hailo-10H too: a bound driver is right under either name.
    if expected and name not in expected and not _drives_both(name, version, bound):
        remedy = f"Remove it and install the driver that brings {' and '.join(sorted(expected))}."
        return Diagnostic("hailo driver", Verdict.BROKEN, f"{name} {version} does not drive this chip", remedy)
    if library is not None and version != library.version:
        message = f"{name} {version} and library {library.version} differ; every open fails with 76"
        return Diagnostic("hailo driver", Verdict.BROKEN, message, _SAME_VERSION)
    return Diagnostic("hailo driver", Verdict.OK, f"{name} {version}")


def _drives_both(name: str, version: str, bound: set[str]) -> bool:
    return name == "hailo_pci" and version == "5.0.0" and name in bound


def _node(facts: DriverFacts, names: DriverNames, root: Path) -> list[Diagnostic]:
    if facts.modules and facts.pci and not facts.nodes:
        remedy = "Look at 'dmesg | grep hailo': behind some PCIe switches no interrupt can be had (-28)."
        return [
            Diagnostic("hailo node", Verdict.BROKEN, f"the driver made no device node such as {names.node}", remedy)
        ]
    diagnostics = []
    for node in facts.nodes:
        path = Path("/") / node.path.relative_to(root)
        if node.may_open:
            diagnostics.append(Diagnostic("hailo node", Verdict.OK, f"{path}"))
        else:
            remedy = f"Install {names.udev_rule}, or share the node with the container as --device {path}:{path}."
            diagnostics.append(Diagnostic("hailo node", Verdict.BROKEN, f"{path} may not be opened", remedy))
    return [*diagnostics, *_holders(facts, root)]


def _holders(facts: DriverFacts, root: Path) -> list[Diagnostic]:
    paths = [Path("/") / node.path.relative_to(root) for node in facts.nodes]
    held = holders_of(paths, root / "proc")
    if not held.found:
        return []
    remedy = "A Hailo-8 has one owner: stop that process before another is to have the chip. Reading sensors is fine."
    return [Diagnostic("hailo node", Verdict.NOTE, f"held open by {held}", remedy)]
