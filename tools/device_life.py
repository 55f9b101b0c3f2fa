"""An hour in the life of a Hailo-8L, through the exporter's own collectors, as OpenMetrics with times.

    python -m tools.device_life /tmp/life.om
    promtool tsdb create-blocks-from openmetrics /tmp/life.om DATA_FOLDER

It heats to orange, its clock steps down, it reaches red and closes its streams, cools and serves again, is
unplugged and plugged in, and for a while does not report its temperature. Nothing of it comes from a real chip.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

from prometheus_client import CollectorRegistry

from edgeinfer.catalog import device
from edgeinfer.metrics.instruments import info
from tests.collectors.chips import Station, station
from tests.fakes.hailo_platform.machine import Chip, Machine
from tests.fakes.hailo_platform.monitor_files import DeviceUse, NetworkUse, encode, write
from tests.fakes.kernel import write_kernel, write_link

STEP_SECONDS = 5
MINUTES = 60
_LABELS = 'job="hailo-exporter",instance="127.0.0.1:9048"'
_PID = "4711"
# Minute and temperature between which the chip moves in a straight line.
_TEMPERATURE = [
    (0, 48.0),
    (5, 55.0),
    (15, 103.0),
    (17, 105.0),
    (28, 119.0),
    (29, 120.5),
    (35, 95.0),
    (40, 70.0),
    (60, 68.0),
]
# Temperature from which the clock is stepped down, in MHz.
_CLOCKS = [(104.0, 350), (108.0, 300), (112.0, 250), (116.0, 200)]
_RED, _RED_LEFT, _ORANGE, _ORANGE_LEFT = 120.0, 116.0, 104.0, 99.0
_UNPLUGGED = range(44 * 60, 47 * 60)
_SILENT = range(52 * 60, 54 * 60)
_BUSY_FROM = 5 * 60


@dataclass
class Life:
    """The chip's state as the script moves it.

    Args:
        here: collectors on the faked machine.
        folder: where monitor files are written.
    """

    here: Station
    folder: Path

    @property
    def chip(self) -> Chip:
        """The fake chip that the script drives."""
        return self.here.machine.chip

    def moments(self) -> Iterator[int]:
        """Second by second of the script, after the collectors have run."""
        for second in range(0, MINUTES * 60, STEP_SECONDS):
            self.step(second)
            yield second

    def step(self, second: int) -> None:
        """Move the chip to a moment of the script, which begins again each hour, and run the collectors."""
        self.here.elapsed = float(second)
        self._move(second % (MINUTES * 60))
        self._write_use(second)
        self.here.run("hailo_device")
        self.here.run("hailo_monitor")
        if second % 30 == 0:
            self.here.run("hailo_driver")

    def _move(self, second: int) -> None:
        chip = self.chip
        chip.present = second not in _UNPLUGGED
        chip.ts0 = temperature_at(second)
        chip.ts1 = chip.ts0 - 0.5
        self.here.machine.heal()
        if second in _SILENT:
            self.here.machine.inject("control.get_chip_temperature", 4, times=None)
        if chip.present:
            self._enter_zone(self._zone())
            self._step_clock()

    def _zone(self) -> int:
        hottest, zone = self.chip.ts0, self.chip.zone
        if hottest >= _RED or (zone == 2 and hottest >= _RED_LEFT):  # noqa: PLR2004  # red
            return 2
        if hottest >= _ORANGE or (zone >= 1 and hottest >= _ORANGE_LEFT):
            return 1
        return 0

    def _enter_zone(self, zone: int) -> None:
        if zone == self.chip.zone:
            return
        self.chip.zone = zone
        body = SimpleNamespace(temperature_zone=zone, alarm_ts_id=0, ts0_temperature=self.chip.ts0, ts1_temperature=0.0)
        self._notify("HEALTH_MONITOR_TEMPERATURE_ALARM", "health_monitor_temperature_alarm_notification", body)
        self.chip.streams_closed = zone == 2  # noqa: PLR2004  # red
        if self.chip.streams_closed:
            body = SimpleNamespace(ts0_temperature=self.chip.ts0, ts1_temperature=self.chip.ts1)
            self._notify("HEALTH_MONITOR_DATAFLOW_SHUTDOWN", "health_monitor_dataflow_shutdown_notification", body)

    def _step_clock(self) -> None:
        steps = [level for level, (threshold, _) in enumerate(_CLOCKS, 1) if self.chip.ts0 >= threshold]
        level = max(steps, default=0) if self.chip.zone else 0
        clock = 1_000_000 * (_CLOCKS[level - 1][1] if level else 400)
        if clock == self.chip.clock_hertz:
            return
        change = SimpleNamespace(previous_clock=self.chip.clock_hertz, current_clock=clock)
        self.chip.clock_hertz = self.chip.requested_temperature_clock = clock
        self.chip.throttling_level = level
        self._notify("HEALTH_MONITOR_CLOCK_CHANGED_EVENT", "health_monitor_clock_changed_notification", change)

    def _notify(self, name: str, member: str, body: object) -> None:
        self.here.machine.notify(self.chip, name, **{member: body})

    def _write_use(self, second: int) -> None:
        """What the owner of the chip writes while it has one."""
        if not self.chip.present:
            return
        works = second >= _BUSY_FROM and not self.chip.streams_closed
        share = 45.0 * 400e6 / self.chip.clock_hertz if works else 0.0
        content = encode(
            _PID,
            [NetworkUse("tcn_vae", 900.0 if works else 0.0, share)],
            [DeviceUse(self.chip.device_id, share)],
        )
        write(self.folder, content, name=_PID + "abcdef", modified_at=self.here.epoch + second - 0.5)


def temperature_at(second: int) -> float:
    """Temperature of the script, in degrees Celsius."""
    minute = second / 60
    for (start, low), (end, high) in pairwise(_TEMPERATURE):
        if start <= minute <= end:
            return low + (high - low) * (minute - start) / (end - start)
    return _TEMPERATURE[-1][1]


def begin(folder: Path, *, epoch: float) -> Life:
    """A life that is about to begin, with its files below the folder."""
    (folder / "proc" / _PID).mkdir(parents=True)
    write_kernel(folder)
    write_link(folder, current=(2, 1), device=(3, 4), slot=(2, 1))
    here = station(Machine("4.23.0"), folder, epoch=epoch)
    info(device.EXPORTER_BUILD_INFO, [("scripted", platform.python_version())], here.registry)
    return Life(here, folder / "hmon_files")


def openmetrics(life: Life) -> Iterator[str]:
    """The whole life, series by series as the format requires, each sample with its time."""
    heads: dict[str, dict[str, list[str]]] = {}
    for second in life.moments():
        for head, series, value in _scrape(life.here.registry):
            lines = heads.setdefault(head, {}).setdefault(series, [])
            lines.append(f"{series} {value!r} {life.here.epoch + second:.3f}")
    for head, found in heads.items():
        yield head
        for lines in found.values():
            yield from lines
    yield "# EOF"


def _scrape(registry: CollectorRegistry) -> Iterator[tuple[str, str, float]]:
    for family in registry.collect():
        head = f"# TYPE {family.name} {family.type}"
        for sample in family.samples:
            own = [f'{name}="{value}"' for name, value in sample.labels.items()]
            yield head, f"{sample.name}{{{','.join([_LABELS, *own])}}}", sample.value


def main() -> None:
    """Write the hour that ends now, or at the time given by --end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="OpenMetrics file to write")
    parser.add_argument("--end", type=float, default=time.time(), help="Unix time at which the hour ends; now")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        life = begin(Path(folder), epoch=given.end - MINUTES * 60)
        given.path.write_text("\n".join(openmetrics(life)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
