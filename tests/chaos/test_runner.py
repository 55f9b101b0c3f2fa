"""A scenario is played, its alert awaited, its losses counted, and judged."""

import asyncio
import sys
import time
from dataclasses import replace

import pytest

from chaos import traffic
from chaos.actions.hardware import Device
from chaos.runner import ChaosRunner
from chaos.scenario import Scenario, error
from chaos.traffic import Traffic
from chaos.verdict import ScenarioOutcome, as_table, judge
from chaos.webhook import Arrival
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.recordings.reader import load_recording
from tests.chaos.fake_testbed import FakeTestbed, until
from tests.loadgen.fake_gateway import FakeGateway, serving

A_FAULT = Scenario(
    name="a-fault",
    does="Something.",
    actions=(Device("hot"),),
    counted=(error("timeout"),),
    alert="Down",
    min_seconds=1,
)


@pytest.fixture(autouse=True)
def many_analyses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten good answers in a row, twice in each test, come in tenths of a second."""
    monkeypatch.setattr(traffic, "_OPEN", replace(traffic._OPEN, process_per_second=40.0))


async def played(
    testbed: FakeTestbed, scenario: Scenario = A_FAULT, quiet_seconds: float = 0.2, slack_seconds: float = 0.5
) -> ScenarioOutcome:
    feeds = [SampleSource(load_recording(name), loop=True) for name in ("walking-upper-leg", "walking-lower-leg")]
    async with serving(testbed.gateway) as url, testbed.receiver:
        testbed.gateway_url = url
        runner = ChaosRunner(testbed, feeds, factor=10_000, slack_seconds=slack_seconds, quiet_seconds=quiet_seconds)
        return await runner.run(scenario)


async def test_a_scenario_that_passes_has_no_violations(testbed: FakeTestbed) -> None:
    testbed.alert_on_fault = "Down"
    outcome = await played(testbed)
    assert outcome.violations == []
    assert outcome.errors == {"timeout": 7}
    assert outcome.requests > 0
    assert outcome.samples > 0
    assert outcome.recovery_seconds is not None
    assert testbed.gateway.sessions == {}
    assert testbed.crashes_forgotten == 1  # those of the scenario before, which minutes would separate


async def test_an_analysis_that_is_shed_is_asked_again_and_not_lost(testbed: FakeTestbed) -> None:
    testbed.alert_on_fault = "Down"
    testbed.gateway.refuse = [(503, "overloaded")] * 2
    assert (await played(testbed)).requests_lost == 0


async def test_an_alert_that_does_not_arrive_is_reported_and_what_arrived_instead(testbed: FakeTestbed) -> None:
    assert (await played(testbed)).violations == ["Down did not arrive within 1 s"]
    testbed.alert_on_fault = "Slow"
    assert (await played(testbed)).violations == ["Down did not arrive within 1 s (arrived: Slow)"]


STEADY = replace(A_FAULT, actions=(), counted=(), alert="Watchdog", is_steady_state=True)


async def test_a_steady_state_knows_the_heartbeat_from_before_and_shows_every_other_alert(testbed: FakeTestbed) -> None:
    testbed.receiver.arrivals.append(Arrival(0.0, "Watchdog", "firing", "none"))
    assert (await played(testbed, STEADY)).violations == []
    testbed.receiver.arrivals.append(Arrival(sys.float_info.max, "Down", "firing", "critical"))
    testbed.receiver.arrivals.append(Arrival(sys.float_info.max, "Up", "resolved", "critical"))
    assert (await played(testbed, STEADY)).violations == ["Down arrived although nothing was wrong"]


async def test_a_steady_state_begins_when_no_alert_was_known_for_a_while(testbed: FakeTestbed) -> None:
    async def start_up() -> None:
        # As a new Prometheus does: first it knows of nothing, then it misses targets that it has not looked for yet.
        await asyncio.sleep(0.1)
        testbed.known_alerts["Missing"] = "pending"
        await asyncio.sleep(1.7)
        del testbed.known_alerts["Missing"]
        # The notification is still on its way.
        await asyncio.sleep(1.4)
        testbed.receiver.arrivals.append(Arrival(time.monotonic(), "Missing", "firing", "critical"))

    testbed.receiver.arrivals.append(Arrival(0.0, "Watchdog", "firing", "none"))
    starting = asyncio.create_task(start_up())
    steady = replace(STEADY, min_seconds=4.0)
    assert (await played(testbed, steady, quiet_seconds=2.0, slack_seconds=10.0)).violations == []
    await starting


async def test_without_the_heartbeat_there_is_no_steady_state(testbed: FakeTestbed) -> None:
    assert (await played(testbed, STEADY)).violations == ["Watchdog did not arrive within 1 s"]


async def test_the_alert_that_holds_another_back_may_arrive_in_its_place(testbed: FakeTestbed) -> None:
    testbed.alert_on_fault = "Gone"
    outcome = await played(testbed, replace(A_FAULT, or_alert="Gone"))
    assert outcome.violations == []
    assert outcome.as_document()["alert"] == "Gone"


async def test_a_further_alert_must_arrive_too(testbed: FakeTestbed) -> None:
    testbed.alert_on_fault = "Down"
    outcome = await played(testbed, replace(A_FAULT, further_alerts=("Drift",)))
    assert outcome.violations == ["Drift did not arrive within 1 s"]
    assert "Down 0" not in as_table([outcome])
    assert "Drift never" in as_table([outcome])


@pytest.mark.parametrize(("state", "violations"), [("firing", []), ("pending", ["Down did not arrive within 1 s"])])
async def test_an_alert_can_be_looked_for_in_prometheus(
    testbed: FakeTestbed, state: str, violations: list[str]
) -> None:
    scenario = replace(A_FAULT, seen_in_prometheus=True)
    feeds = [SampleSource(load_recording("walking-upper-leg"), loop=True)]
    async with serving(testbed.gateway) as url, testbed.receiver:
        testbed.gateway_url = url
        runner = ChaosRunner(testbed, feeds, factor=10_000, slack_seconds=0.5 if violations else 30)
        playing = asyncio.create_task(runner.run(scenario))
        await until(lambda: testbed.device == ["hot"])
        testbed.known_alerts["Down"] = state
        outcome = await playing
    assert outcome.violations == violations


async def test_users_who_are_quiet_ask_nothing_and_lose_nothing() -> None:
    gateway = FakeGateway()
    feeds = [SampleSource(load_recording("walking-upper-leg"), loop=True)]
    async with serving(gateway) as url, Traffic(url, feeds) as users:
        await until(lambda: users.tally.samples > 0)
        users.pause()
        await asyncio.sleep(0.2)
        samples, answered = users.tally.samples, len(users.arrived)
        await asyncio.sleep(0.6)
        assert (users.tally.samples, len(users.arrived)) == (samples, answered)
        users.resume()
        await until(lambda: users.tally.samples > samples and len(users.arrived) > answered)
    assert users.tally.stored_samples == users.tally.samples


def an_outcome(**given: object) -> ScenarioOutcome:
    outcome = ScenarioOutcome(A_FAULT, requests=100, samples=1000, alert_seconds=3.0, recovery_seconds=1.0)
    outcome.counted = {"timeout": 5}
    for name, value in given.items():
        setattr(outcome, name, value)
    judge(outcome)
    return outcome


def test_whatever_is_not_as_expected_is_reported() -> None:
    assert an_outcome().passed
    assert an_outcome(counted={"timeout": 0}).violations == ["timeout was not counted"]
    lost = an_outcome(requests_lost=2, lost_by_class={"timeout": 2})
    assert lost.violations == ["2 of 100 requests were lost (timeout 2)"]
    assert an_outcome(samples_lost=25).violations == ["25 samples were lost"]
    assert an_outcome(recovery_seconds=None).violations == ["sidecars did not answer again within 35 s"]
    assert not an_outcome(alert_seconds=None).passed


def test_requests_may_be_lost_where_the_scenario_says_so() -> None:
    outcome = ScenarioOutcome(replace(A_FAULT, lost_requests=0.5), requests=100, requests_lost=50, recovery_seconds=1.0)
    outcome.alert_seconds = 1.0
    judge(outcome)
    assert outcome.passed


def test_the_table_has_a_line_for_each_scenario_and_shows_violations() -> None:
    table = as_table([an_outcome(), an_outcome(samples_lost=25)])
    assert "a-fault: 25 samples were lost" in table
    assert "1 of 2 scenarios passed" in table
    assert table.count("Down 3.0 s") == 2
