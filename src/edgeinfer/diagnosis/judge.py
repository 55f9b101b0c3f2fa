"""Weighs each cause against what was read: rules that a person can follow, without weights."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from edgeinfer.diagnosis.symptoms import Symptom, urgency
from edgeinfer.diagnosis.view import View
from edgeinfer.monitoring.causes.cause import Cause, Evidence
from edgeinfer.monitoring.causes.signs import WINDOW

_LEAST_URGENT = 99
# Three scrapes: the least in which a counter can be seen to grow.
_LAST_MOMENTS = "[15s]"
_FIELD = re.compile(r"\{(\w+)\}")
# With its placeholder goes what cannot be said without it: ", {value} a second" or ": {found}".
_CLAUSE = re.compile(r"[,:]?\s*(?:\b(?:of|to|for|last)\s)?\{\w+\}[^,]*")


class Seen(StrEnum):
    """Whether an observation could be made, and how it came out."""

    HOLDS = "holds"
    FAILS = "fails"
    UNSEEN = "unseen"


class Fit(StrEnum):
    """What became of a cause."""

    MATCHED = "matched"  # all of its evidence holds
    POSSIBLE = "possible"  # some holds, and the rest could not be seen
    REFUTED = "refuted"  # some of its evidence does not hold
    RULED_OUT = "ruled out"  # some evidence contradicts it
    UNSEEN = "unseen"  # nothing of it could be seen


@dataclass(frozen=True, slots=True)
class Observation:
    """One piece of evidence as it was found.

    Args:
        evidence: of the cause's entry.
        seen: whether it holds.
        says: the sentence with its values; without them where it does not hold.
        by_fact: whether a look at the machine showed it.
    """

    evidence: Evidence
    seen: Seen
    says: str
    by_fact: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """A cause with all that was found for and against it.

    Args:
        cause: its entry.
        status: what became of it.
        observations: its evidence.
        against: what holds and rules it out.
        doubts: what holds and leaves it likely only.
        explains: the active alerts that it explains.
        lasts: whether all of its evidence still happened within the last moments.
    """

    cause: Cause
    status: Fit
    observations: tuple[Observation, ...]
    against: tuple[Observation, ...]
    explains: tuple[Symptom, ...]
    doubts: tuple[Observation, ...] = ()
    lasts: bool = True

    @property
    def reason(self) -> str:
        """Why it is not the cause, or what could not be seen; empty for one that matched."""
        if self.status is Fit.RULED_OUT:
            return self.against[0].says
        if self.status is Fit.REFUTED:
            return "no sign that " + next(one.says for one in self.observations if one.seen is Seen.FAILS)
        unseen = [one.says for one in self.observations if one.seen is Seen.UNSEEN]
        return "could not be seen: " + "; ".join(unseen) if unseen else ""

    @property
    def firing(self) -> frozenset[str]:
        """The alerts that fire and that it explains."""
        return frozenset(symptom.name for symptom in self.explains if symptom.is_firing)

    @property
    def is_felt_failure(self) -> bool:
        """Whether something has failed, and an alert fires for it or nothing but itself can show it."""
        return bool(self.firing or self.cause.shows_itself) and not self.cause.is_trend

    @property
    def is_shown(self) -> bool:
        """Whether it is reported: something is wrong that it explains, or the machine itself shows it."""
        shown_by_machine = any(one.by_fact and one.seen is Seen.HOLDS for one in self.observations)
        return bool(self.explains or not self.cause.alerts or self.cause.shows_itself or shown_by_machine)


def observe(evidence: Evidence, view: View) -> Observation:
    """Whether an observation holds: measurement or machine, either is enough."""
    seen = Seen.UNSEEN
    if evidence.expression and evidence.expression in view.series:
        series = view.series[evidence.expression]
        if series:
            strongest = max(series, key=lambda one: one.value)
            values = {**strongest.labels, "value": f"{strongest.value:.3g}"}
            return Observation(evidence, Seen.HOLDS, _fill(evidence.says, values))
        seen = Seen.UNSEEN if evidence.is_missed else Seen.FAILS
    for wanted in evidence.facts:
        found = view.facts.get(wanted.subject)
        if found is None:
            continue
        if found.value in wanted.values:
            text = _fill(evidence.says, {"found": found.detail or found.value})
            return Observation(evidence, Seen.HOLDS, text, by_fact=True)
        seen = Seen.FAILS
    return Observation(evidence, seen, _fill(evidence.says, {}))


def judge(cause: Cause, view: View, symptoms: Sequence[Symptom]) -> Judgement:
    observations = tuple(observe(one, view) for one in cause.evidence)
    against, doubts = _holding(cause.unless, view), _holding(cause.doubts, view)
    explains = tuple(one for one in symptoms if one.name in cause.alerts)
    return Judgement(cause, _status(observations, against), observations, against, explains, doubts)


def _holding(evidence: Iterable[Evidence], view: View) -> tuple[Observation, ...]:
    return tuple(found for one in evidence if (found := observe(one, view)).seen is Seen.HOLDS)


def roots(judgements: Iterable[Judgement]) -> list[Judgement]:
    """What matched, without the consequences of what matched as well; the most urgent first.

    A consequence that shows in an alert which its cause does not explain is a finding of its own.
    """
    matched = [one for one in judgements if one.status is Fit.MATCHED and one.is_shown]
    found = [one for one in matched if not any(_covers(other, one) for other in matched)]
    return ranked(found or matched)


def ranked(found: Sequence[Judgement]) -> list[Judgement]:
    """The order in which they are read: see `_rank`."""
    return sorted(found, key=lambda one: _rank(one, found))


def newest_only(expression: str) -> str:
    """What a minute's evidence is of the last moments alone."""
    return expression.replace(f"[{WINDOW}]", _LAST_MOMENTS)


