"""What the collectors of the exporter share: where they look, and where they publish."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import monotonic, time

from prometheus_client import CollectorRegistry, Counter

from edgeinfer.catalog import device
from edgeinfer.catalog.metric import Metric, MetricKind
from edgeinfer.hailort.library import Library, load_library
from edgeinfer.metrics.fresh import FreshReadings, fresh_readings
from edgeinfer.metrics.instruments import counter

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


class CollectorContext:
    """Given to `create` of each collector's file.

    Args:
        sources: where to look.
        registry: where metrics are registered.
    """

    def __init__(self, sources: Sources, registry: CollectorRegistry) -> None:
        self.sources = sources
        self.registry = registry
        self._library: Library | None = None

    @cached_property
    def readings(self) -> FreshReadings:
        """Where sensors are published: every gauge of `catalog/device.py` that its entry marks as a sensor."""
        entries = [entry for entry in vars(device).values() if isinstance(entry, Metric)]
        gauges = [entry for entry in entries if entry.kind is MetricKind.GAUGE and entry.sensor]
        return fresh_readings(gauges, self.registry, self.sources.clock)

    @cached_property
    def sensor_errors(self) -> Counter:
        """Counter of failed readings, with the labels sensor and reason."""
        return counter(device.SENSOR_ERRORS, self.registry)

    def load_library(self) -> Library:
        """Import HailoRT, at most once.

        Raises:
            BackendError: it cannot be imported.
        """
        if self._library is None:
            self._library = self.sources.load()
        return self._library

    @property
    def library_version(self) -> str:
        """Version of the HailoRT library in this process; empty while it is not loaded."""
        return self._library.version if self._library else ""
