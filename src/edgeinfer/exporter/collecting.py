"""The collectors of the exporter and the metrics that they fill."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time

from prometheus_client import CollectorRegistry

from edgeinfer.catalog import device
from edgeinfer.catalog.metric import Kind, Metric
from edgeinfer.collectors.base import Collector
from edgeinfer.collectors.hailo_device import HailoDeviceCollector
from edgeinfer.collectors.hailo_driver import HailoDriverCollector
from edgeinfer.collectors.hailo_monitor import HailoMonitorCollector
from edgeinfer.collectors.hailo_sensors import sensors
from edgeinfer.collectors.hailo_session import Outputs
from edgeinfer.collectors.raspberry_pi import RaspberryPiCollector
from edgeinfer.hailort.library import Library, load_library
from edgeinfer.metrics.fresh import fresh_readings
from edgeinfer.metrics.instruments import counter, info

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the exporter looks.

    Args:
        interval_seconds: between two readings of a chip.
        measure_power: whether power is measured, with its side effect.
        monitor_folder: of HailoRT's monitor files.
        monitor_interval_seconds: of their owner.
        kernel_root: below which /sys, /proc and /dev lie.
        load: imports the HailoRT library.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch.
    """

    interval_seconds: float = 5.0
    measure_power: bool = False
    monitor_folder: Path = Path("/tmp/hmon_files")  # noqa: S108  # where HailoRT writes them
    monitor_interval_seconds: float = 1.0
    kernel_root: Path = Path("/")
    load: Callable[[], Library] = load_library
    clock: Clock = monotonic
    wall_clock: Clock = time


def collectors(sources: Sources, registry: CollectorRegistry) -> list[Collector]:
    """Every collector of Hailo chips and of the board below them, publishing on the registry."""
    readings = fresh_readings(_sensor_metrics(), registry, sources.clock)
    errors = counter(device.SENSOR_ERRORS, registry)
    notifications = counter(device.NOTIFICATIONS_RECEIVED, registry)
    outputs = Outputs(readings, errors, notifications, sources.clock, sources.wall_clock)
    chips = HailoDeviceCollector(
        sources.load,
        sensors(measure_power=sources.measure_power),
        interval_seconds=sources.interval_seconds,
        outputs=outputs,
        identities=info(device.DEVICE_INFO, [], registry),
        kernel_root=sources.kernel_root,
    )
    monitor = HailoMonitorCollector(
        sources.monitor_folder,
        interval_seconds=sources.monitor_interval_seconds,
        processes=sources.kernel_root / "proc",
        readings=readings,
        errors=errors,
        wall_clock=sources.wall_clock,
    )
    driver = HailoDriverCollector(
        sources.kernel_root,
        lambda: chips.library_version,
        readings,
        info(device.DRIVER_INFO, [], registry),
        sources.wall_clock,
    )
    return [chips, monitor, driver, RaspberryPiCollector(sources.kernel_root, readings)]


def _sensor_metrics() -> list[Metric]:
    entries = [entry for entry in vars(device).values() if isinstance(entry, Metric)]
    return [entry for entry in entries if entry.kind is Kind.GAUGE and entry.sensor]
