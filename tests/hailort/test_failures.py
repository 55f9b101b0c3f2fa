"""Every status in every way it can hide, and the codes that mean different things at different times."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.catalog.labels import HARDWARE_ERROR_CLASSES
from edgeinfer.errors import BackendError
from edgeinfer.hailort.chip_model import ChipNetwork
from edgeinfer.hailort.failures import Circumstances, Doing, as_backend_error, classify, code_of
from edgeinfer.hailort.holders import Holders
from edgeinfer.hailort.library import load_library
from edgeinfer.hailort.status import CODE_BY_EXCEPTION_CLASS, REMEDIES, STATUSES
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import Machine
from tests.fakes.hailo_platform.statuses import NAMES, statuses
from tests.fakes.kernel import hold, write_kernel

VERSIONS = ("4.20.0", "4.23.0", "5.2.0")
OPENING, RUNNING = Circumstances(Doing.OPENING), Circumstances(Doing.RUNNING)

# Section 5 of the reference, class by class.
TABLE = {
    "hailort_init_failure": (64, 36, 23, 75, 79, 1, 8),
    "version_mismatch": (76, 85, 86, 16, 15, 78),
    "device_not_found": (96,),
    "device_in_use": (73, 74, 97),
    "memory_allocation_error": (3, 71, 81, 47, 84),
    "timeout": (4, 87),
    "hef_invalid": (26, 91, 92, 93, 94),
    "communication_closed": (62, 89, 77, 63, 88),
    "backpressure": (82,),
    "misuse": (6, 2, 5, 61, 72, 69),
    "unsupported_feature": (7, 48),
}

# What has a name but no row there: recognized by its words in `hailort.h`.
OTHERS = {
    "execution_failed": (17, 18, 25, 28, 29, 30, 31, 32, 33, 35, 43, 44, 45, 80),
    "hailort_init_failure": (27, 34, 37, 38, 39, 40, 41, 42, 46, 67),
    "communication_closed": (57, 90, 95),
    "misuse": (9, 10, 11, 58, 59, 60, 68, 70, 83),
    "unknown": (12, 13, 14, 19, 20, 21, 22, 24, 49, 50, 51, 52, 53, 54, 55, 56, 65, 66),
}


def raised(version: str, code: int, *, raw: bool = False) -> Exception:
    found = statuses(version)
    try:
        found.fail_raw(code) if raw else found.fail(code)
    except (found.error, found.raw, found.unknown) as failure:
        return failure
    raise AssertionError(code)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("code", [status.code for status in STATUSES])
def test_the_code_is_found_in_wrapped_and_raw_exceptions(version: str, code: int, *, raw: bool) -> None:
    assert code_of(raised(version, code, raw=raw)) == code


@pytest.mark.parametrize("code", sorted(set(CODE_BY_EXCEPTION_CLASS.values()) - {21}))
def test_the_code_is_found_by_class_where_a_callback_gives_an_exception_without_cause(code: int) -> None:
    assert code_of(statuses("4.23.0").make(code)) == code


def test_the_code_is_found_in_the_text_where_there_is_nothing_else() -> None:
    assert code_of(statuses("4.23.0").make(76)) == 76
    assert code_of(Exception("something else")) is None


def test_the_table_is_that_of_the_reference() -> None:
    found = {status.code: status.error_class for status in STATUSES}
    expected = {code: error_class for error_class, codes in TABLE.items() for code in codes}
    assert {code: found[code] for code in expected} == expected
    others = {code: error_class for error_class, codes in OTHERS.items() for code in codes}
    assert {code: found[code] for code in found if code not in expected} == others
    assert {status.code: status.name for status in STATUSES} == {code: name for code, name in NAMES.items() if code}


def test_every_class_is_in_the_catalog_and_has_a_remedy() -> None:
    assert {status.error_class for status in STATUSES} <= set(HARDWARE_ERROR_CLASSES)
    assert set(REMEDIES) == set(HARDWARE_ERROR_CLASSES) - {"invalid_output"}


@pytest.mark.parametrize(
    ("code", "circumstances", "expected"),
    [
        (74, Circumstances(Doing.OPENING, devices_found=0), "device_not_found"),
        (74, Circumstances(Doing.OPENING, devices_found=1), "device_in_use"),
        (74, Circumstances(Doing.OPENING, devices_found=None), "device_in_use"),
        (73, Circumstances(Doing.OPENING, devices_found=1, by_id=True), "device_in_use"),
        (2, Circumstances(Doing.OPENING, by_id=True), "device_not_found"),
        (2, OPENING, "misuse"),
        (2, Circumstances(Doing.RUNNING, by_id=True), "misuse"),
        (63, Circumstances(Doing.RUNNING, is_hot=True), "thermal_throttling"),
        (63, RUNNING, "communication_closed"),
        (13, Circumstances(Doing.READING_HEF), "hef_invalid"),
        (13, Circumstances(Doing.CONFIGURING), "hef_invalid"),
        (14, Circumstances(Doing.READING_HEF), "hef_invalid"),
        (13, Circumstances(Doing.READING_SENSOR, may_lack=True), "unsupported_feature"),
        (18, Circumstances(Doing.READING_SENSOR, may_lack=True), "unsupported_feature"),
        (18, RUNNING, "execution_failed"),
        (8, RUNNING, "execution_failed"),
        (8, OPENING, "hailort_init_failure"),
        (16, Circumstances(Doing.READING_SENSOR, may_lack=True), "unsupported_feature"),
        (16, Circumstances(Doing.READING_SENSOR), "version_mismatch"),
        (79, OPENING, "hailort_init_failure"),
        (79, Circumstances(Doing.READING_SENSOR, may_lack=True), "unsupported_feature"),
        (55, RUNNING, "unknown"),
    ],
)
@pytest.mark.parametrize("version", ["4.23.0", "5.2.0"])
def test_a_code_means_what_its_circumstances_say(
    version: str, code: int, circumstances: Circumstances, expected: str
) -> None:
    assert classify(raised(version, code, raw=True), circumstances) == expected


@pytest.mark.parametrize(
    ("failure", "circumstances", "expected"),
    [
        (MemoryError(), RUNNING, "memory_allocation_error"),
        (ImportError("libhailort.so.4.23.0"), Circumstances(Doing.IMPORTING), "hailort_init_failure"),
        (Exception("HailoRT device not found in the system"), OPENING, "device_not_found"),
        (ValueError("HEF can only be created from..."), Circumstances(Doing.READING_HEF), "hef_invalid"),
        (ValueError("whatever"), RUNNING, "unknown"),
        (ValueError("7 is not a valid DeviceArchitectureTypes"), OPENING, "hailort_init_failure"),
        (RuntimeError("boom"), RUNNING, "unknown"),
    ],
)
def test_failures_without_a_code_have_their_class_too(
    failure: Exception, circumstances: Circumstances, expected: str
) -> None:
    assert classify(failure, circumstances) == expected


def test_the_error_names_thing_status_and_remedy() -> None:
    reported = as_backend_error(raised("4.23.0", 76), OPENING, "device 0001:01:00.0")
    assert reported.error_class == "version_mismatch"
    assert str(reported) == (
        "device 0001:01:00.0: opening the device failed with 76 HAILO_INVALID_DRIVER_VERSION. "
        "Bring driver, library and firmware to one version (on a Pi: sudo apt full-upgrade, reboot)."
    )


def test_special_remedies_name_the_descriptor_page_and_the_right_line() -> None:
    unknown_chip = as_backend_error(ValueError("7 is not a valid DeviceArchitectureTypes"), OPENING)
    several = as_backend_error(raised("4.23.0", 2), Circumstances(Doing.CONFIGURING))
    assert unknown_chip.remedy == "This HailoRT does not know the chip: update it."
    assert "with one model" in several.remedy
    page = as_backend_error(raised("4.23.0", 8), Circumstances(Doing.CONFIGURING))
    line = as_backend_error(raised("4.23.0", 79), OPENING)
    assert "force_desc_page_size=4096" in page.remedy
    assert "5.x for Hailo-10H" in line.remedy


def test_a_status_newer_than_the_table_has_the_name_that_the_library_gives_it() -> None:
    failure = RuntimeError("libhailort failed with error: 123 (HAILO_SOMETHING_NEW)")
    found = as_backend_error(failure, RUNNING)
    assert (found.error_class, found.fault) == ("unknown", "running a window failed with 123 HAILO_SOMETHING_NEW")


def refused_open(root: Path, machine: Machine, code: int, call: str = "VDevice") -> BackendError:
    """The backend's error when this chip is opened on a machine with this kernel."""
    machine.inject(call, code)
    library = replace(load_library(importer(machine)), root=root)
    hef = write_hef(root / "net.hef", architecture=machine.chip.architecture).read_bytes()
    with pytest.raises(BackendError) as caught:
        ChipNetwork(library, machine.chip.device_id, hef, group_id="SHARED", timeout_ms=100).open()
    return caught.value


