"""Asks `diagnose` while a fault lasts and after it, and counts how often it named the true cause."""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from time import monotonic, time
from typing import Any

import aiohttp

from chaos.scenario import Scenario
from chaos.scenarios import SCENARIOS
from chaos.scenarios.unforeseen import NEIGHBOURHOODS
from chaos.time_compression import compress_expression
from chaos.true_causes import PAIRS, TRUE_CAUSES
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.diagnosis.diagnosis import Certainty, Diagnosis, Verdict
from edgeinfer.diagnosis.machine import look
from edgeinfer.diagnosis.places import Stack
from edgeinfer.diagnosis.run import Diagnostician, no_look
from edgeinfer.monitoring.causes import all_causes
from edgeinfer.monitoring.causes.cause import Cause

_FIRST_THREE = 3
_SCRAPE_SECONDS = 1.0
# Evidence that looks back over a minute or two: so many seconds are left of it, in which an open circuit tries a call.
_SHORT_RANGES, _SHORT_SECONDS = ("[1m]", "[2m]"), 16
# A cause of the machine that plays the scenarios is not a mistake.
_OF_THE_MACHINE = frozenset({"processor-busy", "memory-low", "disk-fills"})
_PAIR_SECONDS = 10.0
_LATER_SECONDS = 3.0


class Grade(StrEnum):
    """How good an answer was."""

    FIRST = "first"  # a true cause is named first
    AMONG_THREE = "first three"  # it is the second or the third
    NEAR = "neighbourhood"  # asked without its entry: a consequence or another cause of the same service is named
    UNKNOWN = "unknown"  # no cause is named, and that is said
    WRONG = "wrong"  # another cause is named, and none of the true ones among the first three


class Question(StrEnum):
    """When, and knowing what, it is asked."""

    DURING = "at the alert"
    AFTER = "after recovery, of the moment of the alert"
    RECOVERED = "after recovery, of now"
    WITHOUT_ENTRY = "at the alert, without the entry of the cause"


@dataclass(frozen=True, slots=True)
class GradedAnswer:
    """What was answered to a question.

    Args:
        grade: how good it was.
        named: causes in their order, with how sure each was.
        services: of what was named or left unexplained.
        seconds: that it took.
        load: tasks that wanted the processor when it was asked, as a mean of the last minute.
    """

    grade: Grade
    named: tuple[tuple[str, Certainty], ...]
    services: tuple[str, ...]
    seconds: float
    load: float = 0.0

    @property
    def is_wrong_with_certainty(self) -> bool:
        """Whether what is named first is not true, and is said to be certain."""
        return self.grade is Grade.WRONG and bool(self.named) and self.named[0][1] is Certainty.CERTAIN

    def as_document(self) -> dict[str, Any]:
        """The answer as a JSON object."""
        return {
            "grade": self.grade,
            "named": self.named,
            "services": self.services,
            "seconds": round(self.seconds, 3),
            "load": round(self.load, 1),
            "is_wrong_with_certainty": self.is_wrong_with_certainty,
        }


def answer_of(document: Mapping[str, Any]) -> GradedAnswer:
    """The answer that a JSON object of `GradedAnswer.as_document` holds."""
    return GradedAnswer(
        Grade(document["grade"]),
        tuple((name, Certainty(certainty)) for name, certainty in document["named"]),
        tuple(document["services"]),
        document["seconds"],
        document["load"],
    )


def graded(
    diagnosis: Diagnosis,
    truth: Sequence[str],
    lingering: frozenset[str] = frozenset(),
    neighbourhood: Sequence[str] = (),
) -> GradedAnswer:
    """How good an answer is; of a scenario without a fault, only "nothing is wrong" is right.

    Args:
        diagnosis: what was answered.
        truth: the true causes.
        lingering: causes that were named before the fault already.
        neighbourhood: services near which a fault lies that no cause was written for; "unknown" is right then.
    """
    found = [(one.name, one.certainty) for one in (*diagnosis.findings, *diagnosis.possible)]
    found = [one for one in found if one[0] not in _OF_THE_MACHINE | lingering or one[0] in truth]
    counted = [one for one in (*diagnosis.findings, *diagnosis.possible) if (one.name, one.certainty) in found]
    services = {one.service for one in counted} | {one.service for one in diagnosis.unexplained}
    if neighbourhood:
        grade = _unforeseen(diagnosis, [one.service for one in counted], services, neighbourhood)
        return GradedAnswer(grade, tuple(found), tuple(sorted(services)), diagnosis.seconds)
    names = [name for name, _ in found]
    if names[:1] and names[0] in truth:
        grade = Grade.FIRST
    elif set(truth) & set(names[:_FIRST_THREE]):
        grade = Grade.AMONG_THREE
    elif names:
        grade = Grade.WRONG
    else:
        is_right = not truth and (diagnosis.verdict is not Verdict.UNKNOWN or lingering)
        grade = Grade.FIRST if is_right else Grade.UNKNOWN
    return GradedAnswer(grade, tuple(found), tuple(sorted(services)), diagnosis.seconds)


def _unforeseen(
    diagnosis: Diagnosis, named: Sequence[str], services: Collection[str], neighbourhood: Sequence[str]
) -> Grade:
    if named:
        return Grade.NEAR if named[0] in neighbourhood else Grade.WRONG
    is_blind = diagnosis.verdict is Verdict.UNSEEN or any(one.startswith("alerts: ") for one in diagnosis.unseen)
    return Grade.UNKNOWN if is_blind or set(services) & set(neighbourhood) else Grade.WRONG


