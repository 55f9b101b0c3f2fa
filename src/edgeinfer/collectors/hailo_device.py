"""Every chip that HailoRT finds: which there are, who they are, and what their sensors say."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from edgeinfer.catalog import device
from edgeinfer.collectors.base import MAX_IDLE_SECONDS, NothingToRead, SourceFault
from edgeinfer.collectors.context import CollectorContext
from edgeinfer.collectors.hailo_sensors import Sensor, sensors
from edgeinfer.collectors.hailo_session import ChipSession, SessionReadings
from edgeinfer.errors import BackendError
from edgeinfer.hailort.driver import read_driver_facts
from edgeinfer.hailort.failures import code_of
from edgeinfer.hailort.library import Library
from edgeinfer.metrics.instruments import InfoMetric, counter, info

# Importing a library that is not there costs milliseconds each time, and it seldom appears.
_LOAD_AGAIN_SECONDS = 60.0
_FRESH_TURNS = 3


def create(context: CollectorContext) -> "HailoDeviceCollector":
    sources = context.sources
    notifications = counter(device.NOTIFICATIONS_RECEIVED, context.registry)
    return HailoDeviceCollector(
        context.load_library,
        sensors(measure_power=sources.measure_power),
        interval_seconds=sources.interval_seconds,
        outputs=SessionReadings(
            context.readings, context.sensor_errors, notifications, sources.clock, sources.wall_clock
        ),
        identities=info(device.DEVICE_INFO, [], context.registry),
        kernel_root=sources.kernel_root,
    )


class HailoDeviceCollector:
    """Reads the chips; HailoRT's control calls hold the interpreter, so this belongs in a process of its own.

    Args:
        load: imports the HailoRT library.
        sensors: what to read of each chip.
        interval_seconds: time between two turns.
        outputs: where to publish.
        identities: the info metric of the chips.
        kernel_root: below which /sys and /dev lie; they distinguish a machine without a chip from one whose chip
            cannot be read.
    """

    name = "hailo_device"

    def __init__(  # noqa: PLR0913  # each is a separate seam
        self,
        load: Callable[[], Library],
        sensors: tuple[Sensor, ...],
        *,
        interval_seconds: float,
        outputs: SessionReadings,
        identities: InfoMetric,
        kernel_root: Path,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._load = load
        self._sensors = sensors
        self._outputs = outputs
        self._identities = identities
        self._kernel_root = kernel_root
        self._library: Library | None = None
        self._load_at = 0.0
        self._load_failure = ""
        self._sessions: dict[str, ChipSession] = {}
        self._present: frozenset[str] = frozenset()

    def collect(self) -> None:
        """Scan, then give each chip its turn.

        Raises:
            NothingToRead: the machine has no chip.
            SourceFault: there is a chip, and there is no library, the scan failed or finds none, or one does not
                answer.
        """
        library = self._loaded()
        present = self._scan(library)
        self._end_what_is_gone(present)
        silent = [chip_id for chip_id in present if not self._turn(library, chip_id)]
        self._show_identities()
        if not present:
            self._refuse("HailoRT's scan finds no device")
        if silent:
            raise SourceFault("failed", f"no answer from {', '.join(silent)}")

    def close(self) -> None:
        """Release every chip; safe to call twice."""
        for session in self._sessions.values():
            session.end()
        self._sessions.clear()

    def _loaded(self) -> Library:
        if self._library is None:
            if self._outputs.clock() < self._load_at:
                self._refuse(self._load_failure)
            try:
                self._library = self._load()
            except BackendError as failure:
                self._load_at = self._outputs.clock() + _LOAD_AGAIN_SECONDS
                self._load_failure = str(failure)
                self._refuse(self._load_failure)
        return self._library

    def _refuse(self, why: str) -> NoReturn:
        """Say that no chip can be read: an error, unless there is none."""
        if self._sessions:
            raise SourceFault("failed", f"{why}; before there was {', '.join(sorted(self._sessions))}")
        facts = read_driver_facts(self._kernel_root)
        seen = [*(f"{chip.chip} at {chip.address}" for chip in facts.pci), *(str(node.path) for node in facts.nodes)]
        if seen:
            raise SourceFault("failed", f"{why}, and the kernel shows {', '.join(seen)}")
        raise NothingToRead(why)

    def _scan(self, library: Library) -> list[str]:
        try:
            present = library.scan()
        except Exception as failure:  # the raw exception of 4.x derives from nothing narrower
            self._outputs.readings.withdraw(device.DEVICES_FOUND)
            for session in self._sessions.values():
                session.end()
                session.refuse()
            self._show_identities()
            raise SourceFault("failed", f"HailoRT's scan failed with status {code_of(failure)}: {failure}") from failure
        # With nothing to read, the next turn may be as far away as that.
        pace = self.interval_seconds if present or self._sessions else max(self.interval_seconds, MAX_IDLE_SECONDS)
        self._outputs.readings.publish_for(_FRESH_TURNS * pace, device.DEVICES_FOUND, float(len(present)))
        return present

    def _end_what_is_gone(self, present: list[str]) -> None:
        for chip_id, session in self._sessions.items():
            if chip_id not in present:
                session.end()
                session.refuse()
            elif chip_id not in self._present:
                session.allow_reopening()
        self._present = frozenset(present)

    def _turn(self, library: Library, chip_id: str) -> bool:
        if chip_id not in self._sessions:
            self._sessions[chip_id] = ChipSession(chip_id, self._sensors, self.interval_seconds, self._outputs)
        session = self._sessions[chip_id]
        answers = session.turn(library)
        if not answers:
            session.refuse()
        return answers

    def _show_identities(self) -> None:
        self._identities.replace(
            [
                (
                    session.chip_id,
                    session.identity.architecture,
                    session.identity.board_name,
                    session.identity.firmware_version,
                    session.identity.serial_number,
                    session.identity.part_number,
                    session.identity.product_name,
                )
                for session in self._sessions.values()
                if session.identity is not None
            ]
        )
