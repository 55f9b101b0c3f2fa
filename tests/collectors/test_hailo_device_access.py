"""A chip that goes, hangs, returns or cannot be opened: what is withdrawn, counted and tried again."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.collectors.chips import Station, station
from tests.fakes.hailo_platform.machine import Machine, default_chip
from tests.fakes.kernel import BDF, write_kernel

VERSIONS = ("4.23.0", "5.2.0")
TEMPERATURE = "hailo_hardware_temperature_celsius"
ZONE = "hailo_hardware_temperature_zone"
CLOCK = "hailo_hardware_clock_hertz"
PROTECTION = "hailo_hardware_throttling_protection_enabled"
READING_OF = {
    "get_chip_temperature": ("temperature", TEMPERATURE),
    "_get_health_information": ("health_information", ZONE),
    "get_extended_device_information": ("extended_information", CLOCK),
    "get_throttling_state": ("throttling_state", PROTECTION),
}


def test_unplug_ends_every_reading_and_replug_brings_them_back_at_once(here: Station) -> None:
    here.turn()
    here.machine.chip.present = False
    assert not here.turn(times=4)
    assert here.of_chip(TEMPERATURE) is None
    assert here.value("hailo_devices_found") == 0.0
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 0.0
    assert here.last_success("temperature") == 5.0
    assert [sample for sample in here.samples() if sample.name == "hailo_device_info"] == []
    here.machine.chip.present = True
    assert here.turn()
    assert here.of_chip(TEMPERATURE) is not None
    assert here.last_success("temperature") == 30.0


def test_a_chip_that_refuses_to_be_opened_is_asked_with_growing_waits(here: Station) -> None:
    here.machine.inject("Device", 36, times=None)
    here.turn(times=12)
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 0.0
    assert here.errors("identity") == {"permission": 4.0}  # at 5, 10, 20 and 40 seconds
    assert here.of_chip(TEMPERATURE) is None
    here.machine.heal()
    here.turn(times=20)
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 1.0


@pytest.mark.parametrize(("code", "reason"), [(76, "version_mismatch"), (79, "failed"), (2, "device_not_found")])
def test_why_a_chip_cannot_be_opened_is_counted(here: Station, code: int, reason: str) -> None:
    here.machine.inject("Device", code)
    assert not here.run()
    assert here.errors("identity") == {reason: 1.0}


def test_one_device_is_kept_open_next_to_its_owner(here: Station) -> None:
    here.machine.chip.owner = "other"
    here.turn(times=50)
    assert here.machine.chip.open_devices == 1
    assert here.machine.calls.count("Device") == 1
    assert here.of_chip(TEMPERATURE) is not None


def test_when_everything_times_out_the_device_is_opened_again(here: Station) -> None:
    here.run()
    for call in READING_OF:
        here.machine.inject(f"control.{call}", 4, times=None)
    here.turn(times=8)  # each sensor was due once, and the wait is over
    assert here.machine.calls.count("Device") >= 2
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 0.0
    here.machine.heal()
    here.turn(times=2)
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 1.0
    assert here.of_chip(TEMPERATURE) is not None


def test_without_the_library_nothing_is_claimed(tmp_path: Path) -> None:
    here = station(Machine(), tmp_path)
    here.machine.inject("import", ModuleNotFoundError("hailo_platform"), times=None)
    assert not here.turn(times=3)
    names = {sample.name for sample in here.samples() if sample.value}
    assert not any(name.startswith(("hailo_hardware", "hailo_device", "hailo_hailort")) for name in names)
    assert here.machine.calls.count("import") == 1  # tried again after a minute, not at every turn
    assert here.run_errors("hailo_device") == {}
    assert here.value("hailo_collector_success", collector="hailo_device") is None


def test_a_failing_scan_withdraws_the_count_and_every_reading(here: Station) -> None:
    here.run()
    here.machine.inject("scan", 36)
    assert not here.turn()
    assert here.value("hailo_devices_found") is None
    assert here.of_chip(TEMPERATURE) is None
    assert here.turn()


def test_a_collector_that_hangs_loses_its_readings(here: Station) -> None:
    here.run()
    here.elapsed += 14.9
    assert here.of_chip(TEMPERATURE) is not None
    here.elapsed += 0.2
    assert here.of_chip(TEMPERATURE) is None
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") is None
    assert here.last_success("temperature") == 0.0


@pytest.mark.parametrize("version", VERSIONS)
def test_several_chips_fail_each_by_itself(version: str, tmp_path: Path) -> None:
    first, second = default_chip(version), default_chip(version)
    second.device_id = "0002:01:00.0"
    here = station(Machine(version, [first, second]), tmp_path)
    assert here.turn()
    assert here.value("hailo_devices_found") == 2.0
    first.present = False
    assert here.turn()
    assert here.of_chip(TEMPERATURE) is None
    assert here.of_chip(TEMPERATURE, "0002:01:00.0") == 48.5
    assert here.value("hailo_hailort_status", device_id="0002:01:00.0") == 1.0


def test_a_machine_without_a_chip_counts_no_error_and_one_that_appears_is_read(tmp_path: Path) -> None:
    here = station(Machine(chips=[default_chip("4.23.0")]), tmp_path)
    here.machine.chip.present = False
    for _ in range(20):
        assert not here.turn()
        # The count stays from one turn to the next, however far away that is.
        here.elapsed += here.runner().interval_seconds
        assert here.value("hailo_devices_found") == 0.0
    assert here.run_errors("hailo_device") == {}
    assert [sample for sample in here.samples() if sample.name.startswith("hailo_sensor") and sample.value] == []
    assert here.runner().interval_seconds == 30.0
    here.machine.chip.present = True
    assert here.turn(here.runner().interval_seconds)
    assert here.of_chip(TEMPERATURE) == 48.5
    assert here.runner().interval_seconds == 5.0


@pytest.mark.parametrize("shown", ["bus", "node"])
@pytest.mark.parametrize("library", [True, False])
def test_a_chip_that_the_kernel_shows_and_nobody_can_read_is_an_error(
    tmp_path: Path, shown: str, *, library: bool
) -> None:
    here = station(Machine(), write_kernel(tmp_path, node=shown == "node"))
    if shown == "node":
        (tmp_path / "sys/bus/pci/devices" / BDF / "vendor").unlink()
    if library:
        here.machine.chip.present = False
    else:
        here.machine.inject("import", ModuleNotFoundError("hailo_platform"), times=None)
    assert not here.turn(times=3)
    assert here.run_errors("hailo_device") == {"failed": 3.0}
    assert here.value("hailo_collector_success", collector="hailo_device") == 0.0
    assert here.runner().interval_seconds == 5.0


def test_a_chip_that_was_there_and_is_gone_is_an_error(old: Station) -> None:
    old.run()
    old.machine.chip.present = False
    assert not old.turn(times=3)
    assert old.run_errors("hailo_device") == {"failed": 3.0}


def test_a_chip_that_falls_silent_is_reported_in_the_same_turn(here: Station) -> None:
    here.turn(times=2)
    for call in (*READING_OF, "identify", "previous_system_state"):
        here.machine.inject(f"control.{call}", 4, times=None)
    # Of five sensors some are not due now: that they answered in an earlier turn does not count.
    assert not here.turn()
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 0.0


def test_an_opening_that_blocked_the_process_is_tried_again_after_four_times_as_long(old: Station) -> None:
    def pass_time(seconds: float) -> None:
        old.elapsed += seconds

    old.machine.hold = pass_time
    old.machine.delay("Device", 30.0)
    old.machine.inject("Device", 4, times=None)
    begun = []
    for _ in range(200):
        before = old.machine.calls.count("Device")
        began = old.elapsed + 5.0
        old.turn()
        assert old.value("hailo_hailort_status", device_id="0001:01:00.0") == 0.0
        if old.machine.calls.count("Device") > before:
            begun.append(began)
    assert len(begun) > 3
    assert min(later - earlier for earlier, later in pairwise(begun)) >= 150.0
