"""What a chip says about itself and reports by notification."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.collectors.chips import Station, station
from tests.fakes.hailo_platform.machine import Machine

TEMPERATURE = "hailo_hardware_temperature_celsius"
CLUSTERS = {"health_monitor_lcu_ecc_error_notification": SimpleNamespace(cluster_error=0b101)}
MEMORIES = {"health_monitor_cpu_ecc_notification": SimpleNamespace(memory_bitmap=1 << 31)}
NOTIFICATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "HEALTH_MONITOR_TEMPERATURE_ALARM": ("temperature_alarm", {}),
    "HEALTH_MONITOR_DATAFLOW_SHUTDOWN": ("dataflow_shutdown", {}),
    "HEALTH_MONITOR_OVERCURRENT_ALARM": ("overcurrent_alarm", {}),
    "HEALTH_MONITOR_LCU_ECC_CORRECTABLE_ERROR": ("ecc_correctable", CLUSTERS),
    "HEALTH_MONITOR_LCU_ECC_UNCORRECTABLE_ERROR": ("ecc_uncorrectable", CLUSTERS),
    "HEALTH_MONITOR_CPU_ECC_ERROR": ("cpu_ecc_error", MEMORIES),
    "HEALTH_MONITOR_CPU_ECC_FATAL": ("cpu_ecc_fatal", MEMORIES),
}


def test_identity_is_reported_without_the_padding_of_its_fields(old: Station) -> None:
    assert old.run()
    labels = {
        "chip_id": "0001:01:00.0",
        "architecture": "HAILO8L",
        "board_name": "Hailo-8",
        "firmware_version": "4.23.0",
        "serial_number": "HLDDLBB242501487",
        "part_number": "HM21LB1C2LAE",
        "product_name": "HAILO-8L AI ACC M.2 B+M KEY MODULE EXT TMP",
    }
    assert old.registry.get_sample_value("hailo_device_info", labels) == 1.0


def test_firmware_of_another_version_leaves_identity_and_says_so(old: Station) -> None:
    old.machine.chip.firmware_version = (4, 19, 0)
    assert not old.turn(times=3)
    assert old.of_chip(TEMPERATURE) is None
    assert old.errors("temperature") == {"version_mismatch": 3.0}
    assert old.value("hailo_hailort_status", device_id="0001:01:00.0") == 0.0
    info = [sample for sample in old.samples() if sample.name == "hailo_device_info"]
    assert [sample.labels["firmware_version"] for sample in info] == ["4.19.0"]


@pytest.mark.parametrize("name", sorted(NOTIFICATIONS))
def test_a_notification_is_counted_once(old: Station, name: str) -> None:
    label, body = NOTIFICATIONS[name]
    old.run()
    assert old.value("hailo_notifications_total", notification=label) == 0.0
    old.machine.notify(old.machine.chip, name, **body)
    assert old.value("hailo_notifications_total", notification=label) == 1.0


@pytest.mark.parametrize(
    ("name", "memories"),
    [("HEALTH_MONITOR_LCU_ECC_CORRECTABLE_ERROR", [0, 2]), ("HEALTH_MONITOR_CPU_ECC_FATAL", [31])],
)
def test_which_memory_of_the_chip_failed_is_logged_once_in_ten_minutes(
    old: Station, name: str, memories: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    label, body = NOTIFICATIONS[name]
    old.run()
    for _ in range(3):
        old.machine.notify(old.machine.chip, name, **body)
    [record] = caplog.records
    reported = vars(record)
    assert (reported["notification"], reported["memories"], reported["chip_id"]) == (label, memories, "0001:01:00.0")
    assert old.value("hailo_notifications_total", notification=label) == 3.0


def test_an_announced_clock_is_kept_while_the_device_is_open(old: Station) -> None:
    old.run()
    assert old.of_chip("hailo_hardware_announced_clock_hertz") is None
    change = type("Change", (), {"previous_clock": 400e6, "current_clock": 350e6})
    old.machine.notify(
        old.machine.chip, "HEALTH_MONITOR_CLOCK_CHANGED_EVENT", health_monitor_clock_changed_notification=change
    )
    assert old.of_chip("hailo_hardware_announced_clock_hertz") == 350e6
    old.machine.chip.present = False
    old.turn()
    assert old.of_chip("hailo_hardware_announced_clock_hertz") is None


def test_a_hailo_10h_announces_its_throttling(tmp_path: Path) -> None:
    here = station(Machine("5.2.0"), tmp_path)
    here.run()
    state = type("State", (), {"new_state": 3})
    here.machine.notify(here.machine.chip, "THROTTLING_STATE_CHANGE_EVENT", throttling_state_change=state)
    assert here.of_chip("hailo_hardware_announced_throttling_state") == 3.0
    assert here.value("hailo_notifications_total", notification="throttling_state_change") == 1.0


def test_a_notification_with_a_strange_body_ends_nothing(old: Station) -> None:
    old.run()
    old.machine.notify(old.machine.chip, "HEALTH_MONITOR_CLOCK_CHANGED_EVENT", something_else=1)
    assert old.machine.aborted == []
    assert old.value("hailo_notifications_total", notification="clock_changed") == 1.0


def test_identity_is_asked_again_so_that_its_age_shows_the_truth(here: Station) -> None:
    here.turn(times=60)
    assert here.last_success("identity") is not None
    assert here.elapsed - (here.last_success("identity") or 0.0) < 60.0
    here.machine.inject("control.identify", 4, times=None)
    here.turn(times=6)
    assert [sample for sample in here.samples() if sample.name == "hailo_device_info"] == []
    assert here.of_chip(TEMPERATURE) is not None


def test_a_failing_scan_ends_the_identities_too(old: Station) -> None:
    old.run()
    old.machine.inject("scan", 36)
    assert not old.turn()
    assert [sample for sample in old.samples() if sample.name == "hailo_device_info"] == []


def test_why_the_firmware_started_last_is_reported_for_both_processors(old: Station) -> None:
    old.machine.chip.previous_states = (1, 3)
    old.run()
    reason = "hailo_firmware_restart_reason"
    assert old.of_chip(reason, processor="application") == 1.0
    assert old.of_chip(reason, processor="core") == 3.0
    old.turn(times=30)  # read twice a minute: it stays in between
    assert old.of_chip(reason, processor="application") == 1.0
    assert old.machine.chip.control_calls.count("previous_system_state") == 2 * 6
    old.machine.chip.previous_states = (7, 0)
    old.turn(times=6)
    assert old.of_chip(reason, processor="application") is None
    assert old.of_chip(reason, processor="core") == 0.0


def test_a_hailo_10h_does_not_say_why_its_firmware_started(tmp_path: Path) -> None:
    here = station(Machine("5.2.0"), tmp_path)
    here.turn(times=20)
    assert here.of_chip("hailo_firmware_restart_reason", processor="application") is None
    assert here.errors("previous_system_state") == {"unsupported": 1.0}
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 1.0
