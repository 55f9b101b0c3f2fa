"""Driver and bus as the kernel reports them, with HailoRT or without."""

from pathlib import Path

import pytest

from edgeinfer.hailort.driver import read_driver_facts
from tests.collectors.chips import Station, station
from tests.fakes.hailo_platform.machine import Machine
from tests.fakes.kernel import BDF, write_kernel, write_link


def test_driver_bus_and_nodes_are_reported_without_the_library(tmp_path: Path) -> None:
    here = station(Machine(), write_kernel(tmp_path))
    assert here.run("hailo_driver")
    labels = {"module": "hailo_pci", "driver_version": "4.23.0", "library_version": ""}
    assert here.registry.get_sample_value("hailo_driver_info", labels) == 1.0
    assert here.value("hailo_pci_devices") == 1.0
    assert here.value("hailo_device_nodes", access="allowed") == 1.0
    assert here.value("hailo_device_nodes", access="denied") == 0.0
    assert here.last_success("driver", BDF) == 0.0


def test_the_library_is_next_to_the_driver_once_it_is_loaded(tmp_path: Path) -> None:
    here = station(Machine(), write_kernel(tmp_path, version="4.20.0"))
    here.run("hailo_device")
    here.run("hailo_driver")
    labels = {"module": "hailo_pci", "driver_version": "4.20.0", "library_version": "4.23.0"}
    assert here.registry.get_sample_value("hailo_driver_info", labels) == 1.0


def test_a_machine_without_a_bus_to_look_at_claims_no_count(tmp_path: Path) -> None:
    here = station(Machine(), tmp_path)
    assert not here.run("hailo_driver")
    assert here.value("hailo_pci_devices") is None
    assert here.value("hailo_device_nodes", access="allowed") is None


def test_a_machine_with_a_bus_and_no_chip_has_none(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    here = station(Machine(), tmp_path)
    assert not here.run("hailo_driver")
    assert here.value("hailo_pci_devices") == 0.0


@pytest.mark.parametrize(("moved", "name", "folder"), [(False, "hailo0", "hailo_chardev"), (True, "h1x-0", "hailo1x")])
def test_the_address_is_found_in_the_folders_of_both_drivers(
    tmp_path: Path, name: str, folder: str, *, moved: bool
) -> None:
    root = write_kernel(tmp_path, device="0x45c4", module="hailo1x_pci", driver_5_3=moved)
    facts = read_driver_facts(root)
    assert [(node.name, node.class_name, node.address) for node in facts.nodes] == [(name, folder, BDF)]
    assert [(chip.chip, chip.driver) for chip in facts.pci] == [("Hailo-10H", "hailo1x_pci")]


def test_an_unbound_chip_has_no_driver(tmp_path: Path) -> None:
    facts = read_driver_facts(write_kernel(tmp_path, bound=False, node=False))
    assert [chip.driver for chip in facts.pci] == [""]
    assert facts.nodes == ()


def link_of(here: Station) -> dict[str, float | None]:
    """What is published of the chip's PCIe link, by metric and end."""
    reported: dict[str, float | None] = {}
    for what in ("generation", "lanes"):
        reported[what] = here.of_chip(f"hailo_pcie_link_{what}")
        for end in ("device", "slot"):
            reported[f"{end} {what}"] = here.of_chip(f"hailo_pcie_link_max_{what}", end=end)
    return reported


def test_the_link_is_reported_as_it_runs_and_as_both_ends_could(tmp_path: Path) -> None:
    here = station(Machine(), write_kernel(tmp_path))
    write_link(tmp_path, current=(2, 1), device=(3, 4), slot=(3, 1))
    assert here.run("hailo_driver")
    assert link_of(here) == {
        "generation": 2.0,
        "device generation": 3.0,
        "slot generation": 3.0,
        "lanes": 1.0,
        "device lanes": 4.0,
        "slot lanes": 1.0,
    }


def test_what_the_kernel_does_not_know_of_a_link_is_absent_never_zero(tmp_path: Path) -> None:
    here = station(Machine(), write_kernel(tmp_path))
    assert here.run("hailo_driver")
    assert set(link_of(here).values()) == {None}
    write_link(tmp_path, current=(3, 1), device=(3, 4), slot=None)
    here.turn(seconds=30, name="hailo_driver")
    assert (link_of(here)["generation"], link_of(here)["slot lanes"]) == (3.0, None)
    write_link(tmp_path, current=(0, 255), device=(3, 4), slot=None)  # a link that is down
    here.turn(seconds=30, name="hailo_driver")
    assert (link_of(here)["generation"], link_of(here)["lanes"]) == (None, None)
    assert link_of(here)["device lanes"] == 4.0


def test_driver_and_library_are_no_longer_reported_when_the_kernel_cannot_be_read(tmp_path: Path) -> None:
    here = station(Machine(), write_kernel(tmp_path))
    assert here.run("hailo_driver")
    (tmp_path / "sys/module/hailo_pci/version").unlink()
    (tmp_path / "sys/module/hailo_pci/version").mkdir()  # reading it fails, as that of a driver that is going away
    assert not here.turn(seconds=30, name="hailo_driver")
    assert [sample for sample in here.samples() if sample.name == "hailo_driver_info"] == []
    assert here.run_errors("hailo_driver") == {"failed": 1.0}
