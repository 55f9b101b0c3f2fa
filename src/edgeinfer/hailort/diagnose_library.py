"""The upper rooms of the doctor: library, numpy, device, firmware and HEF."""

from pathlib import Path
from typing import Any

from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.errors import BackendError, EdgeInferError
from edgeinfer.hailort.compatibility import ParsedHef, check_card, check_content, check_numpy, parse_hef
from edgeinfer.hailort.driver import DriverFacts
from edgeinfer.hailort.failures import Circumstances, Doing, as_backend_error
from edgeinfer.hailort.hef import HefFile, check_architecture, check_hef, check_line
from edgeinfer.hailort.identity import Identity, read_identity
from edgeinfer.hailort.last_output import LastOutput
from edgeinfer.hailort.layout import LayoutChoice
from edgeinfer.hailort.library import Library
from edgeinfer.hailort.surroundings import Surroundings
from edgeinfer.model.card import ModelCard

_LOOK_CLOSER = "Look at 'dmesg | grep hailo' and at the log of HailoRT (HAILORT_LOGGER_PATH)."
_MOVED_IN = (5, 3)  # the driver of this version moved its class folder
_SAME_VERSION = "Bring both to one version (on a Pi: sudo apt full-upgrade, then reboot)."


def diagnose_library(  # noqa: PLR0913  # what the lower rooms found, and what is looked at here
    facts: DriverFacts,
    library: Library | None,
    failure: BackendError | None,
    *,
    hef_path: Path | None,
    card: ModelCard | None,
    layout: LayoutChoice,
    numpy_version: str,
    surroundings: Surroundings,
) -> list[Diagnostic]:
    """Check the library and everything that can be read through it.

    Args:
        facts: what the kernel reports.
        library: loaded; None where it does not load.
        failure: why it does not load.
        hef_path: the compiled network to check too.
        card: of the model that it should be.
        layout: of the window in its input, as the settings choose it.
        numpy_version: of the numpy whose arrays the library gets; empty where that is not to be looked at.
        surroundings: what the machine calls its parts.
    """
    diagnostics = [Diagnostic("hailort library", Verdict.MISSING, failure.fault, failure.remedy)] if failure else []
    identities: list[Identity] = []
    if library is not None:
        diagnostics += [_line(library, facts), *_numpy(library, numpy_version)]
        found, identities = _devices(library, facts, surroundings)
        diagnostics += found
    if hef_path is not None:
        diagnostics.append(_hef(hef_path, library, identities, card, layout))
    return diagnostics


def _line(library: Library, facts: DriverFacts) -> Diagnostic:
    chips = {device.chip for device in facts.pci}
    wrong = "Hailo-8" if library.is_remote else "Hailo-10H"
    if wrong in chips:
        line = "4.x" if library.is_remote else "5.x"
        remedy = f"Install HailoRT {line}; the two lines cannot be mixed in one process."
        return Diagnostic("hailort library", Verdict.BROKEN, f"{library.version} does not drive a {wrong}", remedy)
    if any(node.class_name == "hailo1x" for node in facts.nodes) and library.numbers < _MOVED_IN:
        message = f"{library.version} looks in /sys/class/hailo_chardev, and the driver is of 5.3 or newer"
        return Diagnostic("hailort library", Verdict.BROKEN, message, _SAME_VERSION)
    return Diagnostic("hailort library", Verdict.OK, f"HailoRT {library.version}")


def _numpy(library: Library, numpy_version: str) -> list[Diagnostic]:
    if not numpy_version:
        return []
    try:
        check_numpy(library, numpy_version)
    except EdgeInferError as failure:
        return [Diagnostic("numpy", Verdict.BROKEN, f"{numpy_version} {failure.fault}", failure.remedy)]
    return [Diagnostic("numpy", Verdict.OK, f"{numpy_version} fits HailoRT {library.version}")]


