"""The chip's sensors: read once each, absent when they cannot be read, and one failure never hides another reading."""

import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.collectors.chips import EPOCH, Station, station
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


@pytest.fixture(params=VERSIONS)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Station]:
    built = station(Machine(request.param), tmp_path)
    yield built
    for collector in built.collectors.values():
        collector.close()
    assert built.machine.chips[0].open_devices == 0
    assert built.machine.aborted == []


@pytest.fixture
def old(tmp_path: Path) -> Station:
    return station(Machine("4.23.0"), tmp_path)


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


def test_the_hotter_sensor_is_the_temperature_and_both_are_reported(here: Station) -> None:
    here.machine.chip.ts0, here.machine.chip.ts1 = 61.25, 63.5
    assert here.run()
    assert here.of_chip(TEMPERATURE) == 63.5
    assert here.of_chip("hailo_hardware_sensor_temperature_celsius", sensor="ts0") == 61.25
    assert here.of_chip("hailo_hardware_sensor_temperature_celsius", sensor="ts1") == 63.5
    assert here.value("hailo_devices_found") == 1.0
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 1.0


def test_the_devices_own_limits_zone_and_levels_are_reported(old: Station) -> None:
    chip = old.machine.chip
    chip.zone, chip.throttling_level, chip.requested_temperature_clock = 1, 2, 300_000_000
    assert old.run()
    limits = {limit: old.of_chip("hailo_hardware_temperature_limit_celsius", limit=limit) for limit in LIMITS}
    assert limits == LIMITS
    assert old.of_chip(ZONE) == 1.0
    assert old.of_chip("hailo_hardware_throttling_level") == 2.0
    assert old.of_chip("hailo_hardware_requested_clock_hertz", protection="temperature") == 300e6
    assert old.of_chip("hailo_hardware_throttling_level_clock_hertz", level="3") == 200e6
    assert old.of_chip("hailo_hardware_throttling_level_temperature_celsius", level="0") == 104.0
    assert old.of_chip(PROTECTION) == 1.0
    assert old.of_chip(CLOCK) == 400e6


LIMITS = {"orange": 104.0, "orange_hysteresis": 99.0, "red": 120.0, "red_hysteresis": 116.0}


def test_what_a_hailo_10h_lacks_is_absent_counted_once_and_seldom_asked_again(tmp_path: Path) -> None:
    here = station(Machine("5.2.0"), tmp_path)
    assert here.turn(times=20)
    assert here.of_chip(TEMPERATURE) is not None
    assert here.of_chip(ZONE) is None
    assert here.of_chip(PROTECTION) is None
    assert here.errors("health_information") == {"unsupported": 1.0}
    assert here.errors("throttling_state") == {"unsupported": 1.0}
    here.turn(seconds=600)
    assert here.errors("health_information") == {"unsupported": 2.0}


def test_power_is_never_measured_unless_asked_for(here: Station) -> None:
    here.machine.chip.current_monitoring = True
    here.turn(times=30)
    assert not [call for call in here.machine.chip.control_calls if "power" in call]
    assert here.of_chip("hailo_hardware_power_watts") is None


@pytest.mark.parametrize("version", VERSIONS)
def test_power_is_a_single_shot_at_a_low_rate_where_the_chip_has_a_sensor(version: str, tmp_path: Path) -> None:
    here = station(Machine(version), tmp_path, measure_power=True)
    here.machine.chip.current_monitoring = True
    here.turn(times=12)
    assert here.of_chip("hailo_hardware_power_watts") == 2.5
    power = [call for call in here.machine.chip.control_calls if "power" in call]
    assert power == ["power_measurement"] * 2
    without = station(Machine(version), tmp_path, measure_power=True)
    without.turn(times=12)
    assert without.of_chip("hailo_hardware_power_watts") is None
    assert without.errors("power") == {"unsupported": 1.0}


@pytest.mark.parametrize("call", sorted(READING_OF))
@pytest.mark.parametrize(("code", "reason"), [(4, "timeout"), (18, "failed"), (16, "version_mismatch"), (47, "failed")])
def test_a_failing_reading_is_absent_stands_still_and_costs_no_other(
    old: Station, call: str, code: int, reason: str
) -> None:
    old.run()
    sensor, metric = READING_OF[call]
    before = old.last_success(sensor)
    old.machine.inject(f"control.{call}", code, times=None)
    assert old.turn(times=13)
    assert old.of_chip(metric) is None
    assert old.last_success(sensor) == before
    assert old.errors(sensor).keys() == {reason}
    others = [other for name, (_, other) in READING_OF.items() if name != call]
    assert [name for name in others if old.of_chip(name) is None] == []
    other, last = ("health_information", 65.0) if sensor == "temperature" else ("temperature", 65.0)
    assert old.last_success(other) == last
    assert old.machine.calls.count("Device") == 1  # it was never opened again
    old.machine.heal()
    old.turn(times=13)
    assert old.of_chip(metric) is not None