class Examiner:
    """Asks about one stack.

    Args:
        http: an open client session.
        stack: gives the stack as it is at that moment.
        factor: by which the times of its rules are divided.
        is_quick: whether only the moment of the alert is asked about.
    """

    def __init__(
        self, http: aiohttp.ClientSession, stack: Callable[[], Stack], factor: float, *, is_quick: bool = False
    ) -> None:
        self._http = http
        self._stack = stack
        self._factor = factor
        self._is_quick = is_quick
        self._entries = tuple(all_causes())
        self._lingering = frozenset[str]()
        self._over_at = -math.inf

    async def before(self) -> None:
        """Before the fault: what scenarios before it have left is not counted against the answers.

        What is left of minutes as evidence is waited for, as the minutes between two failures would let it pass.
        """
        if not self._is_quick:
            await asyncio.sleep(max(0.0, self._over_at + _SHORT_SECONDS - monotonic()))
        self._lingering = frozenset[str]()
        self._lingering = frozenset(name for name, _ in (await self._ask((), self._entries)).named)

    async def during(self, truth: Sequence[str], neighbourhood: Sequence[str] = ()) -> dict[Question, GradedAnswer]:
        """At the alert: with all entries, and with those of the true causes left out."""
        found = {Question.DURING: await self._ask(truth, self._entries, near=neighbourhood)}
        if truth and not self._is_quick:
            left = tuple(one for one in self._entries if one.name not in truth)
            found[Question.WITHOUT_ENTRY] = self._near(await self._ask(truth, left), truth)
        return found

    def _near(self, answer: GradedAnswer, truth: Sequence[str]) -> GradedAnswer:
        known = {one.name: one for one in self._entries}
        if answer.grade is not Grade.WRONG:
            return answer
        named = known[answer.named[0][0]]
        is_near = any(known[name].brings_about(named) or known[name].service == named.service for name in truth)
        return replace(answer, grade=Grade.NEAR) if is_near else answer

    async def after(
        self, truth: Sequence[str], alert_at: float, neighbourhood: Sequence[str] = ()
    ) -> dict[Question, GradedAnswer]:
        """After recovery: of the moment of the alert, and of now, when nothing but what has ended may be named."""
        if self._is_quick:
            return {}
        self._over_at = monotonic()
        then = await self._ask(truth, self._entries, at=alert_at, near=neighbourhood)
        now = await self._ask(truth, self._entries)
        if now.grade is Grade.UNKNOWN:  # nothing is named, and nothing is wrong any more
            now = replace(now, grade=Grade.FIRST)
        return {Question.AFTER: then, Question.RECOVERED: now}

    async def _ask(
        self, truth: Sequence[str], entries: Sequence[Cause], at: float | None = None, near: Sequence[str] = ()
    ) -> GradedAnswer:
        stack = self._stack()
        scale = self._factor
        diagnostician = Diagnostician(
            Prometheus(self._http, stack.url("prometheus"), timeout_seconds=10),
            partial(look, self._http, stack) if at is None else no_look,
            causes=entries,
            rewrite=lambda text: _compressed(text, scale) if scale > 1 else text,
            later_seconds=max(_LATER_SECONDS, 15 / scale),
            clock=time,
        )
        load = os.getloadavg()[0]
        return replace(graded(await diagnostician.diagnose(at), truth, self._lingering, near), load=load)


@asynccontextmanager
async def examiner(stack: Callable[[], Stack], factor: float, *, is_quick: bool) -> AsyncIterator[Examiner]:
    """An examiner with a session of its own."""
    async with aiohttp.ClientSession() as http:
        yield Examiner(http, stack, factor, is_quick=is_quick)


def _compressed(expression: str, factor: float) -> str:
    for text in _SHORT_RANGES:
        expression = expression.replace(text, f"[{_SHORT_SECONDS * factor:.0f}s]")
    return compress_expression(expression, factor, _SCRAPE_SECONDS)


def pairs() -> tuple[Scenario, ...]:
    """Two scenarios at once, as one; the later alert is waited for."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    return tuple(_paired(known[first], known[second]) for first, second in PAIRS)


def truth_of(name: str) -> tuple[str, ...]:
    """The true causes of a scenario, or of a pair."""
    return tuple(cause for part in name.split("+") for cause in TRUE_CAUSES.get(part, ()))


def neighbourhood_of(name: str) -> tuple[str, ...]:
    """Services near which a fault lies that no cause was written for; none for every other scenario."""
    return NEIGHBOURHOODS.get(name, ())


def _paired(first: Scenario, second: Scenario) -> Scenario:
    later, earlier = (first, second) if first.alert_minutes > second.alert_minutes else (second, first)
    return replace(
        later,
        name=f"{first.name}+{second.name}",
        does=f"{first.does} {second.does}",
        actions=(*first.actions, *second.actions),
        counted=(),
        or_alert=earlier.alert,
        further_alerts=(),
        lost_requests=1.0,
        recovery_seconds=60.0,
        min_seconds=max(first.min_seconds, second.min_seconds, _PAIR_SECONDS),
        needs_chip=first.needs_chip or second.needs_chip,
        is_slow=True,
    )
