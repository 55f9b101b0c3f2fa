"""What the kernel reports about the chips, which stays readable when HailoRT does not."""

from collections.abc import Callable
from pathlib import Path
from time import time

from edgeinfer.catalog import device
from edgeinfer.collectors.base import NothingToRead
from edgeinfer.collectors.context import CollectorContext
from edgeinfer.hailort.driver import DriverFacts, PciDevice, read_driver_facts
from edgeinfer.metrics.fresh import FreshReadings
from edgeinfer.metrics.instruments import InfoMetric, info

_FRESH_TURNS = 3
# Of PCIe, by the speed of a lane in GT/s.
_GENERATIONS = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}
_CURRENT = (device.PCIE_GENERATION, device.PCIE_LANES)
_MAXIMA = (device.PCIE_MAX_GENERATION, device.PCIE_MAX_LANES)


def create(context: CollectorContext) -> "HailoDriverCollector":
    return HailoDriverCollector(
        context.sources.kernel_root,
        lambda: context.library_version,
        context.readings,
        info(device.DRIVER_INFO, [], context.registry),
        context.sources.wall_clock,
    )


class HailoDriverCollector:
    """Reads modules, PCI devices with their links, and nodes.

    Args:
        root: below which /sys and /dev lie.
        library_version: version of the HailoRT library in this process; empty if none.
        readings: where to publish.
        driver: the info metric of the driver.
        wall_clock: seconds since the epoch.
    """

    name = "hailo_driver"
    interval_seconds = 30.0

    def __init__(
        self,
        root: Path,
        library_version: Callable[[], str],
        readings: FreshReadings,
        driver: InfoMetric,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self._root = root
        self._library_version = library_version
        self._readings = readings
        self._driver = driver
        self._wall_clock = wall_clock

    def collect(self) -> None:
        """Read and publish.

        Raises:
            NothingToRead: there is neither a chip on the bus nor a module.
            OSError: the kernel's folders cannot be read.
        """
        try:
            facts = read_driver_facts(self._root)
        except OSError:
            self._driver.replace([])
            raise
        self._driver.replace(
            [(module, version, self._library_version()) for module, version in sorted(facts.modules.items())]
        )
        self._publish(facts)
        if not facts.pci and not facts.modules:
            raise NothingToRead("no Hailo chip on the bus and no driver")

    def close(self) -> None:
        pass

    def _publish(self, facts: DriverFacts) -> None:
        seconds = _FRESH_TURNS * self.interval_seconds
        if facts.has_bus:
            self._readings.publish_for(seconds, device.PCI_DEVICES, float(len(facts.pci)))
        if facts.has_classes:
            allowed = sum(node.may_open for node in facts.nodes)
            self._readings.publish_for(seconds, device.DEVICE_NODES, float(allowed), "allowed")
            self._readings.publish_for(seconds, device.DEVICE_NODES, float(len(facts.nodes) - allowed), "denied")
        for chip in facts.pci:
            self._publish_link(chip, seconds)
            self._readings.publish(device.SENSOR_LAST_SUCCESS, self._wall_clock(), chip.address, "driver")

    def _publish_link(self, chip: PciDevice, seconds: float) -> None:
        links = {(): chip.link, ("device",): chip.max_link, ("slot",): chip.port_max_link}
        for end, link in links.items():
            generation, lanes = _MAXIMA if end else _CURRENT
            values = {
                generation: _GENERATIONS.get(link.speed_gt_per_second) if link else None,
                lanes: link.width_lanes if link else None,
            }
            for metric, value in values.items():
                if value is None:
                    self._readings.withdraw(metric, chip.address, *end)
                else:
                    self._readings.publish_for(seconds, metric, float(value), chip.address, *end)