@pytest.mark.parametrize(
    ("field", "value", "metric"),
    [
        ("ts0", float("nan"), TEMPERATURE),
        ("ts0", 1e9, TEMPERATURE),
        ("clock_hertz", 0, CLOCK),
        ("zone", 7, ZONE),
    ],
)
def test_a_value_that_cannot_be_a_reading_is_absent_and_counted(
    old: Station, field: str, value: Any, metric: str
) -> None:
    old.run()
    setattr(old.machine.chip, field, value)
    old.turn(times=3)
    assert old.of_chip(metric) is None
    assert sum(old.errors(sensor).get("implausible", 0) for sensor, _ in READING_OF.values()) > 0


def test_firmware_of_another_version_leaves_identity_and_says_so(old: Station) -> None:
    old.machine.chip.firmware_version = (4, 19, 0)
    assert not old.turn(times=3)
    assert old.of_chip(TEMPERATURE) is None
    assert old.errors("temperature") == {"version_mismatch": 3.0}
    assert old.value("hailo_hailort_status", device_id="0001:01:00.0") == 0.0
    info = [sample for sample in old.samples() if sample.name == "hailo_device_info"]
    assert [sample.labels["firmware_version"] for sample in info] == ["4.19.0"]


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


def test_one_failing_reading_of_a_hailo_10h_costs_no_other_although_it_has_few(tmp_path: Path) -> None:
    here = station(Machine("5.2.0"), tmp_path)
    for call, (sensor, metric) in READING_OF.items():
        if sensor in ("health_information", "throttling_state"):
            continue
        here.turn(times=2)
        here.machine.inject(f"control.{call}", 4, times=None)
        assert here.turn(times=13)
        assert here.of_chip(metric) is None
        other = CLOCK if metric == TEMPERATURE else TEMPERATURE
        assert here.of_chip(other) is not None
        assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 1.0
        here.machine.heal()
    assert here.machine.calls.count("Device") == 1  # it was never opened again


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


def test_the_collector_shows_how_it_went(here: Station) -> None:
    here.turn()
    assert here.value("hailo_collector_success", collector="hailo_device") == 1.0
    assert here.value("hailo_collector_last_success_timestamp_seconds", collector="hailo_device") == EPOCH + 5
    here.machine.inject("scan", 36)
    here.turn()
    assert here.value("hailo_collector_success", collector="hailo_device") == 0.0
    assert here.value("hailo_collector_last_success_timestamp_seconds", collector="hailo_device") == EPOCH + 5


def test_identity_is_asked_again_so_that_its_age_shows_the_truth(here: Station) -> None:
    here.turn(times=60)
    assert here.last_success("identity") is not None
    assert here.elapsed - (here.last_success("identity") or 0.0) < 60.0
    here.machine.inject("control.identify", 4, times=None)
    here.turn(times=6)
    assert [sample for sample in here.samples() if sample.name == "hailo_device_info"] == []
    assert here.of_chip(TEMPERATURE) is not None


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


def test_a_failing_scan_ends_the_identities_too(old: Station) -> None:
    old.run()
    old.machine.inject("scan", 36)
    assert not old.turn()
    assert [sample for sample in old.samples() if sample.name == "hailo_device_info"] == []


def test_a_chip_that_falls_silent_is_reported_in_the_same_turn(here: Station) -> None:
    here.turn(times=2)
    for call in (*READING_OF, "identify", "previous_system_state"):
        here.machine.inject(f"control.{call}", 4, times=None)
    # Of five sensors some are not due now: that they answered in an earlier turn does not count.
    assert not here.turn()
    assert here.value("hailo_hailort_status", device_id="0001:01:00.0") == 0.0


@pytest.mark.parametrize(("field", "value"), [("ts0", float("nan")), ("ts1", 1e9)])
def test_an_answer_in_which_one_value_cannot_be_true_is_no_success(old: Station, field: str, value: float) -> None:
    old.run()
    setattr(old.machine.chip, field, value)
    old.turn(times=3)
    assert old.last_success("temperature") == 0.0


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


def test_a_reading_that_fails_on_and_on_is_logged_once_in_ten_minutes(
    old: Station, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="edgeinfer.collectors"):
        old.run()
        old.machine.inject("control.get_chip_temperature", 4, times=None)
        old.turn(times=240)  # twenty minutes
        old.machine.heal()
        old.turn()
    said = [record.getMessage() for record in caplog.records]
    assert said == ["a reading failed"] * 2 + ["a reading succeeds again"]


def test_a_chip_that_says_that_it_has_no_power_sensor_is_not_asked_for_power(tmp_path: Path) -> None:
    for version in (*VERSIONS, "5.0.0"):
        here = station(Machine(version), tmp_path, measure_power=True)
        here.turn(times=12)
        assert "power_measurement" not in here.machine.chip.control_calls
        assert here.errors("power") == {"unsupported": 1.0}
        here.machine.chip.current_monitoring = True
        here.turn(seconds=600)
        assert here.of_chip("hailo_hardware_power_watts") == 2.5


def test_an_evaluation_board_is_asked_for_power_whatever_it_says(tmp_path: Path) -> None:
    here = station(Machine(), tmp_path, measure_power=True)
    here.machine.chip.product_name = "HAILO-8 EVB"
    here.turn()
    assert here.machine.chip.control_calls.count("power_measurement") == 1


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
