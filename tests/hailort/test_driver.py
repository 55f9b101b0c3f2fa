"""What the kernel reports about the chip's link, and how this machine names the driver's parts."""

from pathlib import Path
from typing import Any

import pytest

from edgeinfer.hailort.driver import PcieLink, driver_names, read_driver_facts
from tests.fakes.kernel import write_kernel


def test_the_link_is_read_at_both_ends(tmp_path: Path) -> None:
    links = ("5.0 GT/s PCIe x1", "8.0 GT/s PCIe x4", "8.0 GT/s PCIe x1")
    (device,) = read_driver_facts(write_kernel(tmp_path, links=links)).pci
    assert (device.link, device.max_link, device.port_max_link) == (PcieLink(5, 1), PcieLink(8, 4), PcieLink(8, 1))
    assert str(device.link) == "5 GT/s x1"


@pytest.mark.parametrize("said", ["Unknown speed x0", "Unknown x255", "5.0 GT/s PCIe x0", "5.0 GT/s PCIe x63", " x"])
def test_a_link_that_is_down_is_absent_and_not_zero(said: str, tmp_path: Path) -> None:
    (device,) = read_driver_facts(write_kernel(tmp_path, links=(said, said, said))).pci
    assert (device.link, device.max_link, device.port_max_link) == (None, None, None)


def test_a_kernel_that_says_nothing_of_the_link_leaves_it_absent(tmp_path: Path) -> None:
    (device,) = read_driver_facts(write_kernel(tmp_path)).pci
    assert device.link is None


@pytest.mark.parametrize(
    ("kernel", "module", "node", "rule"),
    [
        ({}, "hailo_pci", "/dev/hailo0", "51-hailo-udev.rules"),
        ({"module": None}, "hailo_pci", "/dev/hailo0", "51-hailo-udev.rules"),
        ({"device": "0x45c4", "module": None}, "hailo1x_pci", "/dev/hailo0", "51-hailo-udev.rules"),
        ({"device": "0x45c4", "module": "hailo1x_pci", "version": "5.2.0"}, "hailo1x_pci", "/dev/hailo0", "51-hailo"),
        (
            {"device": "0x45c4", "module": "hailo1x_pci", "version": "5.3.0", "driver_5_3": True},
            "hailo1x_pci",
            "/dev/h1x-0",
            "51-edgeinfer.rules",
        ),
        (
            {"device": "0x45c4", "module": "hailo1x_pci", "version": "5.3.0", "node": False},
            "hailo1x_pci",
            "/dev/h1x-0",
            "51-edgeinfer.rules",
        ),
        # 5.0.0 drove a Hailo-10H by the older module.
        ({"device": "0x45c4", "module": "hailo_pci", "version": "5.0.0"}, "hailo_pci", "/dev/hailo0", "51-hailo"),
    ],
)
def test_module_node_and_rule_are_named_as_the_machine_shows_them(
    kernel: dict[str, Any], module: str, node: str, rule: str, tmp_path: Path
) -> None:
    root = write_kernel(tmp_path, **kernel)
    found = driver_names(read_driver_facts(root), root)
    assert (found.module, found.node) == (module, node)
    assert rule in found.udev_rule
