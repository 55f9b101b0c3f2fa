"""Converts a failure of HailoRT to its status code, its error class and a BackendError."""

import re
from dataclasses import dataclass
from enum import StrEnum

from edgeinfer.errors import BackendError
from edgeinfer.hailort.status import BY_CODE, CODE_BY_EXCEPTION_CLASS, REMEDIES, status_name
from edgeinfer.hailort.surroundings import Surroundings

# The second is what the library raises for a status that it cannot name, with nothing in its cause.
_IN_TEXT = re.compile(r"(?:error: |Value )(\d+) (?:\((?:HAILO_\w+)?\)|is not a valid status)")
_NAME_IN_TEXT = re.compile(r"HAILO_[A-Z0-9_]+")
_NO_DEVICE = "device not found in the system"
_UNKNOWN_CHIP = "DeviceArchitectureTypes"
# An open chip that fails a frame in this way has not failed to start.
_OF_A_FRAME = {8: "execution_failed"}
_NO_RESPONSE_CODES = (7, 16, 18, 13, 48, 79)


class Doing(StrEnum):
    """What was being done when it failed: some codes mean different things at different times."""

    IMPORTING = "importing the library"
    READING_HEF = "reading the HEF"
    OPENING = "opening the device"
    CONFIGURING = "configuring the network"
    RUNNING = "running a window"
    READING_SENSOR = "reading a sensor"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about the machine at the time of a failure.

    Args:
        doing: the step that failed.
        devices_found: number of devices that a scan finds; None if no scan was made.
        by_id: whether the device was named explicitly.
        is_hot: the chip is at its red limit or has just shut its dataflow down.
        may_lack: the reading is one that some modules or product lines do not have, such as power.
        surroundings: what the machine calls its parts, and who holds them.
    """

    doing: Doing
    devices_found: int | None = None
    by_id: bool = False
    is_hot: bool = False
    may_lack: bool = False
    surroundings: Surroundings = Surroundings()  # noqa: RUF009  # frozen


def code_of(failure: BaseException) -> int | None:
    """The status code, in every way it can hide: cause, own argument, text, class."""
    for candidate in (failure.__cause__, failure):
        code = _digits(candidate)
        if code is not None:
            return code
    found = _IN_TEXT.search(str(failure))
    if found:
        return int(found.group(1))
    for ancestor in type(failure).__mro__:
        if ancestor.__name__ in CODE_BY_EXCEPTION_CLASS:
            return CODE_BY_EXCEPTION_CLASS[ancestor.__name__]
    return None


def _digits(failure: BaseException | None) -> int | None:
    first = failure.args[0] if failure is not None and failure.args else ""
    return int(first) if isinstance(first, str) and first.isdecimal() else None


def classify(failure: BaseException, circumstances: Circumstances) -> str:
    """The class of a failure, one of `edgeinfer.catalog.labels.HARDWARE_ERROR_CLASSES`."""
    code = code_of(failure)
    if code is None:
        return _class_without_code(failure, circumstances)
    special = _class_by_circumstances(code, circumstances)
    if special:
        return special
    if circumstances.doing is Doing.RUNNING and code in _OF_A_FRAME:
        return _OF_A_FRAME[code]
    return BY_CODE[code].error_class if code in BY_CODE else "unknown"


def _class_without_code(failure: BaseException, circumstances: Circumstances) -> str:
    if isinstance(failure, MemoryError):
        return "memory_allocation_error"
    if isinstance(failure, ImportError) or type(failure).__name__ == "MissingPyHRTLib":
        return "hailort_init_failure"
    if _NO_DEVICE in str(failure):
        return "device_not_found"
    if isinstance(failure, ValueError) and circumstances.doing is Doing.READING_HEF:
        return "hef_invalid"
    if isinstance(failure, ValueError) and _UNKNOWN_CHIP in str(failure):
        # Reported by identify(), and so already while opening the device: the library is older than the chip.
        return "hailort_init_failure"
    return "unknown"


def _class_by_circumstances(code: int, now: Circumstances) -> str:
    if code == 74 and now.devices_found == 0:  # noqa: PLR2004  # the numbers of status.py
        return "device_not_found"
    if code == 2 and now.by_id and now.doing is Doing.OPENING:  # noqa: PLR2004  # as above
        return "device_not_found"
    if code == 63 and now.is_hot:  # noqa: PLR2004  # as above
        return "thermal_throttling"
    if code in (13, 14) and now.doing in (Doing.READING_HEF, Doing.CONFIGURING):  # as above
        return "hef_invalid"
    if now.may_lack and code in _NO_RESPONSE_CODES:
        return "unsupported_feature"
    return ""


def as_backend_error(failure: BaseException, circumstances: Circumstances, thing: str = "HailoRT") -> BackendError:
    """Convert a failure of HailoRT to a BackendError with its error class and remedy."""
    error_class = classify(failure, circumstances)
    code = code_of(failure)
    detail = _named(code, failure) if code is not None else f"{type(failure).__name__}: {failure}"
    fault = f"{circumstances.doing} failed with {detail}{_held(error_class, circumstances.surroundings)}"
    remedy = _remedy(error_class, code, circumstances)
    if code is None and _UNKNOWN_CHIP in str(failure):
        remedy = "This HailoRT does not know the chip: update it."
    return BackendError(thing, fault, remedy, error_class=error_class)


def _named(code: int, failure: BaseException) -> str:
    """The status by its name; one that is newer than the table is named where the library's own text does it."""
    found = _NAME_IN_TEXT.search(str(failure))
    return f"{code} {found.group(0)}" if code not in BY_CODE and found else status_name(code)


def _held(error_class: str, around: Surroundings) -> str:
    return f"; the chip is held by {around.holders}" if error_class == "device_in_use" and around.holders else ""


def _remedy(error_class: str, code: int | None, circumstances: Circumstances) -> str:
    names = circumstances.surroundings.names
    if code == 2 and circumstances.doing is Doing.CONFIGURING:  # noqa: PLR2004  # the number of status.py
        return "Compile a HEF with one model: with several of them, HailoRT does not know which one is meant."
    if code == 36 and circumstances.doing is Doing.OPENING:  # noqa: PLR2004  # the number of status.py
        return (
            f"Let this user open {names.node}: install {names.udev_rule}, or share the node with the container as "
            f"--device {names.node}:{names.node}."
        )
    if code == 8 and circumstances.doing is Doing.CONFIGURING:  # noqa: PLR2004  # the number of status.py
        return (
            f"Where dmesg names max_desc_page_size, put 'options {names.module} force_desc_page_size=4096' into "
            f"/etc/modprobe.d/{names.module}.conf and reboot."
        )
    if code == 79 and circumstances.doing is Doing.OPENING:  # noqa: PLR2004  # the number of status.py
        return "Install the line of HailoRT that fits the chip: 4.x for Hailo-8 and 8L, 5.x for Hailo-10H."
    return REMEDIES[error_class]
