"""Each fault between chip and network is found in its own room, with its own remedy."""

from pathlib import Path
from typing import Any

import pytest

from edgeinfer.findings import Finding, Verdict
from edgeinfer.hailort.diagnose import diagnose
from edgeinfer.hailort.library import load_library
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.hef_file import Header
from tests.fakes.hailo_platform.machine import Chip, Machine
from tests.fakes.kernel import write_kernel

KERNEL_OF = {
    "4.23.0": {"device": "0x2864", "module": "hailo_pci", "version": "4.23.0"},
    "5.2.0": {"device": "0x45c4", "module": "hailo1x_pci", "version": "5.2.0"},
}


def look(root: Path, machine: Machine, **given: Any) -> list[Finding]:
    load = importer(machine)
    return diagnose(root=root, load=lambda: load_library(load), **given)


def troubles(findings: list[Finding]) -> dict[str, str]:
    """Subject to message of everything that is not well; each has a remedy."""
    found = [finding for finding in findings if finding.verdict in (Verdict.BROKEN, Verdict.MISSING)]
    assert [finding for finding in found if not finding.remedy] == []
    return {finding.subject: finding.message for finding in found}


@pytest.mark.parametrize("version", sorted(KERNEL_OF))
def test_a_machine_where_all_is_well_says_so_in_every_room(version: str, tmp_path: Path) -> None:
    machine = Machine(version)
    write_kernel(tmp_path, **KERNEL_OF[version])  # type: ignore[arg-type]  # three texts
    hef = write_hef(tmp_path / "net.hef", architecture=machine.chip.architecture)
    findings = look(tmp_path, machine, hef_path=hef, numpy_version="1.26.4")
    assert troubles(findings) == {}
    subjects = ["hailo chip", "hailo driver", "hailo node", "hailort library", "hailo device", "hailo firmware", "hef"]
    assert [finding.subject for finding in findings] == subjects


def test_a_machine_without_hailo_is_left_in_peace(tmp_path: Path) -> None:
    machine = Machine(driver_version=None)
    machine.inject("import", ModuleNotFoundError("hailo_platform"), times=None)
    findings = look(tmp_path, machine)
    assert [(finding.subject, finding.verdict) for finding in findings] == [("hailo chip", Verdict.NOTE)]


def test_a_machine_where_hailo_is_wanted_names_what_is_missing(tmp_path: Path) -> None:
    machine = Machine(driver_version=None)
    machine.inject("import", ModuleNotFoundError("hailo_platform"), times=None)
    assert set(troubles(look(tmp_path, machine, wanted=True))) == {"hailo chip", "hailort library"}


@pytest.mark.parametrize(
    ("kernel", "machine", "expected"),
    [
        ({"module": None}, {"driver_version": None}, {"hailo driver": "no module", "hailo device": "finds none"}),
        ({"version": "4.20.0"}, {"driver_version": "4.20.0"}, {"hailo driver": "differ", "hailo device": "76"}),
        ({"module": "hailo1x_pci"}, {}, {"hailo driver": "does not drive this chip"}),
        ({"bound": False}, {}, {"hailo driver": "has no driver bound"}),
        ({"node": False}, {"driver_version": None}, {"hailo node": "no device node", "hailo device": "finds none"}),
        ({"driver_5_3": True}, {}, {"hailort library": "hailo_chardev"}),
        ({"device": "0x45c4", "module": "hailo1x_pci"}, {}, {"hailort library": "does not drive a Hailo-10H"}),
    ],
)
def test_a_fault_is_found_in_its_room(
    tmp_path: Path, kernel: dict[str, Any], machine: dict[str, Any], expected: dict[str, str]
) -> None:
    found = troubles(look(write_kernel(tmp_path, **kernel), Machine("4.23.0", **machine)))
    assert set(found) == set(expected)
    for subject, words in expected.items():
        assert words in found[subject]


def test_a_library_that_does_not_load_is_told_beside_the_chip(tmp_path: Path) -> None:
    machine = Machine()
    machine.inject("import", ImportError("libhailort.so.4.23.0: cannot open"), times=None)
    assert set(troubles(look(write_kernel(tmp_path), machine))) == {"hailort library"}


def test_numpy_2_beside_the_older_line_is_noted(tmp_path: Path) -> None:
    notes = [
        finding.remedy
        for finding in look(write_kernel(tmp_path), Machine(), numpy_version="2.4.6")
        if finding.verdict is Verdict.NOTE
    ]
    assert notes == ["Install 'numpy<2' in this venv."]


@pytest.mark.parametrize(("version", "is_trouble"), [("5.2.0", True), ("5.3.0", False), ("5.10.0", False)])
def test_a_library_from_5_3_on_looks_where_the_driver_is(version: str, tmp_path: Path, *, is_trouble: bool) -> None:
    root = write_kernel(tmp_path, device="0x45c4", module="hailo1x_pci", version=version, driver_5_3=True)
    found = troubles(look(root, Machine(version)))
    assert ("hailort library" in found) == is_trouble


def test_a_chip_that_the_library_does_not_know_asks_for_a_newer_one(tmp_path: Path) -> None:
    findings = look(write_kernel(tmp_path), Machine(chips=[Chip(architecture="HAILO99")]))
    assert set(troubles(findings)) == {"hailo device"}
    assert "update it" in next(finding.remedy for finding in findings if finding.subject == "hailo device")


def test_old_firmware_is_told_apart_from_a_broken_device(tmp_path: Path) -> None:
    machine = Machine(chips=[Chip(firmware_version=(4, 19, 0))])
    assert set(troubles(look(write_kernel(tmp_path), machine))) == {"hailo firmware"}


def test_a_forbidden_node_names_the_udev_rule(tmp_path: Path) -> None:
    root = write_kernel(tmp_path)
    (root / "dev/hailo0").unlink()  # a node that is not there may not be opened either
    machine = Machine()
    machine.inject("Device", 36, times=None)
    found = look(root, machine)
    assert {"hailo node", "hailo device"} == set(troubles(found))
    assert "udev" in next(finding.remedy for finding in found if finding.subject == "hailo node")


@pytest.mark.parametrize(
    ("architecture", "manifest", "words"),
    [
        ("HAILO8", "{}", "compiled for HAILO8P, and the chip is a HAILO8L"),
        ("HAILO8", '{"architecture": "hailo8"}', "compiled for HAILO8P, and the chip is a HAILO8L"),
        ("HAILO8", '{"architecture": "hailo8l"}', "compiled for HAILO8P, and its manifest says HAILO8L"),
        ("HAILO8", '{"architecture": "HAILO-8"}', "is not a manifest"),
    ],
)
def test_a_hef_for_another_chip_is_told_before_it_is_tried(
    tmp_path: Path, architecture: str, manifest: str, words: str
) -> None:
    hef = write_hef(tmp_path / "net.hef", architecture=architecture)
    (tmp_path / "net.hef.json").write_text(manifest)
    found = troubles(look(write_kernel(tmp_path), Machine(), hef_path=hef))
    assert words in found["hef"]


def test_a_hef_that_the_library_no_longer_supports_is_told_by_the_library(tmp_path: Path) -> None:
    hef = write_hef(tmp_path / "net.hef", header=Header(is_outdated=True))
    found = troubles(look(write_kernel(tmp_path), Machine(), hef_path=hef))
    assert "92 HAILO_HEF_NOT_SUPPORTED" in found["hef"]
