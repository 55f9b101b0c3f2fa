"""An hour of a chip's life through the exporter: what was exported at each moment, and what was absent."""

import re

import pytest

from tests.collectors.chips import EPOCH
from tools.device_life import MINUTES, STEP_SECONDS, begin, openmetrics, temperature_at

Series = dict[int, float]
_LINE = re.compile(r"(\w+)\{(.*)\} (\S+) (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Series]:
    """Value by second of each series, by name and the labels that matter."""
    reported = openmetrics(begin(tmp_path_factory.mktemp("life"), epoch=EPOCH))
    found: dict[tuple[str, str], Series] = {}
    for line in reported:
        if line.startswith("#"):
            continue
        name, labels, value, at = _LINE.fullmatch(line).groups()  # type: ignore[union-attr]  # every line is one
        own = [value for label, value in _LABEL.findall(labels) if label not in ("job", "instance", "chip_id")]
        found.setdefault((name, ",".join(own)), {})[round(float(at) - EPOCH)] = float(value)
    return found


def minutes(series: Series, value: float) -> tuple[float, float]:
    """First and last minute at which a series had a value."""
    at = [second / 60 for second, found in series.items() if found == value]
    return min(at), max(at)


def test_every_temperature_reported_is_the_one_of_its_moment(life: dict[tuple[str, str], Series]) -> None:
    reported = life["hailo_hardware_temperature_celsius", ""]
    assert all(value == temperature_at(second) for second, value in reported.items())
    missing = set(range(0, MINUTES * 60, STEP_SECONDS)) - set(reported)
    unplugged, silent = set(range(44 * 60, 47 * 60, 5)), set(range(52 * 60, 54 * 60, 5))
    assert missing == unplugged | silent


def test_the_zones_follow_the_devices_own_hysteresis(life: dict[tuple[str, str], Series]) -> None:
    zone = life["hailo_hardware_temperature_zone", ""]
    assert minutes(zone, 2.0) == pytest.approx((28.75, 30.0), abs=0.5)
    assert minutes(zone, 1.0)[0] == pytest.approx(16.0, abs=0.2)
    assert zone[40 * 60] == 0.0


def test_the_clock_steps_down_and_back_and_each_step_was_announced(life: dict[tuple[str, str], Series]) -> None:
    clock = life["hailo_hardware_clock_hertz", ""]
    steps = [value / 1e6 for value in dict.fromkeys(clock.values())]
    assert steps == [400, 350, 300, 250, 200]
    announced = life["hailo_notifications_total", "clock_changed"]
    assert announced[MINUTES * 60 - 5] == 8.0
    assert set(life["hailo_hardware_announced_clock_hertz", ""].values()) == {350e6, 300e6, 250e6, 200e6, 400e6}


def test_shutdown_and_alarms_are_counted(life: dict[tuple[str, str], Series]) -> None:
    last = MINUTES * 60 - 5
    assert life["hailo_notifications_total", "dataflow_shutdown"][last] == 1.0
    assert life["hailo_notifications_total", "temperature_alarm"][last] == 4.0


def test_use_is_zero_while_the_streams_are_closed_and_absent_while_the_chip_is(
    life: dict[tuple[str, str], Series],
) -> None:
    use = life["hailo_hardware_utilization_ratio", ""]
    assert use[29 * 60 + 30] == 0.0
    assert use[25 * 60] > 0.5
    assert 45 * 60 not in use
    assert 48 * 60 in use


def test_last_success_stands_still_while_a_reading_is_away(life: dict[tuple[str, str], Series]) -> None:
    last = life["hailo_sensor_last_success_timestamp_seconds", "temperature"]
    assert {last[second] for second in range(52 * 60, 54 * 60, 5)} == {EPOCH + 52 * 60 - 5}
    assert last[54 * 60] == EPOCH + 54 * 60
    assert life["hailo_sensor_read_errors_total", "temperature,timeout"][MINUTES * 60 - 5] == 24.0


def test_an_unplugged_chip_is_refused_and_found_again(life: dict[tuple[str, str], Series]) -> None:
    status = life["hailo_hailort_status", "0001:01:00.0"]
    assert minutes(status, 0.0) == (44.0, 47.0 - 5 / 60)
    assert life["hailo_devices_found", ""][45 * 60] == 0.0
