"""Which room is at fault: chip, driver, node, library, device, firmware or HEF, each with its remedy."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeinfer.errors import BackendError, EdgeInferError
from edgeinfer.findings import Finding, Verdict
from edgeinfer.hailort.driver import DriverFacts, read_driver_facts
from edgeinfer.hailort.failures import Circumstances, Doing, as_backend_error
from edgeinfer.hailort.hef import HefFile, check_architecture, check_hef
from edgeinfer.hailort.identity import Identity, read_identity
from edgeinfer.hailort.library import Library, load_library

_MODULE_OF_CHIP = {"Hailo-8": "hailo_pci", "Hailo-10H": "hailo1x_pci"}
_INSTALL_DRIVER = "Install it (on a Pi: sudo apt install hailo-all, or hailo-h10-all for a Hailo-10H) and reboot."
_LOOK_CLOSER = "Look at 'dmesg | grep hailo' and at the log of HailoRT (HAILORT_LOGGER_PATH)."
_MOVED_IN = (5, 3)  # the driver of this version moved its class folder
_SAME_VERSION = "Bring both to one version (on a Pi: sudo apt full-upgrade, then reboot)."


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the earlier steps found, for the later ones."""

    facts: DriverFacts
    library: Library | None
    wanted: bool


def diagnose(
    *,
    hef_path: Path | None = None,
    root: Path = Path("/"),
    load: Callable[[], Library] = load_library,
    numpy_version: str = "",
    wanted: bool = False,
) -> list[Finding]:
    """Look at everything between the chip and the network, from the bottom up.

    Args:
        hef_path: the compiled network to check too.
        root: below which the kernel's folders lie.
        load: how the library is had.
        numpy_version: installed numpy; HailoRT 4.x needs one below 2.
        wanted: whether a Hailo chip is asked for; without one and without a chip a note says it all.
    """
    facts = read_driver_facts(root)
    library, trouble = _library(load)
    if not facts.pci and library is None and not wanted and hef_path is None:
        return [Finding("hailo chip", Verdict.NOTE, "none in this machine; windows are computed on the CPU")]
    seen = _Seen(facts, library, wanted)
    findings = [*_chip(facts), *_driver(seen), *_node(facts), *_library_findings(seen, trouble, numpy_version)]
    identities: list[Identity] = []
    if library is not None:
        devices, identities = _devices(library, facts)
        findings += devices
    if hef_path is not None:
        findings += _hef(hef_path, library, identities)
    return findings


def _library(load: Callable[[], Library]) -> tuple[Library | None, BackendError | None]:
    try:
        return load(), None
    except BackendError as failure:
        return None, failure


def _chip(facts: DriverFacts) -> list[Finding]:
    if not facts.pci:
        remedy = (
            "Switch the machine off, reseat the module and its flat cable, and on a Pi check that PCIe is on "
            "(dtparam=pciex1). In a container, share /sys."
        )
        return [Finding("hailo chip", Verdict.MISSING, "no PCI device of vendor 1e60", remedy)]
    return [Finding("hailo chip", Verdict.OK, f"{device.chip} at {device.address}") for device in facts.pci]


def _driver(seen: _Seen) -> list[Finding]:
    if not seen.facts.modules:
        if not seen.facts.pci:
            return []
        message = "no module hailo_pci or hailo1x_pci is loaded"
        return [Finding("hailo driver", Verdict.MISSING, message, _INSTALL_DRIVER)]
    findings = [_module(seen, name, version) for name, version in sorted(seen.facts.modules.items())]
    findings += [
        Finding("hailo driver", Verdict.BROKEN, f"the {device.chip} at {device.address} has no driver bound", remedy)
        for device in seen.facts.pci
        if not device.driver
        for remedy in [f"Load the module {_MODULE_OF_CHIP.get(device.chip, 'of this chip')}, and look at 'dmesg'."]
    ]
    return findings


def _module(seen: _Seen, name: str, version: str) -> Finding:
    expected = {_MODULE_OF_CHIP[device.chip] for device in seen.facts.pci if device.chip in _MODULE_OF_CHIP}
    if expected and name not in expected:
        remedy = f"Remove it and install the driver that brings {' and '.join(sorted(expected))}."
        return Finding("hailo driver", Verdict.BROKEN, f"{name} {version} does not drive this chip", remedy)
    if seen.library is not None and version != seen.library.version:
        message = f"{name} {version} and library {seen.library.version} differ; every open fails with 76"
        return Finding("hailo driver", Verdict.BROKEN, message, _SAME_VERSION)
    return Finding("hailo driver", Verdict.OK, f"{name} {version}")


def _node(facts: DriverFacts) -> list[Finding]:
    if facts.modules and facts.pci and not facts.nodes:
        remedy = "Look at 'dmesg | grep hailo': behind some PCIe switches no interrupt can be had (-28)."
        return [Finding("hailo node", Verdict.BROKEN, "the driver made no device node", remedy)]
    findings = []
    for node in facts.nodes:
        if node.may_open:
            findings.append(Finding("hailo node", Verdict.OK, f"{node.path}"))
        else:
            remedy = "Install the udev rule 51-hailo-udev.rules, or share the node with the container."
            findings.append(Finding("hailo node", Verdict.BROKEN, f"{node.path} may not be opened", remedy))
    return findings