def _devices(library: Library, facts: DriverFacts, around: Surroundings) -> tuple[list[Diagnostic], list[Identity]]:
    words = LastOutput()
    try:
        with words.listening():
            ids = library.scan()
    except Exception as failure:  # noqa: BLE001  # HailoRT 4.x raises a bare Exception subclass here
        return [_failed("hailo device", failure, Circumstances(Doing.OPENING, surroundings=around), words)], []
    if not ids:
        remedy = "Fix the driver first." if facts.pci else "Fix the chip first."
        return [Diagnostic("hailo device", Verdict.MISSING, "HailoRT's scan finds none", remedy)], []
    diagnostics, identities = [], []
    for device_id in ids:
        found, identity = _device(library, device_id, len(ids), around)
        diagnostics += found
        identities += [identity] if identity else []
    return diagnostics, identities


def _device(
    library: Library, device_id: str, found: int, around: Surroundings
) -> tuple[list[Diagnostic], Identity | None]:
    words = LastOutput()
    try:
        with words.listening():
            device: Any = library.platform.Device(device_id)
    except Exception as failure:  # noqa: BLE001  # as above: the raw exception
        now = Circumstances(Doing.OPENING, found, by_id=True, surroundings=around)
        return [_failed("hailo device", failure, now, words)], None
    try:
        with words.listening():
            identity = read_identity(device.control)
    except Exception as failure:  # noqa: BLE001  # any failed control call is a diagnostic
        return [_failed("hailo device", failure, Circumstances(Doing.READING_SENSOR, found), words)], None
    finally:
        device.release()
    message = f"{device_id} {identity.architecture} {identity.board_name}".rstrip()
    return [Diagnostic("hailo device", Verdict.OK, message), _firmware(identity, library)], identity


def _firmware(identity: Identity, library: Library) -> Diagnostic:
    if identity.firmware_version.split(".")[:2] == library.version.split(".")[:2]:
        return Diagnostic("hailo firmware", Verdict.OK, identity.firmware_version)
    message = f"{identity.firmware_version} and library {library.version} differ; all but identify fails with 16"
    remedy = "Install the firmware of the library's version (/lib/firmware/hailo) and switch off and on."
    return Diagnostic("hailo firmware", Verdict.BROKEN, message, remedy)


def _hef(
    path: Path, library: Library | None, identities: list[Identity], card: ModelCard | None, layout: LayoutChoice
) -> Diagnostic:
    words = LastOutput()
    try:
        hef = check_hef(path)
        if card is not None:
            check_content(hef, card)
        for identity in identities:
            check_architecture(hef, identity.architecture)
        if library is None:
            message = f"{path} {hef.described()}; its edges are seen with the library alone"
            return Diagnostic("hef", Verdict.NOTE, message)
        check_line(hef, library.numbers)
        with words.listening():
            parsed = parse_hef(library, hef)
        if card is not None:
            check_card(parsed, hef, card, layout)
    except EdgeInferError as failure:
        message = ". ".join(filter(None, [f"{failure.thing} {failure.fault}", words.quoted]))
        return Diagnostic("hef", Verdict.BROKEN, message, failure.remedy)
    message = _edges(hef, parsed, card)
    is_pinned = hef.header.is_data_covered or hef.manifest.sha256 or (card is not None and "hef" in card.files)
    if is_pinned:
        return Diagnostic("hef", Verdict.OK, message)
    remedy = f'To have damage noticed, write {{"sha256": "{hef.sha256}"}} into {path}.json.'
    return Diagnostic("hef", Verdict.NOTE, f"{message}; its checksum does not cover its data", remedy)


def _edges(hef: HefFile, parsed: ParsedHef, card: ModelCard | None) -> str:
    edges = ", ".join(f"{edge.name} {edge.shape}" for edge in (*parsed.inputs, *parsed.outputs))
    fps = f"; at most {parsed.bottleneck_fps:.0f} windows/s" if parsed.bottleneck_fps is not None else ""
    fits = f"; it is the network of {card.name} {card.version}" if card is not None else ""
    return f"{hef.path} {hef.described()}: {edges}{fps}{fits}"


def _failed(subject: str, failure: Exception, circumstances: Circumstances, words: LastOutput) -> Diagnostic:
    reported = as_backend_error(failure, circumstances)
    # Who reads this has run the doctor already.
    remedy = _LOOK_CLOSER if "edgeinfer doctor" in reported.remedy else reported.remedy
    return Diagnostic(subject, Verdict.BROKEN, ". ".join(filter(None, [reported.fault, words.quoted])), remedy)
