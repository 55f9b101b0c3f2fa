"""Readings that end by themselves."""

from edgeinfer.catalog import device
from edgeinfer.metrics.fresh import fresh_readings
from edgeinfer.metrics.registry import new_registry

CHIP = {"chip_id": "0001:01:00.0"}
NAME = device.TEMPERATURE.name


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_reading_ends_when_it_is_not_renewed_and_returns_when_it_is() -> None:
    registry, clock = new_registry(), Clock()
    readings = fresh_readings([device.TEMPERATURE], registry, clock)
    readings.publish_for(10.0, device.TEMPERATURE, 50.0, *CHIP.values())
    clock.now = 9.9
    assert registry.get_sample_value(NAME, CHIP) == 50.0
    clock.now = 10.0
    assert registry.get_sample_value(NAME, CHIP) is None
    readings.publish_for(10.0, device.TEMPERATURE, 51.0, *CHIP.values())
    clock.now = 19.0
    assert registry.get_sample_value(NAME, CHIP) == 51.0


def test_renewing_moves_the_end() -> None:
    registry, clock = new_registry(), Clock()
    readings = fresh_readings([device.TEMPERATURE], registry, clock)
    for clock.now in (0.0, 8.0, 16.0):
        readings.publish_for(10.0, device.TEMPERATURE, clock.now, *CHIP.values())
    clock.now = 25.0
    assert registry.get_sample_value(NAME, CHIP) == 16.0


def test_each_series_ends_by_itself() -> None:
    registry, clock = new_registry(), Clock()
    readings = fresh_readings([device.TEMPERATURE], registry, clock)
    readings.publish_for(1.0, device.TEMPERATURE, 1.0, "a")
    readings.publish_for(5.0, device.TEMPERATURE, 2.0, "b")
    readings.publish(device.TEMPERATURE, 3.0, "c")
    clock.now = 2.0
    found = [registry.get_sample_value(NAME, {"chip_id": chip}) for chip in "abc"]
    assert found == [None, 2.0, 3.0]
