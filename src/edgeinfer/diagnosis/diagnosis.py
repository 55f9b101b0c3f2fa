"""A diagnosis as data: what is wrong, since when, why, what else was considered, what it cost, and what to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edgeinfer.diagnosis.cost import Cost
from edgeinfer.diagnosis.judge import Judgement, Seen
from edgeinfer.diagnosis.symptoms import Symptom
from edgeinfer.diagnosis.unusual import Unusual
from edgeinfer.monitoring.causes.commands import Way, command


class Verdict(StrEnum):
    """What it comes to."""

    WELL = "well"  # nothing is wrong
    FOUND = "found"  # something is wrong, and why is known
    UNKNOWN = "unknown"  # something is wrong, and no cause fits
    UNSEEN = "unseen"  # too little could be seen to say


class Certainty(StrEnum):
    """How sure a cause is."""

    CERTAIN = "certain"  # all evidence was seen and holds, and nothing that looks alike fits as well
    LIKELY = "likely"  # all evidence holds, and something that looks alike could not be ruled out
    POSSIBLE = "possible"  # what could be seen fits, and some could not be seen


@dataclass(frozen=True, slots=True)
class RemedyStep:
    """One thing to do.

    Args:
        says: an imperative sentence.
        command: for the way this stack runs; empty where there is nothing to type.
    """

    says: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause.

    Args:
        name: of its entry.
        title: what has happened.
        certainty: how sure it is.
        service: the job in whose neighbourhood it lies.
        since: seconds since 1970; None where that is not known.
        evidence: what was found, a sentence each.
        explains: the alerts that it explains.
        steps: what to do.
        is_over: whether it has ended, and only alerts that look back still show it.
    """

    name: str
    title: str
    certainty: Certainty
    service: str
    since: float | None
    evidence: tuple[str, ...]
    explains: tuple[str, ...]
    steps: tuple[RemedyStep, ...]
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Considered:
    """A cause that it is not, and why."""

    name: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything that is said about one moment.

    Args:
        moment: seconds since 1970.
        verdict: what it comes to.
        headline: the first line.
        findings: causes, the most urgent first.
        possible: causes that fit as far as they could be seen.
        considered: causes that it is not.
        unexplained: alerts that no cause explains.
        unusual: signals outside of their last day, where something is unexplained.
        cost: of the time since it began; None where nothing is wrong.
        rests_on: what a "nothing is wrong" rests on.
        unseen: what could not be seen.
        seconds: that the diagnosis took.
    """

    moment: float
    verdict: Verdict
    headline: str
    findings: tuple[Finding, ...] = ()
    possible: tuple[Finding, ...] = ()
    considered: tuple[Considered, ...] = ()
    unexplained: tuple[Symptom, ...] = ()
    unusual: tuple[Unusual, ...] = ()
    cost: Cost | None = None
    rests_on: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def since(self) -> float | None:
        """When the earliest of it began."""
        found = [one.since for one in (*self.findings, *self.possible)] + [one.since for one in self.unexplained]
        return min((since for since in found if since is not None), default=None)

    def as_document(self) -> dict[str, Any]:
        """As `--json` and the console have it: times in seconds since 1970, `null` where nothing was found."""
        return {
            "moment": self.moment,
            "verdict": self.verdict,
            "headline": self.headline,
            "since": self.since,
            "findings": [_document(one) for one in self.findings],
            "possible": [_document(one) for one in self.possible],
            "considered": [{"name": one.name, "title": one.title, "reason": one.reason} for one in self.considered],
            "unexplained": [
                {"alert": one.name, "service": one.service, "since": one.since, "firing": one.is_firing}
                for one in self.unexplained
            ],
            "unusual": [one.as_document() for one in self.unusual],
            "cost": self.cost.as_document() if self.cost else None,
            "rests_on": list(self.rests_on),
            "unseen": list(self.unseen),
            "seconds": round(self.seconds, 3),
        }


def _document(one: Finding) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "certainty": one.certainty,
        "service": one.service,
        "since": one.since,
        "evidence": list(one.evidence),
        "explains": list(one.explains),
        "is_over": one.is_over,
        "steps": [{"says": step.says, "command": step.command} for step in one.steps],
    }


def finding(one: Judgement, certainty: Certainty, way: Way, folder: str, pids: dict[str, int | None]) -> Finding:
    """A judged cause as it is shown.

    Args:
        one: what was found for it.
        certainty: how sure it is.
        way: how the stack runs, which decides about the commands.
        folder: its data folder.
        pids: of its processes, where they are known.
    """
    steps = [
        RemedyStep(
            action.says,
            command(action.verb, action.process, way, folder=folder, pid=pids.get(action.process))
            if action.verb
            else action.command.replace("{folder}", folder),
        )
        for action in one.cause.remedy
    ]
    return Finding(
        name=one.cause.name,
        title=one.cause.title,
        certainty=certainty,
        service=one.cause.service,
        since=min((symptom.since for symptom in one.explains if symptom.since is not None), default=None),
        evidence=(
            *(part.says for part in one.observations if part.seen is Seen.HOLDS),
            *(f"it is not certain, because {part.says}" for part in one.doubts),
        ),
        explains=tuple(symptom.name for symptom in one.explains),
        steps=tuple(steps),
    )
