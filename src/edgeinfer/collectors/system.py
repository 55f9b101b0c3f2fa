"""Memory, CPU and disk of the machine, and memory of the process, from psutil."""

from collections.abc import Callable

import psutil

from edgeinfer.catalog import system
from edgeinfer.metrics.readings import Readings

INTERVAL_SECONDS = 10.0
_ROOT = "/"
METRICS = (system.MEMORY_USAGE, system.DISK_SPACE, system.CPU_USAGE_RATIO, system.CPU_USAGE_PERCENT)


class SystemCollector:
    """Reads memory, CPU and disk.

    Args:
        readings: where the values go.
        cpu_percent: CPU used since the call before, in percent of the machine.
    """

    def __init__(
        self, readings: Readings, cpu_percent: Callable[[], float] = lambda: psutil.cpu_percent(interval=None)
    ) -> None:
        self._readings = readings
        self._cpu_percent = cpu_percent
        self._has_begun = False

    @property
    def name(self) -> str:
        """Value of the `collector` label."""
        return "system"

    @property
    def interval_seconds(self) -> float:
        """10 s, as the source document requires."""
        return INTERVAL_SECONDS

    def collect(self) -> None:
        """Publish memory and disk space in bytes, and the CPU's use in percent since the last call."""
        machine = psutil.virtual_memory()
        values = {
            "process_resident": psutil.Process().memory_info().rss,
            "system_used": machine.used,
            "system_available": machine.available,
            "system_total": machine.total,
        }
        for memory_type, size_bytes in values.items():
            self._readings.publish(system.MEMORY_USAGE, size_bytes, memory_type)
        disk = psutil.disk_usage(_ROOT)
        self._readings.publish(system.DISK_SPACE, disk.free, "available")
        self._readings.publish(system.DISK_SPACE, disk.total, "total")
        self._publish_cpu(self._cpu_percent())

    def close(self) -> None:
        pass

    def _publish_cpu(self, percent: float) -> None:
        # The first call has no call before it to compare with: its zero is not a reading.
        if self._has_begun:
            self._readings.publish(system.CPU_USAGE_PERCENT, percent)
            self._readings.publish(system.CPU_USAGE_RATIO, percent / 100)
        self._has_begun = True
