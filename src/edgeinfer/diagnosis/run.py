"""Makes a diagnosis: reads what there is to read, weighs every cause, and adds up the cost."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from edgeinfer.diagnosis import judge
from edgeinfer.diagnosis.cost import read_cost
from edgeinfer.diagnosis.diagnosis import Certainty, Considered, Diagnosis, Finding, Verdict, finding
from edgeinfer.diagnosis.judge import Fit, Judgement
from edgeinfer.diagnosis.machine import Facts, look_at_clock
from edgeinfer.diagnosis.symptoms import ACTIVE, SINCE, Symptom, active_symptoms
from edgeinfer.diagnosis.unusual import read_unusual
from edgeinfer.diagnosis.view import Asks, Series, View, ask, newest_scrape, unchanged
from edgeinfer.errors import MonitoringError
from edgeinfer.monitoring.causes import all_causes
from edgeinfer.monitoring.causes.cause import Cause
from edgeinfer.monitoring.causes.commands import USUAL_FOLDER, Way
from edgeinfer.monitoring.causes.facts import Fact

_SHOWN_CONSIDERED = 5
_FRESH_SECONDS = 60.0
_UP = "up"
# Begins what is said of measurements that could not be read.
_MEASUREMENTS = "measurements: "
_RULES = "count(ALERTS{alertname='Watchdog', alertstate='firing'})"


async def no_look() -> Facts:
    """For a moment in the past: the machine of then cannot be looked at."""
    return Facts()


@dataclass
class Diagnostician:
    """Makes diagnoses of one stack.

    Args:
        prometheus: whom to ask.
        look: looks at the machine, for diagnoses of now.
        way: how the stack runs.
        folder: its data folder.
        pids: of its processes, where they are known.
        causes: the entries; all of them if not given.
        rewrite: applied to each expression, for rules whose times were divided.
        later_seconds: after an alert's condition first held; by then scrapes have seen what makes a rate.
        clock: seconds since 1970.
    """

    prometheus: Asks
    look: Callable[[], Awaitable[Facts]] = no_look
    way: Way = Way.UP
    folder: Path = Path(USUAL_FOLDER)
    pids: Callable[[], dict[str, int | None]] = dict
    causes: Sequence[Cause] = ()
    rewrite: Callable[[str], str] = unchanged
    later_seconds: float = 15.0
    clock: Callable[[], float] = time.time

    @cached_property
    def _entries(self) -> Sequence[Cause]:
        return self.causes or all_causes()

    @cached_property
    def _expressions(self) -> list[str]:
        evidence = [one for cause in self._entries for one in (*cause.evidence, *cause.unless, *cause.doubts)]
        return [*(one.expression for one in evidence if one.expression), ACTIVE, SINCE, _UP, _RULES]

    async def diagnose(self, at: float | None = None, since: float | None = None) -> Diagnosis:
        """What is, or was, wrong.

        Args:
            at: a moment in the past, in seconds since 1970; None is now, for which the machine is looked at as well.
            since: from when on the cost is counted; None is when it began.
        """
        began = self.clock()
        view = await self._view(at, began)
        symptoms = active_symptoms(view.series.get(ACTIVE, ()), view.series.get(SINCE, ()))
        judgements = [judge.judge(cause, view, symptoms) for cause in self._entries]
        found = await self._newest_first(judge.roots(judgements), view)
        maybe = judge.possible(judgements, found)
        left = judge.unexplained(symptoms, (*found, *maybe))
        over = await self._over(left, view, judgements)
        left = judge.unexplained(left, over)
        diagnosis = Diagnosis(
            moment=view.moment,
            verdict=_verdict(view, (*found, *over), maybe, left),
            headline="",
            findings=(
                *(self._shown(one, _certainty(one, judgements, maybe)) for one in found),
                *(replace(self._shown(one, Certainty.LIKELY), is_over=True) for one in over),
            ),
            possible=tuple(self._shown(one, Certainty.POSSIBLE) for one in maybe),
            considered=tuple(
                Considered(one.cause.name, one.cause.title, one.reason)
                for one in judge.considered(judgements, (*found, *maybe))[:_SHOWN_CONSIDERED]
            ),
            unexplained=tuple(left),
            rests_on=_rests_on(view),
            unseen=view.unseen,
        )
        diagnosis = await self._with_figures(diagnosis, since)
        return replace(diagnosis, headline=headline(diagnosis), seconds=self.clock() - began)

    async def _view(self, at: float | None, now: float) -> View:
        moment = now if at is None else at
        look = self.look if at is None else no_look
        facts, (series, newest, fault), clock = await asyncio.gather(
            look(), self._measurements(moment), self._look_at_clock(at, now)
        )
        unseen = list(facts.unseen)
        if clock:
            facts.found["machine.clock"] = clock
        if at is not None:
            unseen.append("the machine itself can be looked at only now, not at that moment")
        if clock and clock.value != "right":  # what is stored of this moment is of another one
            unseen.append(f"{_MEASUREMENTS}{clock.detail}")
            series, newest = {}, None
        elif fault:
            unseen.append(f"{_MEASUREMENTS}{fault}")
        elif newest is None:
            unseen.append(f"{_MEASUREMENTS}Prometheus has none of that moment")
            series = {}
        elif moment - newest > _FRESH_SECONDS:
            unseen.append(f"{_MEASUREMENTS}the newest are {moment - newest:.0f} s older than that moment")
        elif not series.get(_RULES):
            unseen.append("alerts: Prometheus evaluates no rule of ours; the one that always fires does not")
        return View(moment, series, facts.found, tuple(unseen), newest)

    async def _look_at_clock(self, at: float | None, now: float) -> Fact | None:
        """Whether measurements lie ahead of this machine's clock; None of the past, or without an answer."""
        if at is not None:
            return None
        try:
            stored = await self.prometheus.newest_stored()
        except MonitoringError:
            return None
        return look_at_clock(stored, now) if stored else None

    async def _measurements(self, moment: float) -> tuple[dict[str, tuple[Series, ...]], float | None, str]:
        try:
            newest = await newest_scrape(self.prometheus, moment)
        except MonitoringError as failure:
            return {}, None, f"{failure.thing}: {failure.fault}"
        series, fault = await ask(self.prometheus, self._expressions, moment, self.rewrite)
        return series, newest, fault

    async def _over(self, left: Sequence[Symptom], view: View, judgements: Sequence[Judgement]) -> list[Judgement]:
        """What was the cause when alerts began that nothing of now explains: they look back on it.

        What still looks the same, and is ruled out now, was not it then.
        """
        found: list[Judgement] = []
        causes = [one.cause for one in judgements if one.status is not Fit.RULED_OUT]
        for began in sorted({one.since for one in left if one.since is not None and one.is_firing}):
            still = judge.unexplained(left, found)
            if view.series and any(one.since == began for one in still):
                series, _ = await ask(
                    self.prometheus, self._expressions, min(view.moment, began + self.later_seconds), self.rewrite
                )
                then = View(began, series)
                found += judge.roots([judge.judge(cause, then, still) for cause in causes])
        return found

    async def _newest_first(self, found: list[Judgement], view: View) -> list[Judgement]:
        """Of several, those of which the last moments still show the evidence come first."""
        evidence = {part.evidence.expression for one in found for part in one.observations} - {""}
        newest = {newest for one in evidence if (newest := judge.newest_only(one)) != one}
        if len(found) == 1 or not (newest and view.series):
            return found
        series, _ = await ask(self.prometheus, sorted(newest), view.moment, self.rewrite)
        return judge.with_newest(found, View(view.moment, series))

    def _shown(self, one: Judgement, certainty: Certainty) -> Finding:
        return finding(one, certainty, self.way, str(self.folder), self.pids())

    async def _with_figures(self, diagnosis: Diagnosis, since: float | None) -> Diagnosis:
        start = since or diagnosis.since
        if diagnosis.verdict is Verdict.WELL or start is None:
            return diagnosis
        cost = await read_cost(self.prometheus, start, diagnosis.moment, self.rewrite)
        if not diagnosis.unexplained:
            return replace(diagnosis, cost=cost)
        unusual = await read_unusual(self.prometheus, diagnosis.moment, self.rewrite)
        return replace(diagnosis, cost=cost, unusual=unusual)


