"""The chip's sensors: read once each, absent when they cannot be read, and one failure never hides another reading."""

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.collectors.chips import EPOCH, Station, station
from tests.fakes.hailo_platform.machine import Machine

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
LIMITS = {"orange": 104.0, "orange_hysteresis": 99.0, "red": 120.0, "red_hysteresis": 116.0}


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


def test_the_collector_shows_how_it_went(here: Station) -> None:
    here.turn()
    assert here.value("hailo_collector_success", collector="hailo_device") == 1.0
    assert here.value("hailo_collector_last_success_timestamp_seconds", collector="hailo_device") == EPOCH + 5
    here.machine.inject("scan", 36)
    here.turn()
    assert here.value("hailo_collector_success", collector="hailo_device") == 0.0
    assert here.value("hailo_collector_last_success_timestamp_seconds", collector="hailo_device") == EPOCH + 5


@pytest.mark.parametrize(("field", "value"), [("ts0", float("nan")), ("ts1", 1e9)])
def test_an_answer_in_which_one_value_cannot_be_true_is_no_success(old: Station, field: str, value: float) -> None:
    old.run()
    setattr(old.machine.chip, field, value)
    old.turn(times=3)
    assert old.last_success("temperature") == 0.0


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
