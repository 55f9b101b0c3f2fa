"""Each fault between chip and network is attributed to its own part, with its own remedy."""

import os
import pwd
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.hailort import diagnose as doctor
from edgeinfer.hailort.diagnose import diagnose
from edgeinfer.hailort.library import load_library
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.hef_file import Header, damaged
from tests.fakes.hailo_platform.machine import Chip, Machine
from tests.fakes.kernel import hold, write_kernel
from tests.hailort.bad_hefs import BAD_HEFS, BadHef
from tests.hailort.rigs import shipped_card

KERNEL_OF = {
    "4.23.0": {"device": "0x2864", "module": "hailo_pci", "version": "4.23.0"},
    "5.2.0": {"device": "0x45c4", "module": "hailo1x_pci", "version": "5.2.0"},
}


def look(root: Path, machine: Machine, *, numpy_version: str = "", **given: Any) -> list[Diagnostic]:
    load = importer(machine)
    place = doctor.Machine(root, lambda: load_library(load, lambda: root / "hailo_platform"), numpy_version)
    return diagnose(machine=place, **given)


def failures_of(diagnostics: list[Diagnostic]) -> dict[str, str]:
    """Subject to message of everything that is not well; each has a remedy."""
    found = [diagnostic for diagnostic in diagnostics if diagnostic.verdict in (Verdict.BROKEN, Verdict.MISSING)]
    assert [diagnostic for diagnostic in found if not diagnostic.remedy] == []
    return {diagnostic.subject: diagnostic.message for diagnostic in found}


@pytest.mark.parametrize("version", sorted(KERNEL_OF))
def test_a_machine_where_all_is_well_says_so_in_every_room(version: str, tmp_path: Path) -> None:
    machine = Machine(version)
    write_kernel(tmp_path, **KERNEL_OF[version])  # type: ignore[arg-type]  # three texts
    hef = write_hef(tmp_path / "net.hef", architecture=machine.chip.architecture)
    diagnostics = look(tmp_path, machine, hef_path=hef, card=shipped_card(), numpy_version="1.26.4")
    assert failures_of(diagnostics) == {}
    assert [diagnostic.subject for diagnostic in diagnostics] == [
        "hailo chip",
        "hailo driver",
        "hailo node",
        "hailort library",
        "numpy",
        "hailo device",
        "hailo firmware",
        "hef",
    ]


def test_a_machine_without_hailo_is_left_in_peace(tmp_path: Path) -> None:
    machine = Machine(driver_version=None)
    machine.inject("import", ModuleNotFoundError("No module", name="hailo_platform"), times=None)
    diagnostics = look(tmp_path, machine)
    assert [(diagnostic.subject, diagnostic.verdict) for diagnostic in diagnostics] == [("hailo chip", Verdict.NOTE)]


def test_a_machine_where_hailo_is_wanted_names_what_is_missing(tmp_path: Path) -> None:
    machine = Machine(driver_version=None)
    machine.inject("import", ModuleNotFoundError("No module", name="hailo_platform"), times=None)
    found = failures_of(look(tmp_path, machine, wanted=True))
    assert set(found) == {"hailo chip", "hailort library", "hef"}
    assert found["hef"] == "HEF_PATH is not set"


def test_the_layout_that_the_settings_choose_is_the_doctors_too(tmp_path: Path) -> None:
    hef = write_hef(tmp_path / "net.hef", input_shape=(30, 30))
    root = write_kernel(tmp_path)
    assert "cannot be distinguished" in failures_of(look(root, Machine(), hef_path=hef, card=shipped_card()))["hef"]
    assert failures_of(look(root, Machine(), hef_path=hef, card=shipped_card(), layout="time_major")) == {}


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
    found = failures_of(look(write_kernel(tmp_path, **kernel), Machine("4.23.0", **machine)))
    assert set(found) == set(expected)
    for subject, words in expected.items():
        assert words in found[subject]


def test_a_library_that_does_not_load_is_reported_with_the_chip(tmp_path: Path) -> None:
    machine = Machine()
    machine.inject("import", ImportError("libhailort.so.4.23.0: cannot open"), times=None)
    assert set(failures_of(look(write_kernel(tmp_path), machine))) == {"hailort library"}


