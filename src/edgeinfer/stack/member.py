"""A process of the stack with its history: what state it is in, since when, and how it ended."""

import signal
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from edgeinfer.stack.plan import ProcessSpec
from edgeinfer.stack.process import Child


class ProcessState(StrEnum):
    """Where a process stands."""

    PLANNED = "planned"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing_off"
    FINISHED = "finished"
    GAVE_UP = "gave_up"
    STOPPED = "stopped"


@dataclass(slots=True)
class Member:
    """One process with its history."""

    plan: ProcessSpec
    log: Path
    state: ProcessState = ProcessState.PLANNED
    child: Child | None = None
    started_at: float = 0.0
    reported_at: float = 0.0
    start_again_at: float = 0.0
    crashes_in_a_row: int = 0
    restarts: int = 0
    was_ready: bool = False
    is_suspended: bool = False
    log_begin: int = 0
    fault: str = ""
    reported_failures: set[str] = field(default_factory=set)

    @property
    def pid(self) -> int | None:
        """Of the living process."""
        return self.child.pid if self.child and self.state in (ProcessState.STARTING, ProcessState.READY) else None

    @property
    def failure(self) -> str:
        """Why it does not work now, in a word or two; empty where it works."""
        if self.is_suspended:
            return "suspended"
        if self.state is ProcessState.GAVE_UP:
            return "given up for now"
        return (
            "restarting"
            if self.state is ProcessState.BACKING_OFF or (self.restarts and self.state is ProcessState.STARTING)
            else ""
        )


def how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