def _library_findings(seen: _Seen, trouble: BackendError | None, numpy_version: str) -> list[Finding]:
    if trouble is not None:
        return [Finding("hailort library", Verdict.MISSING, trouble.fault, trouble.remedy)]
    if seen.library is None:
        return []
    findings = [_line(seen.library, seen.facts)]
    if not seen.library.is_remote and numpy_version.split(".", 1)[0] not in {"", "0", "1"}:
        message = f"numpy {numpy_version} beside HailoRT {seen.library.version}, which was built for numpy 1"
        findings.append(Finding("hailort library", Verdict.NOTE, message, "Install 'numpy<2' in this venv."))
    return findings


def _line(library: Library, facts: DriverFacts) -> Finding:
    chips = {device.chip for device in facts.pci}
    wrong = "Hailo-8" if library.is_remote else "Hailo-10H"
    if wrong in chips:
        line = "4.x" if library.is_remote else "5.x"
        remedy = f"Install HailoRT {line}; the two lines cannot be mixed in one process."
        return Finding("hailort library", Verdict.BROKEN, f"{library.version} does not drive a {wrong}", remedy)
    if any(node.class_name == "hailo1x" for node in facts.nodes) and library.numbers < _MOVED_IN:
        message = f"{library.version} looks in /sys/class/hailo_chardev, and the driver is of 5.3 or newer"
        return Finding("hailort library", Verdict.BROKEN, message, _SAME_VERSION)
    return Finding("hailort library", Verdict.OK, f"HailoRT {library.version}")


def _devices(library: Library, facts: DriverFacts) -> tuple[list[Finding], list[Identity]]:
    try:
        ids = library.scan()
    except Exception as failure:  # noqa: BLE001  # HailoRT 4.x raises a bare Exception subclass here
        return [_trouble("hailo device", failure, Circumstances(Doing.OPENING))], []
    if not ids:
        remedy = "Mend the driver first." if facts.pci else "Mend the chip first."
        return [Finding("hailo device", Verdict.MISSING, "HailoRT's scan finds none", remedy)], []
    findings, identities = [], []
    for device_id in ids:
        found, identity = _device(library, device_id, len(ids))
        findings += found
        identities += [identity] if identity else []
    return findings, identities


def _device(library: Library, device_id: str, found: int) -> tuple[list[Finding], Identity | None]:
    try:
        device: Any = library.platform.Device(device_id)
    except Exception as failure:  # noqa: BLE001  # as above: the raw exception
        return [_trouble("hailo device", failure, Circumstances(Doing.OPENING, found, by_id=True))], None
    try:
        identity = read_identity(device.control)
    except Exception as failure:  # noqa: BLE001  # any failed control call is a finding
        return [_trouble("hailo device", failure, Circumstances(Doing.READING_SENSOR, found))], None
    finally:
        device.release()
    told = Finding("hailo device", Verdict.OK, f"{device_id} {identity.architecture} {identity.board_name}".rstrip())
    return [told, _firmware(identity, library)], identity


def _firmware(identity: Identity, library: Library) -> Finding:
    if identity.firmware_version.split(".")[:2] == library.version.split(".")[:2]:
        return Finding("hailo firmware", Verdict.OK, identity.firmware_version)
    message = f"{identity.firmware_version} and library {library.version} differ; all but identify fails with 16"
    remedy = "Install the firmware of the library's version (/lib/firmware/hailo) and switch off and on."
    return Finding("hailo firmware", Verdict.BROKEN, message, remedy)


def _hef(path: Path, library: Library | None, identities: list[Identity]) -> list[Finding]:
    try:
        hef = check_hef(path)
        for identity in identities:
            check_architecture(hef, identity.architecture)
    except EdgeInferError as failure:
        return [Finding("hef", Verdict.BROKEN, f"{failure.thing} {failure.fault}", failure.remedy)]
    if library is None:
        return [Finding("hef", Verdict.NOTE, f"{path} looks like a HEF; without the library that is all to be seen")]
    return [_parsed(hef, library)]


def _parsed(hef: HefFile, library: Library) -> Finding:
    try:
        parsed = library.platform.HEF(str(hef.path))
        shapes = [tuple(info.shape) for info in parsed.get_all_vstream_infos()]
    except Exception as failure:  # noqa: BLE001  # the infos of a HEF raise the raw exception
        return _trouble("hef", failure, Circumstances(Doing.READING_HEF))
    return Finding("hef", Verdict.OK, f"{hef.path} with the edges {shapes}")


def _trouble(subject: str, failure: Exception, circumstances: Circumstances) -> Finding:
    told = as_backend_error(failure, circumstances)
    # Who reads this has run the doctor already.
    remedy = _LOOK_CLOSER if "edgeinfer doctor" in told.remedy else told.remedy
    return Finding(subject, Verdict.BROKEN, told.fault, remedy)