@pytest.mark.parametrize("numpy_version", ["2.4.6", "1.26.4"])
@pytest.mark.parametrize("knows_numpy_2", [False, True])
def test_numpy_2_is_broken_where_the_library_cannot_read_it(
    numpy_version: str,
    knows_numpy_2: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    machine = Machine()
    machine.knows_numpy_2 = knows_numpy_2
    diagnostics = look(write_kernel(tmp_path), machine, numpy_version=numpy_version)
    (found,) = (diagnostic for diagnostic in diagnostics if diagnostic.subject == "numpy")
    if knows_numpy_2 or numpy_version.startswith("1."):
        assert (found.verdict, found.message) == (Verdict.OK, f"{numpy_version} fits HailoRT 4.23.0")
        return
    assert found.verdict is Verdict.BROKEN
    assert "pip install 'numpy<2'" in found.remedy


def import_failure(folder: Path, failure: ImportError) -> Diagnostic:
    machine = Machine()
    machine.inject("import", failure, times=None)
    diagnostics = look(write_kernel(folder), machine)
    (found,) = (diagnostic for diagnostic in diagnostics if diagnostic.subject == "hailort library")
    assert found.verdict is Verdict.MISSING
    return found


def test_a_library_that_is_not_installed_is_distinguished_from_one_for_another_python(tmp_path: Path) -> None:
    """HailoRT 4.23: the name of the missing module is the package's, or that of its native part."""
    absent = import_failure(tmp_path / "a", ModuleNotFoundError("No module", name="hailo_platform"))
    assert "is not installed" in absent.message
    assert "apt install hailo-all" in absent.remedy
    native = tmp_path / "b/hailo_platform/pyhailort/_pyhailort.cpython-311-aarch64-linux-gnu.so"
    native.parent.mkdir(parents=True)
    native.touch()
    missing = ModuleNotFoundError("No module", name="hailo_platform.pyhailort._pyhailort")
    other = import_failure(tmp_path / "b", missing)
    here = ".".join(map(str, sys.version_info[:2]))
    assert other.message == f"is installed, and its native part is for Python 3.11; this is Python {here}"
    assert "--system-site-packages" in other.remedy
    assert "it has no native part" in import_failure(tmp_path / "c", missing).message


def test_a_module_that_the_library_needs_is_named(tmp_path: Path) -> None:
    found = import_failure(tmp_path, ModuleNotFoundError("No module", name="netaddr"))
    assert "the module netaddr that it needs is not" in found.message
    assert "pip install netaddr" in found.remedy


def test_a_native_library_of_another_version_is_named(tmp_path: Path) -> None:
    text = "libhailort.so.4.20.0: cannot open shared object file: No such file or directory"
    found = import_failure(tmp_path, ImportError(text))
    assert "wants libhailort.so.4.20.0, and that is not here" in found.message
    assert "of the version of its Python package" in found.remedy


@pytest.mark.parametrize(("version", "fails"), [("5.2.0", True), ("5.3.0", False), ("5.10.0", False)])
def test_a_library_from_5_3_on_looks_where_the_driver_is(version: str, tmp_path: Path, *, fails: bool) -> None:
    root = write_kernel(tmp_path, device="0x45c4", module="hailo1x_pci", version=version, driver_5_3=True)
    found = failures_of(look(root, Machine(version)))
    assert ("hailort library" in found) == fails


def test_a_chip_that_the_library_does_not_know_asks_for_a_newer_one(tmp_path: Path) -> None:
    diagnostics = look(write_kernel(tmp_path), Machine(chips=[Chip(architecture="HAILO99")]))
    assert set(failures_of(diagnostics)) == {"hailo device"}
    assert "update it" in next(diagnostic.remedy for diagnostic in diagnostics if diagnostic.subject == "hailo device")


def test_old_firmware_is_distinguished_from_a_broken_device(tmp_path: Path) -> None:
    machine = Machine(chips=[Chip(firmware_version=(4, 19, 0))])
    assert set(failures_of(look(write_kernel(tmp_path), machine))) == {"hailo firmware"}


def test_a_forbidden_node_names_the_udev_rule(tmp_path: Path) -> None:
    root = write_kernel(tmp_path)
    (root / "dev/hailo0").unlink()  # a node that is not there may not be opened either
    machine = Machine()
    machine.inject("Device", 36, times=None)
    found = look(root, machine)
    assert {"hailo node", "hailo device"} == set(failures_of(found))
    assert "udev" in next(diagnostic.remedy for diagnostic in found if diagnostic.subject == "hailo node")


@pytest.mark.parametrize(
    ("architecture", "manifest", "words"),
    [
        ("HAILO8", "{}", "compiled for HAILO8P, and the chip is a HAILO8L"),
        ("HAILO8", '{"architecture": "hailo8"}', "compiled for HAILO8P, and the chip is a HAILO8L"),
        ("HAILO8", '{"architecture": "hailo8l"}', "compiled for HAILO8P, and its manifest says HAILO8L"),
        ("HAILO8", '{"architecture": "HAILO-8"}', "is not a manifest"),
    ],
)
def test_a_hef_for_another_chip_is_reported_before_it_is_tried(
    tmp_path: Path, architecture: str, manifest: str, words: str
) -> None:
    hef = write_hef(tmp_path / "net.hef", architecture=architecture)
    (tmp_path / "net.hef.json").write_text(manifest)
    found = failures_of(look(write_kernel(tmp_path), Machine(), hef_path=hef))
    assert words in found["hef"]


def test_a_hef_that_the_library_no_longer_supports_is_reported_in_the_librarys_words(tmp_path: Path) -> None:
    hef = write_hef(tmp_path / "net.hef", header=Header(is_outdated=True))
    found = failures_of(look(write_kernel(tmp_path), Machine(), hef_path=hef))
    assert "92 HAILO_HEF_NOT_SUPPORTED" in found["hef"]
    assert 'HailoRT says: "Hef has periph_calculation_in_hailort feature disabled - this HEF is out' in found["hef"]


@pytest.mark.parametrize("version", sorted(KERNEL_OF))
@pytest.mark.parametrize("bad", BAD_HEFS, ids=lambda bad: bad.name)
def test_a_bad_hef_is_broken_and_named_for_what_it_is(bad: BadHef, version: str, tmp_path: Path) -> None:
    hef = tmp_path / "net.hef"
    hef.write_bytes(bad.content(tmp_path, version))
    root = write_kernel(tmp_path, **KERNEL_OF[version])  # type: ignore[arg-type]  # three texts
    found = failures_of(look(root, Machine(version), hef_path=hef, card=shipped_card()))
    assert list(found) == ["hef"]
    assert bad.words in found["hef"]


def test_what_a_good_hef_says_is_shown_with_its_bottleneck(tmp_path: Path) -> None:
    hef = write_hef(tmp_path / "net.hef", bottleneck_fps=141093.4)
    (found,) = (
        diagnostic.message
        for diagnostic in look(write_kernel(tmp_path), Machine(), hef_path=hef, card=shipped_card())
        if diagnostic.subject == "hef"
    )
    assert "compiled for HAILO8L by compiler 3.29.0 on 2025-01-01, format 1" in found
    assert "tcn_vae/input_layer1 (1, 100, 9), tcn_vae/conv20 (1, 1, 12), tcn_vae/conv19 (1, 1, 64)" in found
    assert "at most 141093 windows/s; it is the network of tcn-vae-har 1.0.0" in found


def test_a_hef_whose_data_nothing_covers_says_how_to_pin_it(tmp_path: Path) -> None:
    header = Header("HAILO15H", 3, has_proto_checksum=True, has_whole_checksum=False)
    hef = write_hef(tmp_path / "net.hef", header=header)
    root = write_kernel(tmp_path, **KERNEL_OF["5.2.0"])  # type: ignore[arg-type]  # three texts

    def found() -> Diagnostic:
        return next(one for one in look(root, Machine("5.2.0"), hef_path=hef) if one.subject == "hef")

    assert found().verdict is Verdict.NOTE
    manifest = found().remedy.removeprefix("To have damage noticed, write ").split(" into ")[0]
    (tmp_path / "net.hef.json").write_text(manifest)
    assert found().verdict is Verdict.OK
    hef.write_bytes(damaged(hef.read_bytes(), -9))
    assert "its manifest says" in found().message


def test_a_card_that_pins_another_hef_is_reported(tmp_path: Path) -> None:
    hef = write_hef(tmp_path / "net.hef")
    card = shipped_card()
    pinned = replace(card, files={**card.files, "hef": card.file("device")})
    found = failures_of(look(write_kernel(tmp_path), Machine(), hef_path=hef, card=pinned))
    assert "where the card says" in found["hef"]


def test_a_driver_of_another_version_is_reported_in_the_librarys_words(tmp_path: Path) -> None:
    found = failures_of(look(write_kernel(tmp_path, version="4.20.0"), Machine(driver_version="4.20.0")))
    assert 'HailoRT says: "Driver version (4.20.0) is different from library version (4.23.0)"' in found["hailo device"]


LINKS = [
    (("8.0 GT/s PCIe x4", "8.0 GT/s PCIe x4", "16.0 GT/s PCIe x4"), Verdict.OK, "8 GT/s x4"),
    (("5.0 GT/s PCIe x1", "8.0 GT/s PCIe x4", "5.0 GT/s PCIe x1"), Verdict.NOTE, "the port offers no more"),
    (("2.5 GT/s PCIe x1", "8.0 GT/s PCIe x4", "5.0 GT/s PCIe x1"), Verdict.NOTE, "chip and port can do 5 GT/s x1"),
    (("8.0 GT/s PCIe x1", "8.0 GT/s PCIe x4", "8.0 GT/s PCIe x4"), Verdict.NOTE, "chip and port can do 8 GT/s x4"),
]


@pytest.mark.parametrize(("links", "verdict", "words"), LINKS)
def test_a_link_below_what_both_ends_can_do_is_reported_from_a_port_that_offers_no_more(
    links: tuple[str, str, str], verdict: Verdict, words: str, tmp_path: Path
) -> None:
    diagnostics = look(write_kernel(tmp_path, links=links), Machine())
    (found,) = (diagnostic for diagnostic in diagnostics if diagnostic.subject == "hailo link")
    assert found.verdict is verdict
    assert words in found.message


def test_the_process_that_holds_the_chip_is_named(tmp_path: Path) -> None:
    root = write_kernel(tmp_path)
    hold(root, 812, "/dev/hailo0", b"/usr/bin/python3\0-m\0frigate\0")
    hold(root, 813, "/dev/null", b"/usr/bin/other\0")
    (found,) = (diagnostic for diagnostic in look(root, Machine()) if "held open" in diagnostic.message)
    assert found.message == "held open by '/usr/bin/python3 -m frigate' (process 812)"


@pytest.mark.parametrize(("mode", "verdict"), [(0o755, Verdict.NOTE), (0o1777, Verdict.OK)])
def test_a_monitor_folder_of_one_user_is_named_with_its_owner(mode: int, verdict: Verdict, tmp_path: Path) -> None:
    root = write_kernel(tmp_path)
    folder = root / "tmp/hmon_files"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    (found,) = (diagnostic for diagnostic in look(root, Machine()) if diagnostic.subject == "hailo monitor files")
    assert found.verdict is verdict
    assert (pwd.getpwuid(os.getuid()).pw_name in found.message) == (verdict is Verdict.NOTE)


def test_texts_name_module_node_and_rule_of_driver_5_3(tmp_path: Path) -> None:
    newer = {"device": "0x45c4", "module": "hailo1x_pci", "version": "5.3.0", "driver_5_3": True}
    root = write_kernel(tmp_path / "a", **newer)  # type: ignore[arg-type]  # texts and a flag
    (root / "dev/h1x-0").unlink()
    (found,) = (diagnostic for diagnostic in look(root, Machine("5.3.0")) if diagnostic.subject == "hailo node")
    assert found.message == "/dev/h1x-0 may not be opened"
    assert "51-edgeinfer.rules" in found.remedy
    assert "--device /dev/h1x-0:/dev/h1x-0" in found.remedy
    root = write_kernel(tmp_path / "b", device="0x45c4", module=None)
    (found,) = (diagnostic for diagnostic in look(root, Machine("5.2.0")) if diagnostic.subject == "hailo driver")
    assert found.message == "no module hailo1x_pci is loaded"
