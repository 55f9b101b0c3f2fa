"""Power supply and heat of a Raspberry Pi, from its firmware; no readings on any other machine."""

from collections.abc import Mapping
from pathlib import Path

from edgeinfer.catalog import device
from edgeinfer.collectors.base import NothingToRead, SourceFault
from edgeinfer.collectors.context import CollectorContext
from edgeinfer.metrics.fresh import FreshReadings

_FRESH_TURNS = 3
# Where the firmware's driver shows its word; the folder before it is named after the bus of the Raspberry Pi.
_FIRMWARE_WORD = "sys/devices/platform/soc*/soc*firmware/get_throttled"
# Bits of what holds now; the same sixteen bits higher mean "since the machine was started".
_BITS = {"undervoltage": 0, "frequency_capped": 1, "throttled": 2, "soft_temperature_limit": 3}
# Kernels without that file still report undervoltage.
_VOLTAGE_SENSORS = "sys/class/hwmon/hwmon*"
_VOLTAGE_SENSOR_NAME = "rpi_volt"
_VOLTAGE_ALARM = "in0_lcrit_alarm"


def create(context: CollectorContext) -> "RaspberryPiCollector":
    return RaspberryPiCollector(context.sources.kernel_root, context.readings)


class RaspberryPiCollector:
    """Reads the undervoltage and throttling flags of the Raspberry Pi's firmware.

    Args:
        root: the directory that contains /sys.
        readings: where to publish.
    """

    name = "raspberry_pi"
    interval_seconds = 10.0

    def __init__(self, root: Path, readings: FreshReadings) -> None:
        self._root = root
        self._readings = readings

    def collect(self) -> None:
        """Read and publish.

        Raises:
            NothingToRead: this is not a Raspberry Pi.
            SourceFault: the firmware's word is not a number.
            OSError: a file cannot be read.
        """
        conditions = self._conditions()
        if not conditions:
            raise NothingToRead("no Raspberry Pi firmware and no sensor of its supply")
        seconds = _FRESH_TURNS * self.interval_seconds
        for condition, holds in conditions.items():
            self._readings.publish_for(seconds, device.RASPBERRY_PI_CONDITION, float(holds), condition)

    def close(self) -> None:
        pass

    def _conditions(self) -> Mapping[str, bool]:
        for path in sorted(self._root.glob(_FIRMWARE_WORD)):
            word = _number(path, base=16)
            return {condition: bool(word >> bit & 1) for condition, bit in _BITS.items()}
        for folder in sorted(self._root.glob(_VOLTAGE_SENSORS)):
            if (folder / "name").read_text(encoding="ascii").strip() == _VOLTAGE_SENSOR_NAME:
                return {"undervoltage": bool(_number(folder / _VOLTAGE_ALARM))}
        return {}


def _number(path: Path, base: int = 10) -> int:
    text = path.read_text(encoding="ascii", errors="replace").strip()
    try:
        return int(text, base)
    except ValueError as failure:
        raise SourceFault("malformed", f"{path} holds {text!r}, which is not a number") from failure