def headline(diagnosis: Diagnosis) -> str:
    """The first line: what the person on call reads."""
    if diagnosis.findings:
        first, more = diagnosis.findings[0], len(diagnosis.findings) - 1
        unsure = "" if first.certainty is Certainty.CERTAIN else f" ({first.certainty})"
        unsure = " (it has ended)" if first.is_over else unsure
        return f"{first.title}{unsure}" + (f", and {more} more" if more else "")
    if diagnosis.possible:
        return f"{diagnosis.possible[0].title} ({Certainty.POSSIBLE}: not all of it could be seen)"
    if diagnosis.unexplained:
        names = ", ".join(one.name for one in diagnosis.unexplained[:3])
        return f"Something is wrong, and no known cause fits: {names}"
    if diagnosis.verdict is Verdict.UNSEEN:
        return "Too little could be seen to say whether something is wrong"
    return "Nothing is wrong"


def _verdict(view: View, found: Sequence[Judgement], maybe: Sequence[Judgement], left: Sequence[Symptom]) -> Verdict:
    if found or maybe:
        return Verdict.FOUND
    if left:
        return Verdict.UNKNOWN
    is_measured = view.newest is not None and view.moment - view.newest <= _FRESH_SECONDS
    is_whole = not any(one.startswith(_MEASUREMENTS) for one in view.unseen)
    return Verdict.WELL if is_measured and is_whole and view.series.get(_RULES) else Verdict.UNSEEN


def _certainty(one: Judgement, judgements: Sequence[Judgement], maybe: Sequence[Judgement]) -> Certainty:
    """A look-alike that fits as well, or that could not be ruled out, makes it likely only; so does a doubt.

    A trend is never more than likely.
    """
    if one.doubts or one.cause.is_trend:
        return Certainty.LIKELY
    alike = set(one.cause.confused_with)
    matched = {
        other.cause.name
        for other in judgements
        if other.status is Fit.MATCHED and other.is_shown and not one.cause.brings_about(other.cause)
    }
    open_ones = {other.cause.name for other in maybe}
    unseen = {
        other.cause.name
        for other in judgements
        if other.status is Fit.POSSIBLE or (other.status is Fit.UNSEEN and other.cause.brings_about(one.cause))
    }
    return Certainty.LIKELY if alike & (open_ones | unseen | matched) else Certainty.CERTAIN


def _rests_on(view: View) -> tuple[str, ...]:
    """What was seen, so that a reader knows what "nothing is wrong" is worth."""
    said = []
    up = view.series.get(_UP, ())
    if up:
        said.append(f"{sum(one.value == 1 for one in up)} of {len(up)} targets answer Prometheus")
    if view.series.get(_RULES):
        said.append("the rules are evaluated: the alert that always fires does, and no other")
    if view.newest is not None:
        said.append(f"the newest measurement is {max(0.0, view.moment - view.newest):.0f} s old")
    well = sorted(name.partition(".")[0] for name, fact in view.facts.items() if fact.value == "well")
    if well:
        said.append(f"asked directly, these answer: {', '.join(well)}")
    return tuple(said)
