"""The shape of a cause: the symptoms that it explains, its evidence for and against, and what to do."""

import re
from dataclasses import dataclass

from edgeinfer.monitoring.causes.commands import PROCESSES, Verb
from edgeinfer.monitoring.causes.facts import FactIs

_NAME = re.compile(r"[a-z][a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation, and where it can be made; measurements and the machine may both show it.

    Args:
        says: the observation as a sentence without its full stop; "{value}" is the measured value, "{job}" and other
            labels are the measured series', "{found}" is what the look at the machine found in words.
        expression: PromQL that has a series where it holds; empty where no measurement shows it.
        facts: findings of a look at the machine, each of which shows it.
        is_missed: whether measurements miss it at times: that they do not show it says nothing then.
    """

    says: str
    expression: str = ""
    facts: tuple[FactIs, ...] = ()
    is_missed: bool = False

    def __post_init__(self) -> None:
        if not (self.expression or self.facts):
            raise ValueError(f"{self.says!r}: give an expression or a fact, or nobody can see whether it holds")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    Args:
        says: an imperative sentence.
        command: shell command that is the same for each way to run the stack; "{folder}" is the data folder.
        verb: what is done to `process`, for a command that differs by the way to run the stack.
        process: a key of `commands.PROCESSES`.
    """

    says: str
    command: str = ""
    verb: Verb | None = None
    process: str = ""

    def __post_init__(self) -> None:
        if bool(self.verb) != bool(self.process) or (self.process and self.process not in PROCESSES):
            raise ValueError(f"{self.says!r}: a verb needs a process, one of {', '.join(PROCESSES)}")
        if self.verb and self.command:
            raise ValueError(f"{self.says!r}: either a verb or a command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause; the diagnosis, the runbook pages and the reference page come from it.

    Args:
        name: in words with dashes.
        title: what has happened, as a sentence without its full stop.
        alerts: the symptoms that it explains, those of its consequences included.
        evidence: all of it holds.
        unless: none of it holds; each is the reason by which the cause is ruled out.
        doubts: where one of these holds, the cause is likely only: the same could have come of something else.
        remedy: what to do, in this order.
        service: the job in whose neighbourhood it lies.
        confused_with: causes that look alike; what distinguishes them is in `evidence` and `unless`.
        leads_to: causes that this one brings about, which are then no findings of their own.
        follows_from: causes that bring this one about; the same, said by the consequence.
        shows_itself: whether its evidence alone is reported, although no alert fires for it.
        is_trend: whether its evidence is a change against the past or a forecast, and no failure; what people do
            changes it too, so that it is likely only, and comes after causes of which a failure is seen.
    """

    name: str
    title: str
    service: str
    alerts: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    remedy: tuple[Action, ...]
    unless: tuple[Evidence, ...] = ()
    doubts: tuple[Evidence, ...] = ()
    confused_with: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()
    follows_from: tuple[str, ...] = ()
    shows_itself: bool = False
    is_trend: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not the name of a cause: lower case, with dashes")
        if not (self.evidence and self.remedy):
            raise ValueError(f"{self.name}: give evidence and remedy; a cause without one helps nobody")

    def brings_about(self, other: "Cause") -> bool:
        """Whether the other is a consequence of this one, by either entry."""
        return other.name in self.leads_to or self.name in other.follows_from
