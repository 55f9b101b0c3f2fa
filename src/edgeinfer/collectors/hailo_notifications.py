"""Notifications that a chip pushes: counted, with its announced clock and throttling state kept."""

import logging
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

from edgeinfer.catalog import device
from edgeinfer.hailort.failures import code_of
from edgeinfer.hailort.library import Library
from edgeinfer.logs import LogLimiter
from edgeinfer.metrics.readings import Readings

_log = logging.getLogger(__name__)

# HailoRT's name to the label's value; the last two came with 5.2.
_LABELS = {
    "HEALTH_MONITOR_TEMPERATURE_ALARM": "temperature_alarm",
    "HEALTH_MONITOR_DATAFLOW_SHUTDOWN": "dataflow_shutdown",
    "HEALTH_MONITOR_OVERCURRENT_ALARM": "overcurrent_alarm",
    "HEALTH_MONITOR_LCU_ECC_CORRECTABLE_ERROR": "ecc_correctable",
    "HEALTH_MONITOR_LCU_ECC_UNCORRECTABLE_ERROR": "ecc_uncorrectable",
    "HEALTH_MONITOR_CPU_ECC_ERROR": "cpu_ecc_error",
    "HEALTH_MONITOR_CPU_ECC_FATAL": "cpu_ecc_fatal",
    "HEALTH_MONITOR_CLOCK_CHANGED_EVENT": "clock_changed",
    "THROTTLING_STATE_CHANGE_EVENT": "throttling_state_change",
    "NN_CORE_CRC_ERROR_EVENT": "nn_core_crc_error",
}
# Position of the bits in a notification's body that identify the memory of the chip.
_CLUSTERS = ("health_monitor_lcu_ecc_error_notification", "cluster_error")
_CPU_MEMORIES = ("health_monitor_cpu_ecc_notification", "memory_bitmap")
_MEMORY_ERRORS = {
    "ecc_correctable": _CLUSTERS,
    "ecc_uncorrectable": _CLUSTERS,
    "cpu_ecc_error": _CPU_MEMORIES,
    "cpu_ecc_fatal": _CPU_MEMORIES,
}


@dataclass(frozen=True, slots=True)
class Listener:
    """Listens to one open device.

    Args:
        readings: where announced states are published.
        received: counter with the label `notification`.
        chip_id: label of what is announced.
        logged: what was logged lately: an error that is corrected may come again and again.
    """

    readings: Readings
    received: Counter
    chip_id: str
    logged: LogLimiter

    def attach(self, library: Library, control: Any) -> int:
        """Subscribe to every notification that this line and chip have; returns how many were granted."""
        granted = 0
        for name, label in _LABELS.items():
            notification_id = getattr(library.binding.NotificationId, name, None)
            if notification_id is None:
                continue
            try:
                control.set_notification_callback(self._callback(label), notification_id, None)
            except Exception as failure:  # noqa: BLE001  # a chip without it refuses: 7 on a Hailo-10H
                _log.info("no such notification", extra={"notification": label, "status": code_of(failure)})
                continue
            granted += 1
        return granted

    def _callback(self, label: str) -> Any:
        count = self.received.labels(label).inc

        def on_notification(_: int, notification: Any, __: object) -> None:
            # Called on a native thread: an exception here would end the process.
            try:
                count()
                self._keep(label, notification.body)
            except Exception:  # noqa: BLE001  # see above
                _log.exception("a notification could not be read", extra={"notification": label})

        return on_notification

    def _keep(self, label: str, body: Any) -> None:
        if label == "clock_changed":
            clock = float(body.health_monitor_clock_changed_notification.current_clock)
            self.readings.publish(device.ANNOUNCED_CLOCK, clock, self.chip_id)
        if label in _MEMORY_ERRORS:
            part, bits = _MEMORY_ERRORS[label]
            self._log_memory_error(label, int(getattr(getattr(body, part), bits)))
        if label == "throttling_state_change":
            state = float(int(body.throttling_state_change.new_state))
            self.readings.publish(device.ANNOUNCED_THROTTLING, state, self.chip_id)

    def _log_memory_error(self, label: str, bits: int) -> None:
        where = [number for number in range(bits.bit_length()) if bits >> number & 1]
        if self.logged.is_due(label, str(where)):
            _log.warning(
                "the chip reports an error in its memory",
                extra={"chip_id": self.chip_id, "notification": label, "memories": where},
            )
