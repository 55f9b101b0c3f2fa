"""What every class of one build shares: the machine and the exceptions of its version."""

import os
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

    def say(self, sentence: str) -> None:
        """HailoRT 4.23: errors go to standard error from native code, and each level that hands one on adds a line."""
        if sentence:
            lines = (sentence, "CHECK_SUCCESS failed with status=HAILO_INTERNAL_FAILURE(8)", "Failed creating HEF")
            os.write(2, "".join(f"[HailoRT] [error] {line}\n" for line in lines).encode())

    def opening_status(self, chip: Chip) -> int | None:
        """Why this chip cannot be opened by this library, if it cannot."""
        driver, library = self.machine.driver_version, self.machine.version
        if driver != library:
            self.say(f"Driver version ({driver}) is different from library version ({library})")
            return 76
        is_new_chip = chip.architecture == "HAILO10H"
        return 79 if is_new_chip == self.machine.is_old_line else None
