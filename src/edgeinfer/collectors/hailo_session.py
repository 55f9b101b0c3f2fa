"""One chip whose `Device` is kept open: its sensors read at their pace, each failure by itself."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Counter

from edgeinfer.catalog import device
from edgeinfer.collectors.hailo_notifications import Listener
from edgeinfer.collectors.hailo_sensors import RESTART_REASON, Lacking, Sample, Sensor
from edgeinfer.hailort.failures import Circumstances, Doing, as_backend_error, code_of
from edgeinfer.hailort.identity import Identity, read_identity
from edgeinfer.hailort.library import Library
from edgeinfer.logs import LogLimiter
from edgeinfer.metrics.fresh import FreshReadings

_log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 5.0, 60.0
# A reading that a module does not have is retried rarely: its firmware may be updated meanwhile.
_UNSUPPORTED_WAIT_SECONDS = 600.0
_DEVICE_IS_LOST = {"communication_closed", "device_not_found", "hailort_init_failure"}
_REASONS = {
    "unsupported_feature": "unsupported",
    "version_mismatch": "version_mismatch",
    "device_not_found": "device_not_found",
    "communication_closed": "device_not_found",
    "timeout": "timeout",
}
_PERMISSION_CODE = 36
_IDENTITY = "identity"
_IDENTITY_TURNS = 6
_NO_MEASUREMENT = (_IDENTITY, RESTART_REASON.name)
# Missing this many turns ends a reading.
_FRESH_TURNS = 3
# Opening a chip that does not answer takes 30 s, in which no thread of this process runs: no scrape is answered then.
# At most a fifth of the time may go that way.
_WAIT_PER_BLOCKED_SECOND = 4.0


@dataclass(frozen=True, slots=True)
class SessionReadings:
    """Where a session publishes.

    Args:
        readings: fresh readings of all sensors, status and last successes.
        errors: counter with the labels sensor, reason.
        notifications: counter with the label notification.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch.
    """

    readings: FreshReadings
    errors: Counter
    notifications: Counter
    clock: Callable[[], float]
    wall_clock: Callable[[], float]


@dataclass(slots=True)
class ChipSession:
    """One chip, from its first sight on.

    Args:
        chip_id: its address.
        sensors: what to read.
        interval_seconds: the collector's pace.
        outputs: where to publish.
    """

    chip_id: str
    sensors: tuple[Sensor, ...]
    interval_seconds: float
    outputs: SessionReadings
    identity: Identity | None = None
    _device: Any = None
    _platform: Any = None
    _logged: LogLimiter = field(init=False)
    _due_at: dict[str, float] = field(default_factory=dict)
    _outcomes: dict[str, str] = field(default_factory=dict)
    _reopen_at: float = 0.0
    _failures: int = 0

    def __post_init__(self) -> None:
        self._logged = LogLimiter(self.outputs.clock)

    def turn(self, library: Library) -> bool:
        """Open what is closed, read what is due; returns whether the chip answers."""
        if self._device is None and not self._open(library):
            return False
        results = {sensor.name: self._read(sensor) for sensor in self.sensors if self._is_due(sensor.name)}
        self._outcomes.update(results)
        # Where nothing answered now, earlier answers do not count: the device's identity is read again at once.
        is_silent = bool(results) and "" not in results.values()
        if is_silent or self._is_due(_IDENTITY):
            results[_IDENTITY] = self._identify_again()
        lost = sorted(set(results.values()) & _DEVICE_IS_LOST)
        answers = not lost and self._answers() and not (is_silent and results[_IDENTITY])
        # Another version of the firmware stays another version however often the device is opened.
        if lost or (not answers and set(self._reported()) != {"version_mismatch"}):
            self._give_up(lost[0] if lost else "no reading can be had")
        else:
            self._publish_status(answers=answers)
        return answers

    def _reported(self) -> list[str]:
        """How the measurements went that this chip has, each when it was last due."""
        outcomes = [outcome for name, outcome in self._outcomes.items() if name not in _NO_MEASUREMENT]
        return [outcome for outcome in outcomes if outcome != "unsupported_feature"]

    def _answers(self) -> bool:
        """Whether one sensor at least could be read when it was last due: one that fails costs no other."""
        reported = self._reported()
        return not reported or "" in reported

    def end(self) -> None:
        """Release the device; its readings end, while the times of its last successes stay."""
        self._release()
        self.identity = None
        for sensor in self.sensors:
            self._withdraw(sensor)
        for metric in (device.ANNOUNCED_CLOCK, device.ANNOUNCED_THROTTLING):
            self.outputs.readings.withdraw(metric, self.chip_id)

    def _open(self, library: Library) -> bool:
        began = self.outputs.clock()
        if began < self._reopen_at:
            return False
        try:
            opened = library.platform.Device(self.chip_id)
        except Exception as failure:  # noqa: BLE001  # Device() leaks an exception that derives from nothing narrower
            self._count(_IDENTITY, failure, Circumstances(Doing.OPENING, by_id=True))
            self._give_up(str(code_of(failure)), blocked_seconds=self.outputs.clock() - began)
            return False
        self._device, self._platform = opened, library.platform
        try:
            self.identity = read_identity(opened.control)
        except Exception as failure:  # noqa: BLE001  # as above
            self._count(_IDENTITY, failure, Circumstances(Doing.READING_SENSOR))
            self._give_up(str(code_of(failure)))
            return False
        self._succeed(_IDENTITY)
        self._failures = 0
        self._due_at.clear()
        self._outcomes.clear()
        self._wait_for_next(_IDENTITY, _IDENTITY_TURNS)
        listener = Listener(self.outputs.readings, self.outputs.notifications, self.chip_id, self._logged)
        listener.attach(library, opened.control)
        return True

    def _identify_again(self) -> str:
        """Read the identity again, as firmware may be updated under us. Returns the class of a failure, or nothing."""
        self._wait_for_next(_IDENTITY, _IDENTITY_TURNS)
        try:
            self.identity = read_identity(self._device.control)
        except Exception as failure:  # noqa: BLE001  # any failure costs this reading and no other
            self.identity = None
            return self._count(_IDENTITY, failure, Circumstances(Doing.READING_SENSOR))
        self._succeed(_IDENTITY)
        return ""

    def _wait_for_next(self, sensor_name: str, turns: int) -> None:
        # A little less than the pace, so that a turn that comes early is not one too few.
        self._due_at[sensor_name] = self.outputs.clock() + (turns - 0.5) * self.interval_seconds

    def _is_due(self, sensor_name: str) -> bool:
        return self.outputs.clock() >= self._due_at.get(sensor_name, 0.0)

    def _read(self, sensor: Sensor) -> str:
        """Read one sensor; returns the class of its failure, or nothing."""
        self._wait_for_next(sensor.name, sensor.every)
        try:
            samples = list(sensor.read(self._device.control, self._platform))
        except Exception as failure:  # noqa: BLE001  # any failure costs this reading and no other
            return self._fail(sensor, failure)
        self._publish(sensor, samples, _FRESH_TURNS * sensor.every * self.interval_seconds)
        return ""

    def _fail(self, sensor: Sensor, failure: Exception) -> str:
        if isinstance(failure, Lacking):
            return self._lack(sensor, str(failure))
        lacks = sensor.may_lack and (sensor.name == "power" or (self.identity is not None and self.identity.is_remote))
        error_class = self._count(sensor.name, failure, Circumstances(Doing.READING_SENSOR, may_lack=lacks))
        if error_class == "unsupported_feature":
            self._due_at[sensor.name] = self.outputs.clock() + _UNSUPPORTED_WAIT_SECONDS
        self._withdraw(sensor)
        return error_class

    def _lack(self, sensor: Sensor, why: str) -> str:
        self._due_at[sensor.name] = self.outputs.clock() + _UNSUPPORTED_WAIT_SECONDS
        self.outputs.errors.labels(sensor.name, "unsupported").inc()
        self._log_failure(sensor.name, "unsupported", why)
        self._withdraw(sensor)
        return "unsupported_feature"

    def _publish(self, sensor: Sensor, samples: list[Sample], fresh_seconds: float) -> None:
        readings, plausible = self.outputs.readings, [sample for sample in samples if sample.is_plausible]
        with readings.at_once():
            # Series that the answer no longer holds end with it.
            self._withdraw(sensor)
            for sample in plausible:
                readings.publish_for(fresh_seconds, sample.metric, sample.value, self.chip_id, *sample.labels)
        # An answer with one implausible value does not count as a successful read.
        if len(plausible) == len(samples):
            self._succeed(sensor.name)
            return
        self.outputs.errors.labels(sensor.name, "implausible").inc(len(samples) - len(plausible))
        strange = [f"{one.metric.name} {one.value:g}" for one in samples if not one.is_plausible]
        self._log_failure(sensor.name, "implausible", ", ".join(strange))

    def _succeed(self, sensor_name: str) -> None:
        now = self.outputs.wall_clock()
        self.outputs.readings.publish(device.SENSOR_LAST_SUCCESS, now, self.chip_id, sensor_name)
        if self._logged.forget(sensor_name):
            _log.info("a reading succeeds again", extra={"chip_id": self.chip_id, "sensor": sensor_name})

    def _count(self, sensor_name: str, failure: Exception, circumstances: Circumstances) -> str:
        error = as_backend_error(failure, circumstances, f"device {self.chip_id}")
        reason = _REASONS.get(error.error_class, "failed")
        if code_of(failure) == _PERMISSION_CODE and circumstances.doing is Doing.OPENING:
            reason = "permission"
        self.outputs.errors.labels(sensor_name, reason).inc()
        self._log_failure(sensor_name, reason, str(error))
        return error.error_class

    def _log_failure(self, sensor_name: str, reason: str, detail: str) -> None:
        if self._logged.is_due(sensor_name, reason):
            _log.warning(
                "a reading failed",
                extra={"chip_id": self.chip_id, "sensor": sensor_name, "reason": reason, "detail": detail},
            )

    def _give_up(self, why: str, *, blocked_seconds: float = 0.0) -> None:
        wait = min(_FIRST_WAIT_SECONDS * 2**self._failures, _MAX_WAIT_SECONDS)
        wait = max(wait, _WAIT_PER_BLOCKED_SECOND * blocked_seconds)
        self._failures += 1
        self._reopen_at = self.outputs.clock() + wait
        self.end()
        self._publish_status(answers=False)
        if self._logged.is_due("device", why):
            _log.warning(
                "a chip does not answer and will be opened again",
                extra={"chip_id": self.chip_id, "why": why, "wait_seconds": wait},
            )

    def _publish_status(self, *, answers: bool) -> None:
        # Renewed at every turn of the collector, also of a closed chip.
        self.outputs.readings.publish_for(
            _FRESH_TURNS * self.interval_seconds, device.HAILORT_STATUS, float(answers), self.chip_id
        )

    def refuse(self) -> None:
        """Say that the chip does not answer now."""
        self._publish_status(answers=False)

    def allow_reopening(self) -> None:
        """The chip was plugged in again: do not wait for the back-off, and log what fails as new."""
        self._logged.forget("device")
        self._reopen_at, self._failures = 0.0, 0

    def _withdraw(self, sensor: Sensor) -> None:
        for metric in sensor.metrics:
            self.outputs.readings.withdraw(metric, self.chip_id)

    def _release(self) -> None:
        opened, self._device = self._device, None
        if opened is None:
            return
        try:
            opened.release()
        except Exception as failure:  # noqa: BLE001  # a lost device may refuse even that
            _log.info("the device could not be released", extra={"chip_id": self.chip_id, "failure": str(failure)})
