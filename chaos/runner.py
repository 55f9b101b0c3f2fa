"""Runs scenarios on a running stack, and records what was detected, what was lost and how soon it recovered."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from time import monotonic, time

from chaos.actions.action import Process, Samples, Testbed
from chaos.examination import Examiner, neighbourhood_of, truth_of
from chaos.scenario import Scenario
from chaos.traffic import Traffic
from chaos.verdict import ScenarioOutcome, judge
from edgeinfer.catalog import gateway as metrics
from edgeinfer.loadgen.records import Records
from edgeinfer.loadgen.sample_source import SampleSource

_LOOK_SECONDS = 0.2
_WARM_UP_SECONDS = 40.0
# Scrape, evaluation and notification come on top of an alert's own times.
ALERT_SLACK_SECONDS = 25.0
_SETTLE_MINUTES = 15.0
# A new Prometheus discovers its targets after five seconds, which no factor shortens, and notifications of resolved
# alerts take a moment to arrive: the steady state begins when neither can disturb it.
QUIET_SECONDS = 10.0
# What they say may be true while nothing is wrong with the service.
_OF_THE_MACHINE = frozenset({"HailoCpuBusy", "HailoMemoryLow"})


class ChaosRunner:
    """Plays one scenario after the other.

    Args:
        testbed: the stack.
        feeds: recordings that the phones send, looped.
        factor: by which the times of the rules are divided.
        slack_seconds: what an alert may take beyond the times of its rules.
        quiet_seconds: how long no alert may be active before the steady state begins.
        clock: monotonic seconds, the same that the receiver uses.
        examiner: asks `diagnose` at the alert and after recovery; None asks nothing.
    """

    def __init__(  # noqa: PLR0913 - each is one choice, by name
        self,
        testbed: Testbed,
        feeds: Sequence[SampleSource],
        *,
        factor: float,
        slack_seconds: float = ALERT_SLACK_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
        clock: Callable[[], float] = monotonic,
        examiner: Examiner | None = None,
    ) -> None:
        self._testbed = testbed
        self._feeds = feeds
        self._factor = factor
        self._slack_seconds = slack_seconds
        self._quiet_seconds = quiet_seconds
        self._clock = clock
        self._examiner = examiner

    async def run(self, scenario: Scenario) -> ScenarioOutcome:
        """Play a scenario from a healthy stack to a healthy stack."""
        outcome = ScenarioOutcome(scenario)
        await self._settle(scenario)
        self._testbed.forget_crashes()
        async with Traffic(self._testbed.gateway_url, self._feeds, self._clock) as traffic:
            if await traffic.wait_until_good(self._clock(), _WARM_UP_SECONDS) is None:
                outcome.violations.append("the stack was not healthy before the fault")
            began, ended = await self._play(scenario, traffic, outcome)
        records = traffic.due_between(began, ended)
        outcome.requests = len(records)
        outcome.requests_lost = sum(not record.is_success for record in records)
        outcome.lost_by_class = dict(Records(records).failures())
        tally = traffic.tally
        outcome.samples = tally.samples
        outcome.samples_lost = max(0, tally.samples - tally.stored_samples) + tally.refused_samples
        judge(outcome)
        return outcome

    async def _settle(self, scenario: Scenario) -> None:
        """Wait until the alerts of the scenario before are over, so that this one's are new.

        A steady-state scenario needs `quiet_seconds` without any other alert.
        """
        own = {scenario.alert, scenario.or_alert, *scenario.further_alerts} - {""}
        give_up = self._clock() + _SETTLE_MINUTES * 60 / self._factor + self._slack_seconds
        disturbed = self._clock()
        while own and self._clock() < give_up:
            known = set(await self._testbed.alerts())
            if known - own - _OF_THE_MACHINE if scenario.is_steady_state else known & own:
                disturbed = self._clock()
            elif not scenario.is_steady_state or self._clock() - disturbed >= self._quiet_seconds:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _play(self, scenario: Scenario, traffic: Traffic, outcome: ScenarioOutcome) -> tuple[float, float]:
        """Play a scenario under traffic; gives when the fault began and when its effects were over."""
        near = neighbourhood_of(scenario.name)
        watched = {Process.GATEWAY, *(counted.process for counted in scenario.counted)}
        if self._examiner:
            await self._examiner.before()
        before = {process: await self._testbed.counters(process) for process in watched}
        began = self._clock()
        async with AsyncExitStack() as undo:
            for action in scenario.actions:
                await undo.enter_async_context(action.applied(self._testbed, traffic))
            outcome.alert_seconds = await self._await_alerts(scenario, began, outcome)
            await asyncio.sleep(max(0.0, began + scenario.min_seconds - self._clock()))
            alert_at = time()
            if self._examiner:
                outcome.answers |= await self._examiner.during(truth_of(scenario.name), near)
            during = {process: await self._testbed.counters(process) for process in watched}
        healed = self._clock()
        recovered = await traffic.wait_until_good(healed, scenario.recovery_seconds)
        if self._examiner:
            outcome.answers |= await self._examiner.after(truth_of(scenario.name), alert_at, near)
        after = {process: await self._testbed.counters(process) for process in watched}
        outcome.fault_seconds = healed - began
        outcome.others = self._others(scenario, began)
        outcome.recovery_seconds = recovered - healed if recovered else None
        looks = {process: (before[process], during[process], after[process]) for process in watched}
        outcome.errors = _errors(looks[Process.GATEWAY])
        outcome.counted = {
            one.title: _growth(looks[one.process], one.metric.name, one.metric.label_names, one.labels)
            for one in scenario.counted
        }
        return began, recovered or self._clock()

    async def _await_alerts(self, scenario: Scenario, began: float, outcome: ScenarioOutcome) -> float | None:
        """Seconds until the scenario's alert was there, None if it never was; further ones are recorded."""
        if not scenario.alert:
            return None
        rules_seconds = scenario.alert_minutes * 60 / self._factor
        outcome.alert_limit_seconds = rules_seconds + scenario.fixed_seconds + self._slack_seconds
        give_up = began + outcome.alert_limit_seconds
        if scenario.seen_in_prometheus:
            return await self._await_in_prometheus(scenario.alert, began, give_up)
        # The alert that always fires arrived before.
        since = -math.inf if scenario.is_steady_state else began
        names = {scenario.alert, scenario.or_alert}
        found = await self._testbed.receiver.wait_for(names, since, give_up - self._clock())
        outcome.alert = found.name if found else scenario.alert
        for name in scenario.further_alerts:
            further = await self._testbed.receiver.wait_for({name}, began, max(0.0, give_up - self._clock()))
            outcome.further_seconds[name] = further.at - began if further else None
        return max(0.0, found.at - began) if found else None

    async def _await_in_prometheus(self, alert: str, began: float, give_up: float) -> float | None:
        while self._clock() < give_up:
            if (await self._testbed.alerts()).get(alert) == "firing":
                return self._clock() - began
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    def _others(self, scenario: Scenario, since: float) -> tuple[str, ...]:
        arrivals = self._testbed.receiver.arrivals
        names = {one.name for one in arrivals if one.status == "firing" and one.at >= since}
        return tuple(sorted(names - {scenario.alert, *scenario.further_alerts} - _OF_THE_MACHINE))


def _errors(looks: Sequence[Samples]) -> dict[str, int]:
    name = metrics.INFERENCE_ERRORS.name
    growth = Counter[str]()
    for key in {key for samples in looks for key in samples if key[0] == name}:
        growth[dict(key[1])["error_type"]] += round(_increase(looks, key))
    return {error_type: count for error_type, count in sorted(growth.items()) if count > 0}


def _growth(looks: Sequence[Samples], name: str, names: Sequence[str], labels: Iterable[str]) -> int:
    wanted = {(label, value) for label, value in zip(names, labels, strict=True) if value}
    keys = {key for samples in looks for key in samples if key[0] == name and wanted <= set(key[1])}
    return round(sum(_increase(looks, key) for key in keys))


def _increase(looks: Sequence[Samples], key: tuple[str, tuple[tuple[str, str], ...]]) -> float:
    """By how much a counter grew between two readings; one that fell was reset in between and counts from 0.

    A process that could not be scraped is skipped.
    """
    values = [samples.get(key, 0.0) for samples in looks if samples]
    return sum(value - before if value >= before else value for before, value in pairwise(values))
