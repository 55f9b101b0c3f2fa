"""What can be read of a chip: each sensor as its call, its pace and the samples that its answer holds."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from edgeinfer.catalog import device
from edgeinfer.catalog.metric import Metric

# Outside of these the answer is not a reading; the red limit of a Hailo-8 is 120 °C.
_CELSIUS = (-55.0, 150.0)
_HERTZ = (1e6, 5e9)
_WATTS = (0.0, 100.0)
_STATE = (-128.0, 127.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a reading.

    Args:
        metric: where it is published.
        value: what the chip reported.
        labels: in addition to the chip's.
        bounds: the plausible range; a value outside is not published.
    """

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()
    bounds: tuple[float, float] = _STATE

    @property
    def is_plausible(self) -> bool:
        """Whether it can be a reading at all."""
        return math.isfinite(self.value) and self.bounds[0] <= self.value <= self.bounds[1]


class Lacking(Exception):
    """The chip reports that it does not have this reading."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """One reading of a chip.

    Args:
        name: value of the `sensor` label.
        every: readings of the collector's interval between two of this one.
        read: calls the chip's control; gets the module `hailo_platform` for its enumerations; raises HailoRT's
            exceptions, and `Lacking` where the chip reports beforehand that it cannot.
        metrics: what it publishes.
        may_lack: whether a Hailo-10H, or some modules, do not have it.
    """

    name: str
    every: int
    read: Callable[[Any, Any], Iterator[Sample]]
    metrics: tuple[Metric, ...]
    may_lack: bool = False


def _temperature(control: Any, _: Any) -> Iterator[Sample]:
    answer = control.get_chip_temperature()
    both = [
        Sample(device.SENSOR_TEMPERATURE, float(answer.ts0_temperature), ("ts0",), _CELSIUS),
        Sample(device.SENSOR_TEMPERATURE, float(answer.ts1_temperature), ("ts1",), _CELSIUS),
    ]
    yield from both
    # Which is the hotter is not known while one of them is implausible.
    if all(sample.is_plausible for sample in both):
        yield Sample(device.TEMPERATURE, max(sample.value for sample in both), bounds=_CELSIUS)


def _extended_information(control: Any, _: Any) -> Iterator[Sample]:
    answer = control.get_extended_device_information()
    yield Sample(device.CLOCK, float(answer.neural_network_core_clock_rate), bounds=_HERTZ)


def _health_information(control: Any, _: Any) -> Iterator[Sample]:
    # Private in name, present in every tag of both lines.
    answer = control._get_health_information()  # noqa: SLF001
    for limit in ("orange", "red"):
        for suffix in ("", "_hysteresis"):
            value = float(getattr(answer, f"{limit}{suffix}_temperature_threshold"))
            yield Sample(device.TEMPERATURE_LIMIT, value, (limit + suffix,), _CELSIUS)
    yield Sample(device.TEMPERATURE_ZONE, int(answer.current_temperature_zone), bounds=(0.0, 2.0))
    yield Sample(device.THROTTLING_LEVEL, int(answer.current_temperature_throttling_level))
    yield Sample(device.OVERCURRENT_ZONE, int(answer.current_overcurrent_zone), bounds=(0.0, 1.0))
    for protection in ("temperature", "overcurrent"):
        value = float(getattr(answer, f"requested_{protection}_clock_freq"))
        if value:  # zero means that nothing was requested
            yield Sample(device.REQUESTED_CLOCK, value, (protection,), _HERTZ)
    for level in answer.temperature_throttling_levels:
        name = str(int(level.level_number))
        yield Sample(device.LEVEL_TEMPERATURE, float(level.temperature_threshold), (name,), _CELSIUS)
        yield Sample(device.LEVEL_CLOCK, float(level.throttling_nn_clock_freq), (name,), _HERTZ)


def _throttling_state(control: Any, _: Any) -> Iterator[Sample]:
    yield Sample(device.THROTTLING_PROTECTION, float(bool(control.get_throttling_state())))


def _power(control: Any, _: Any) -> Iterator[Sample]:
    features = control.get_extended_device_information().supported_features
    # The library reads the first where there is no second, which came with 5.1.1; a module that it knows by its
    # name as well is an evaluation kit.
    has_sensor = features.current_monitoring or getattr(features, "power_measurement", False)
    if not has_sensor and "EVB" not in str(control.identify().product_name):
        raise Lacking("the chip says that its board has no sensor of power")
    # A single shot, whose pause of the overcurrent protection ends by itself; the long form is
    # state of the device that would collide with other clients.
    yield Sample(device.POWER, float(control.power_measurement()), bounds=_WATTS)


def _restart_reason(control: Any, platform: Any) -> Iterator[Sample]:
    cpus = platform.HailoCpuId
    for processor, cpu in (("application", cpus.CPU0), ("core", cpus.CPU1)):
        state = float(control.previous_system_state(cpu))
        yield Sample(device.RESTART_REASON, state, (processor,), bounds=(0.0, 3.0))


TEMPERATURE = Sensor("temperature", 1, _temperature, (device.TEMPERATURE, device.SENSOR_TEMPERATURE))
EXTENDED_INFORMATION = Sensor("extended_information", 2, _extended_information, (device.CLOCK,))
HEALTH_INFORMATION = Sensor(
    "health_information",
    1,
    _health_information,
    (
        device.TEMPERATURE_LIMIT,
        device.TEMPERATURE_ZONE,
        device.THROTTLING_LEVEL,
        device.OVERCURRENT_ZONE,
        device.REQUESTED_CLOCK,
        device.LEVEL_TEMPERATURE,
        device.LEVEL_CLOCK,
    ),
    may_lack=True,
)
THROTTLING_STATE = Sensor("throttling_state", 6, _throttling_state, (device.THROTTLING_PROTECTION,), may_lack=True)
POWER = Sensor("power", 6, _power, (device.POWER,), may_lack=True)
# It changes when the firmware starts again, and then the device is opened again.
RESTART_REASON = Sensor("previous_system_state", 6, _restart_reason, (device.RESTART_REASON,), may_lack=True)


def sensors(*, measure_power: bool) -> tuple[Sensor, ...]:
    """The sensors to read; power only if it was enabled."""
    always = (TEMPERATURE, HEALTH_INFORMATION, EXTENDED_INFORMATION, THROTTLING_STATE, RESTART_REASON)
    return (*always, POWER) if measure_power else always