def with_newest(found: Sequence[Judgement], view: View) -> list[Judgement]:
    """In the order that also knows which of them still last.

    Args:
        found: what matched.
        view: holds the answers to their evidence as `newest_only` has it.
    """
    return ranked([replace(one, lasts=all(_lasts(part, view) for part in one.observations)) for one in found])


def _lasts(one: Observation, view: View) -> bool:
    return one.by_fact or bool(view.series.get(newest_only(one.evidence.expression), (True,)))


def _covers(cause: Judgement, other: Judgement) -> bool:
    names = {symptom.name for symptom in cause.explains}
    return cause.cause.brings_about(other.cause) and names.issuperset(symptom.name for symptom in other.explains)


def possible(judgements: Iterable[Judgement], found: Sequence[Judgement]) -> list[Judgement]:
    """What fits as far as it could be seen, the most urgent first.

    What would have brought about something that is ruled out is not it.
    """
    judged = list(judgements)
    ruled_out = [one.cause for one in judged if one.status is Fit.RULED_OUT]
    fits = [
        one
        for one in judged
        if one.status is Fit.POSSIBLE and one.explains and not any(map(one.cause.brings_about, ruled_out))
    ]
    return sorted(
        (one for one in fits if not any(root.cause.brings_about(one.cause) for root in found)),
        key=lambda one: _rank(one, fits),
    )


def considered(judgements: Iterable[Judgement], found: Sequence[Judgement]) -> list[Judgement]:
    """What looks like the found and is not, and what explains a symptom and does not fit.

    The look-alikes of what was found come first, then those of which the most holds.
    """
    similar = {name for one in found for name in one.cause.confused_with}
    rest = [
        one
        for one in judgements
        if one.status in (Fit.REFUTED, Fit.RULED_OUT) and (one.explains or one.cause.name in similar)
    ]
    rest = [one for one in rest if one.cause.name in similar or _share(one)]
    return sorted(rest, key=lambda one: (one.cause.name not in similar, -_share(one), one.cause.name))


def unexplained(symptoms: Iterable[Symptom], found: Iterable[Judgement]) -> list[Symptom]:
    """Alerts that none of the found causes explains."""
    explained = {symptom.name for one in found for symptom in one.explains}
    return [one for one in symptoms if one.name not in explained]


def _share(one: Judgement) -> float:
    return sum(part.seen is Seen.HOLDS for part in one.observations) / len(one.observations)


def _rank(one: Judgement, among: Sequence[Judgement]) -> tuple[bool, int, bool, int, int, float, str]:
    """First what alone explains the most urgent alerts; what several explain says little about each.

    Of two that are as urgent, the one without a doubt.
    """
    is_aside = any(_goes_before(other, one) for other in among)
    shared = {symptom.name for other in among if other is not one for symptom in other.explains}
    alone = [symptom for symptom in one.explains if symptom.name not in shared]
    since = min((symptom.since for symptom in one.explains if symptom.since is not None), default=float("inf"))
    return is_aside, _worst(alone), bool(one.doubts), _worst(one.explains), -len(one.explains), since, one.cause.name


def _goes_before(other: Judgement, one: Judgement) -> bool:
    """A failure that is felt goes before a trend, and what lasts before what is over and would explain the same.

    A failure that is in doubt goes by its urgency alone: it may be no more than that doubt.
    """
    if one.cause.is_trend:
        return other.is_felt_failure and not other.doubts
    return other.lasts and not one.lasts and not other.cause.is_trend and not one.firing.isdisjoint(other.firing)


def _worst(symptoms: Iterable[Symptom]) -> int:
    """Urgency of the most urgent one; what is only pending comes after everything that fires."""
    return min(
        (urgency(symptom.severity) + (0 if symptom.is_firing else _LEAST_URGENT) for symptom in symptoms),
        default=2 * _LEAST_URGENT,
    )


def _status(observations: Sequence[Observation], against: Sequence[Observation]) -> Fit:
    seen = {one.seen for one in observations}
    if Seen.FAILS in seen:
        return Fit.REFUTED
    if against:
        return Fit.RULED_OUT
    if seen == {Seen.HOLDS}:
        return Fit.MATCHED
    return Fit.POSSIBLE if Seen.HOLDS in seen else Fit.UNSEEN


def _fill(says: str, values: Mapping[str, str]) -> str:
    """The sentence with its values; where one is not known, without the words that belong to it."""
    if all(name in values for name in _FIELD.findall(says)):
        return _FIELD.sub(lambda found: values[found[1]], says)
    return _CLAUSE.sub("", says).strip() or "anything was found"