@pytest.mark.parametrize("code", [73, 74])
def test_the_process_that_holds_the_chip_is_named_with_what_to_do(code: int, tmp_path: Path) -> None:
    """Such as Frigate, or a demo that was left running."""
    root = write_kernel(tmp_path)
    hold(root, 812, "/dev/hailo0", b"python3\0-m\0frigate\0")
    failure = refused_open(root, Machine(), code)
    assert failure.error_class == "device_in_use"
    assert failure.fault.endswith("; the chip is held by 'python3 -m frigate' (process 812)")
    assert "it is then taken by itself" in failure.remedy


def test_a_holder_that_may_not_be_looked_at_is_not_called_nobody(tmp_path: Path) -> None:
    assert str(Holders((), is_whole=False)) == "a process that this user may not look into (try it with sudo)"
    assert refused_open(write_kernel(tmp_path), Machine(), 73).fault.endswith("73 HAILO_DEVICE_IN_USE")


KERNEL_5_3 = {"device": "0x45c4", "module": "hailo1x_pci", "version": "5.3.0", "driver_5_3": True}


@pytest.mark.parametrize(
    ("version", "kernel", "code", "call", "words"),
    [
        ("4.23.0", {}, 36, "VDevice", ["/dev/hailo0", "51-hailo-udev.rules", "--device /dev/hailo0:/dev/hailo0"]),
        ("5.3.0", KERNEL_5_3, 36, "VDevice", ["/dev/h1x-0", "51-edgeinfer.rules", "--device /dev/h1x-0:/dev/h1x-0"]),
        ("4.23.0", {}, 8, "configure", ["options hailo_pci force", "/etc/modprobe.d/hailo_pci.conf"]),
        ("5.3.0", KERNEL_5_3, 8, "configure", ["options hailo1x_pci force", "/etc/modprobe.d/hailo1x_pci.conf"]),
    ],
)
def test_remedies_name_module_and_node_as_the_machine_shows_them(
    version: str, kernel: dict[str, Any], code: int, call: str, words: list[str], tmp_path: Path
) -> None:
    remedy = refused_open(write_kernel(tmp_path, **kernel), Machine(version), code, call).remedy
    assert [word for word in words if word not in remedy] == []


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ModuleNotFoundError("No module named 'hailo_platform'"), "system-site-packages"),
        (ImportError("libhailort.so.4.23.0: cannot open shared object file"), "version of its Python package"),
        (RuntimeError("MissingPyHRTLib"), "same version"),
    ],
)
def test_a_library_that_does_not_load_says_what_to_do(failure: Exception, words: str) -> None:
    machine = Machine()
    machine.inject("import", failure)
    with pytest.raises(BackendError, match=words) as caught:
        load_library(importer(machine))
    assert caught.value.error_class == "hailort_init_failure"


def test_only_one_room_imports_the_library() -> None:
    source = Path(__file__).parents[2] / "src/edgeinfer"
    importing = re.compile(r"^\s*(import hailo_platform|from hailo_platform)|import_module\(\"hailo", re.MULTILINE)
    found = [path.relative_to(source) for path in source.rglob("*.py") if importing.search(path.read_text())]
    assert found == [Path("hailort/library.py")]
