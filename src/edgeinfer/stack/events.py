"""What the stack reports while it runs: one event each, for people and for programs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EventKind(StrEnum):
    """What happened."""

    NOTE = "note"
    WARNING = "warning"
    FETCHING = "fetching"
    STARTING = "starting"
    WAITING = "waiting"
    READY = "ready"
    FINISHED = "finished"
    CRASHED = "crashed"
    GAVE_UP = "gave_up"
    DAMAGED = "damaged"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Args:
        kind: what a program looks at.
        message: what a person reads, one line.
        details: names and figures for programs.
    """

    kind: EventKind
    message: str
    details: Mapping[str, object] = field(default_factory=dict)


EventHandler = Callable[[Event], None]
