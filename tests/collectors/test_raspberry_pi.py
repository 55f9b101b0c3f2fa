"""The firmware's word bit by bit, and no readings without firmware."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edgeinfer.catalog import device
from edgeinfer.collectors.base import NothingToRead, SourceFault
from edgeinfer.collectors.raspberry_pi import RaspberryPiCollector
from edgeinfer.metrics.fresh import fresh_readings
from edgeinfer.metrics.registry import new_registry
from tests.fakes.kernel import write_kernel


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def read(root: Path, clock: Clock | None = None) -> CollectorRegistry:
    registry = new_registry()
    RaspberryPiCollector(root, fresh_readings([device.RASPBERRY_PI_CONDITION], registry, clock or Clock())).collect()
    return registry


def conditions(registry: CollectorRegistry) -> dict[str, float]:
    found = {name: registry.get_sample_value("raspberry_pi_condition", {"condition": name}) for name in NAMES}
    return {name: value for name, value in found.items() if value is not None}


NAMES = device.RASPBERRY_PI_CONDITIONS


@pytest.mark.parametrize(
    ("word", "holding"),
    [
        ("0", ()),
        ("1", ("undervoltage",)),
        ("2", ("frequency_capped",)),
        ("4", ("throttled",)),
        ("8", ("soft_temperature_limit",)),
        # What was, since the machine was started, is over.
        ("50000", ()),
        ("50005", ("undervoltage", "throttled")),
        ("0xe000e", ("frequency_capped", "throttled", "soft_temperature_limit")),
    ],
)
def test_each_bit_that_holds_now_is_reported(word: str, holding: tuple[str, ...], tmp_path: Path) -> None:
    found = conditions(read(write_kernel(tmp_path, firmware_word=word)))
    assert found == {name: float(name in holding) for name in NAMES}


def _volt(root: Path, name: str, alarm: str) -> Path:
    folder = root / "sys/class/hwmon" / name
    folder.mkdir(parents=True)
    (folder / "name").write_text("rpi_volt\n")
    (folder / "in0_lcrit_alarm").write_text(alarm)
    return root


def test_without_the_file_the_sensor_of_the_supply_reports_undervoltage_alone(tmp_path: Path) -> None:
    other = tmp_path / "sys/class/hwmon/hwmon0"
    other.mkdir(parents=True)
    (other / "name").write_text("cpu_thermal\n")
    assert conditions(read(_volt(tmp_path, "hwmon1", "1\n"))) == {"undervoltage": 1.0}


def test_another_machine_has_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(NothingToRead):
        read(write_kernel(tmp_path))


def test_a_word_that_is_no_number_is_a_fault_and_not_a_zero(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="holds 'nonsense'") as caught:
        read(write_kernel(tmp_path, firmware_word="nonsense"))
    assert caught.value.reason == "malformed"


def test_a_reading_that_nobody_renews_ends(tmp_path: Path) -> None:
    clock = Clock()
    registry = read(write_kernel(tmp_path, firmware_word="1"), clock)
    clock.now = 30.0
    assert conditions(registry) == {}
