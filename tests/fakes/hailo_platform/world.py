"""What every class of one build shares: the machine and the exceptions of its version."""

from dataclasses import dataclass
from typing import Any

from tests.fakes.hailo_platform.machine import Chip, Machine
from tests.fakes.hailo_platform.statuses import Statuses


@dataclass(frozen=True)
class World:
    """One machine as one version of the library sees it."""

    machine: Machine
    statuses: Statuses
    hef: Any = None
    """The `HEF` of this build."""
    device: Any = None
    """The `Device` of this build."""

    def step(self, call: str) -> None:
        """A call that the library wraps; fails if the machine says so."""
        outcome = self.machine.outcome_of(call)
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is not None:
            self.statuses.fail(outcome)

    def step_raw(self, call: str) -> None:
        """A call that the library does not wrap."""
        outcome = self.machine.outcome_of(call)
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is not None:
            self.statuses.fail_raw(outcome)

    def opening_status(self, chip: Chip) -> int | None:
        """Why this chip cannot be opened by this library, if it cannot."""
        if self.machine.driver_version != self.machine.version:
            return 76
        is_new_chip = chip.architecture == "HAILO10H"
        return 79 if is_new_chip == self.machine.is_old_line else None
