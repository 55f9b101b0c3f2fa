"""What an inspection of the machine can find: each subject with its closed set of values."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgeinfer.monitoring.causes.commands import PROCESSES

_ASPECTS: Mapping[str, tuple[str, ...]] = {
    # The process as the stack's record, systemd or the kernel know it.
    "process": ("running", "suspended", "missing", "restarting", "ended"),
    # What its address answers.
    "answer": ("well", "refused", "silent", "failing", "foreign"),
    # Its open files and connections against its own limit.
    "open_files": ("left", "used_up"),
    # The largest file that it may write.
    "file_size": ("unlimited", "limited"),
    # What the last lines of its log say.
    "log": ("nothing", "out_of_memory", "configuration"),
}
_MACHINE: Mapping[str, tuple[str, ...]] = {
    "machine.disk": ("left", "low", "full"),
    "machine.memory": ("left", "low"),
    "machine.processor": ("left", "overloaded"),
    "machine.kernel_log": ("nothing", "killed_for_memory"),
    "machine.clock": ("right", "behind_measurements"),
    "machine.folder": ("there", "missing"),
}


def known_facts() -> dict[str, tuple[str, ...]]:
    """Each subject, such as "sidecar.process", and the values that it can have."""
    of_processes = {f"{process}.{aspect}": values for process in PROCESSES for aspect, values in _ASPECTS.items()}
    return of_processes | dict(_MACHINE)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a look at the machine found.

    Args:
        value: one of the subject's closed set.
        detail: in words, such as "process 812 has been suspended"; empty where the value says all.
    """

    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FactIs:
    """A subject has one of these values.

    Raises:
        ValueError: a subject or a value that no look at the machine gives.
    """

    subject: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        known = known_facts().get(self.subject)
        if known is None:
            raise ValueError(f"{self.subject!r} is not a fact; known are {', '.join(known_facts())}")
        if strange := set(self.values) - set(known):
            raise ValueError(f"{self.subject} never is {min(strange)!r}; it is one of {', '.join(known)}")


def fact(subject: str, *values: str) -> FactIs:
    """A subject has one of these values."""
    return FactIs(subject, values)
