"""Utilization and frame rates from HailoRT's monitor files (Hailo-8 and 8L: a Hailo-10H writes none on the host)."""

import logging
import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time

from prometheus_client import Counter

from edgeinfer.catalog import device
from edgeinfer.collectors.base import FaultReason, NothingToRead, SourceFault
from edgeinfer.collectors.context import CollectorContext
from edgeinfer.hailort.monitor_file import MalformedMonitorFile, MonitorMessage, decode
from edgeinfer.metrics.fresh import FreshReadings

_log = logging.getLogger(__name__)
_MIN_AGE_SECONDS = 3.0
_MISSED_INTERVALS = 3
_MAX_FILE_BYTES = 1 << 20
_MAX_FRAMES_PER_SECOND = 1e6  # a network without outputs reports the largest double there is
# Anyone may write into the folder; this bound keeps the number of series small.
_MAX_FILES, _MAX_NAMES, _MAX_NAME = 16, 64, 256


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A message and how long it may still be shown."""

    message: MonitorMessage
    modified_at: float
    left_seconds: float


def create(context: CollectorContext) -> "HailoMonitorCollector":
    sources = context.sources
    return HailoMonitorCollector(
        sources.monitor_folder,
        interval_seconds=sources.monitor_interval_seconds,
        processes=sources.kernel_root / "proc",
        readings=context.readings,
        errors=context.sensor_errors,
        wall_clock=sources.wall_clock,
    )


class HailoMonitorCollector:
    """Reads the files that the owners of chips write while HAILO_MONITOR=1 is in their environment.

    Args:
        folder: where they lie.
        interval_seconds: HAILO_MONITOR_TIME_INTERVAL of the owner.
        processes: the folder /proc, by which dead owners are known.
        readings: where to publish.
        errors: counter with the labels sensor, reason.
        wall_clock: seconds since the epoch, as in the files' times.
    """

    name = "hailo_monitor"

    def __init__(  # noqa: PLR0913  # two folders and three seams, by name
        self,
        folder: Path,
        *,
        interval_seconds: float,
        processes: Path,
        readings: FreshReadings,
        errors: Counter,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self.interval_seconds = max(1.0, interval_seconds)
        self._folder = folder
        self._processes = processes
        self._readings = readings
        self._errors = errors
        self._wall_clock = wall_clock
        self._oldest_seconds = max(_MISSED_INTERVALS * interval_seconds, _MIN_AGE_SECONDS)

    def collect(self) -> None:
        """Read every file and publish what the fresh ones say; the newest wins where two report the same series.

        Raises:
            NothingToRead: no owner writes a file.
            SourceFault: there are files, and none of them could be used.
        """
        faults: list[FaultReason] = []
        messages = []
        for path in self._paths():
            try:
                messages.append(self._read(path))
            except FileNotFoundError:
                continue  # its owner ended between the listing and the reading
            except SourceFault as fault:
                faults.append(fault.reason)
                self._errors.labels("monitor", fault.reason).inc()
                _log.debug("a monitor file cannot be used", extra={"path": str(path), "detail": str(fault)})
        self._publish(sorted(messages, key=lambda fresh: fresh.modified_at)[-_MAX_FILES:])
        if not messages:
            if faults:
                raise SourceFault(faults[0], f"no usable file in {self._folder}")
            raise NothingToRead(f"no file in {self._folder}: HAILO_MONITOR=1 is missing, or it is a Hailo-10H")

    def close(self) -> None:
        pass

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix != ".tmp")
        except FileNotFoundError:
            return []
        except PermissionError as failure:
            self._withdraw_all()
            self._errors.labels("monitor", "permission").inc()
            raise SourceFault("permission", f"{self._folder} may not be listed") from failure

    def _read(self, path: Path) -> _Fresh:
        content, modified_at = _content(path)
        age = self._wall_clock() - modified_at
        # A file from the future was written before the clock was set back.
        if abs(age) > self._oldest_seconds:
            raise SourceFault("stale", f"{path} is {age:.1f} s old")
        try:
            message = decode(content)
        except MalformedMonitorFile as failure:
            raise SourceFault("malformed", f"{path}: {failure}") from failure
        if message.pid and not self._lives(message.pid):
            raise SourceFault("stale", f"{path} was left behind by process {message.pid}")
        return _Fresh(message, modified_at, self._oldest_seconds - age)

    def _lives(self, pid: str) -> bool:
        return pid.isdecimal() and (self._processes / pid).exists()

    def _publish(self, messages: list[_Fresh]) -> None:
        with self._readings.at_once():
            self._withdraw_all()
            for fresh in messages:
                self._show(fresh)

    def _show(self, fresh: _Fresh) -> None:
        for use in fresh.message.devices[:_MAX_NAMES]:
            self._show_device(use.device_id[:_MAX_NAME], use.utilization_percent, fresh.left_seconds)
        for network in fresh.message.networks[:_MAX_NAMES]:
            name = network.name[:_MAX_NAME]
            self._show_network(name, network.frames_per_second, network.utilization_percent, fresh.left_seconds)

    def _show_device(self, device_id: str, percent: float, seconds: float) -> None:
        if not device_id or not math.isfinite(percent):
            self._errors.labels("monitor", "implausible").inc()
            return
        percent = min(max(percent, 0.0), 100.0)
        self._readings.publish_for(seconds, device.UTILIZATION_RATIO, percent / 100.0, device_id)
        self._readings.publish_for(seconds, device.UTILIZATION_PERCENT, percent, device_id)
        self._readings.publish(device.SENSOR_LAST_SUCCESS, self._wall_clock(), device_id, "monitor")

    def _show_network(self, name: str, rate: float, percent: float, seconds: float) -> None:
        if math.isfinite(percent):
            ratio = min(max(percent, 0.0), 100.0) / 100.0
            self._readings.publish_for(seconds, device.MODEL_UTILIZATION, ratio, name)
        if math.isfinite(rate) and 0.0 <= rate <= _MAX_FRAMES_PER_SECOND:
            self._readings.publish_for(seconds, device.MODEL_FRAME_RATE, rate, name)
        else:
            self._errors.labels("monitor", "implausible").inc()

    def _withdraw_all(self) -> None:
        for metric in _METRICS:
            self._readings.withdraw(metric)


_METRICS = (
    device.UTILIZATION_RATIO,
    device.UTILIZATION_PERCENT,
    device.MODEL_UTILIZATION,
    device.MODEL_FRAME_RATE,
)


def _content(path: Path) -> tuple[bytes, float]:
    """A file's bytes and time, never through a link, and without locking: a held lock makes 4.20 skip a write."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except PermissionError as failure:
        raise SourceFault("permission", f"{path} may not be read: run as its owner, or use 4.22 or newer") from failure
    except OSError as failure:
        raise SourceFault("malformed", f"{path} is not a plain file") from failure
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE_BYTES:
            raise SourceFault("malformed", f"{path} is not a plain file of a plausible size")
        return os.read(descriptor, _MAX_FILE_BYTES), status.st_mtime
    finally:
        os.close(descriptor)
