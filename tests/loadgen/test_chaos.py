import asyncio
import os
import resource
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import numpy as np
import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from edgeinfer.catalog.labels import CONTRACT_CHECKS, INFERENCE_ERROR_TYPES
from edgeinfer.catalog.metric import Kind
from edgeinfer.loadgen.actions import Samples, actions
from edgeinfer.loadgen.chaos import ChaosRunner
from edgeinfer.loadgen.faults import NO_FAULT, Fault, FaultKind
from edgeinfer.loadgen.foreign import foreign_server
from edgeinfer.loadgen.proxy import FaultyProxy
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.loadgen.scenario import Scenario, error
from edgeinfer.loadgen.scenarios import SCENARIOS
from edgeinfer.loadgen.steps import (
    STORE_DAMAGE,
    BreakMonitoring,
    ClientFlood,
    ClockStep,
    CpuStress,
    DamageStore,
    Device,
    Flap,
    Freeze,
    Inject,
    Kill,
    KillLoop,
    LimitResource,
    MonitoringFault,
    NoTraffic,
    Process,
    RaspberryPiCondition,
    Resource,
    RestartWithMemoryLimit,
    StartWith,
    Step,
    TakePort,
    TrainLink,
)
from edgeinfer.loadgen.traffic import Traffic
from edgeinfer.loadgen.verdict import Outcome, as_table, judge
from edgeinfer.loadgen.webhook import Arrival, WebhookReceiver
from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.recordings.reader import load_recording
from edgeinfer.stack.ports import PortPool
from tests.fakes.chip_service import STATES, become
from tests.fakes.hailo_platform.machine import Chip, Machine
from tests.loadgen.fake_gateway import FakeGateway, serving


@dataclass
class FakeStage:
    """A testbed whose only process is one that waits for input, and whose gateway is the fake one."""

    gateway: FakeGateway = field(default_factory=FakeGateway)
    gateway_url: str = ""
    pid: int | None = None
    port: int = 9
    held: list[Process] = field(default_factory=list)
    caps: list[int | None] = field(default_factory=list)
    device: list[str] = field(default_factory=list)
    environments: list[dict[str, str]] = field(default_factory=list)
    boards: list[int] = field(default_factory=list)
    links: list[int | None] = field(default_factory=list)
    clocks: list[int] = field(default_factory=list)
    blinded: list[MonitoringFault | None] = field(default_factory=list)
    known_alerts: dict[str, str] = field(default_factory=dict)
    sidecar_url: str = "http://127.0.0.1:9"
    sessions_folder: Path = field(default_factory=Path)
    fails: int = 0
    alert_on_fault: str = ""
    proxy: FaultyProxy = field(default_factory=lambda: FaultyProxy("127.0.0.1", 9))
    receiver: WebhookReceiver = field(default_factory=WebhookReceiver)

    def pid_of(self, process: Process) -> int | None:
        return self.pid

    def port_of(self, process: Process) -> int:
        return self.port

    def hold_down(self, process: Process) -> None:
        self.held.append(process)

    def let_up(self, process: Process) -> None:
        self.held = [one for one in self.held if one is not process]

    def cap_starts(self, process: Process, megabytes: int | None) -> None:
        self.caps.append(megabytes)

    async def counters(self, process: Process) -> Samples:
        return {("hailo_inference_errors_total", (("error_type", "timeout"),)): float(self.fails)}

    def start_with(self, process: Process, environment: Mapping[str, str]) -> None:
        self.environments.append(dict(environment))

    async def alerts(self) -> dict[str, str]:
        return self.known_alerts

    async def set_raspberry_pi(self, word: int) -> None:
        self.boards.append(word)

    async def set_link(self, generation: int | None) -> None:
        self.links.append(generation)

    async def set_clock(self, seconds: int) -> None:
        self.clocks.append(seconds)

    async def blind(self, how: MonitoringFault | None) -> None:
        self.blinded.append(how)

    async def set_device(self, state: str) -> None:
        """Any state is one in which calls time out and the gateway falls back."""
        self.device.append(state)
        self.gateway.source = "fallback" if state else "sidecar"
        self.fails += 7 * bool(state)
        if state and self.alert_on_fault:
            self.receiver.arrivals.append(Arrival(sys.float_info.max, self.alert_on_fault, "firing", "critical"))


@dataclass
class FakeUsers:
    """Users that only record whether they are paused."""

    may_speak: bool = True

    def pause(self) -> None:
        self.may_speak = False

    def resume(self) -> None:
        self.may_speak = True


USERS = FakeUsers()


@pytest.fixture
async def testbed() -> AsyncIterator[FakeStage]:
    # It answers once, so that it is loaded and maps no more memory; then it waits for input that never comes.
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"loaded\n")
    assert await process.stdout.readline() == b"loaded\n"
    yield FakeStage(pid=process.pid)
    if process.returncode is None:
        process.kill()
    await process.wait()


DEAD = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(1500):
        if is_so():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it never came to be")


def status_of(pid: int | None) -> str:
    try:
        return psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


async def test_a_frozen_process_goes_on_afterwards(testbed: FakeStage) -> None:
    async with actions(testbed, Freeze(Process.SIDECAR), USERS):
        await until(lambda: status_of(testbed.pid) == psutil.STATUS_STOPPED)
    await until(lambda: status_of(testbed.pid) != psutil.STATUS_STOPPED)


async def test_a_killed_process_is_held_down_until_the_fault_ends(testbed: FakeStage) -> None:
    async with actions(testbed, Kill(Process.GATEWAY), USERS):
        assert testbed.held == [Process.GATEWAY]
        await until(lambda: status_of(testbed.pid) in DEAD)
    assert testbed.held == []


async def test_a_foreign_server_has_the_port_of_a_process_until_the_fault_ends(testbed: FakeStage) -> None:
    testbed.port = PortPool().take(1)[0]
    async with aiohttp.ClientSession() as http:
        async with actions(testbed, TakePort(Process.EXPORTER), USERS):
            assert testbed.held == [Process.EXPORTER]
            await until(lambda: status_of(testbed.pid) in DEAD)
            async with http.get(f"http://127.0.0.1:{testbed.port}/metrics") as answer:
                assert answer.status == 200
                assert "node_exporter_build_info" in await answer.text()
        assert testbed.held == []
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"http://127.0.0.1:{testbed.port}/metrics")


async def test_a_foreign_server_waits_until_the_port_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as before:
        port = before.getsockname()[1]
        begun = asyncio.ensure_future(foreign_server(port).__aenter__())
        await asyncio.sleep(0.1)
        assert not begun.done()
    await asyncio.wait_for(begun, 10)


async def test_a_process_that_starts_starved_is_killed_and_capped_until_the_fault_ends(testbed: FakeStage) -> None:
    async with actions(testbed, RestartWithMemoryLimit(Process.SIDECAR, megabytes=64), USERS):
        await until(lambda: status_of(testbed.pid) in DEAD)
        assert testbed.caps == [64]
    assert testbed.caps == [64, None]


async def test_a_process_is_killed_again_whenever_it_is_back(testbed: FakeStage) -> None:
    async with actions(testbed, KillLoop(Process.SIDECAR), USERS):
        await until(lambda: status_of(testbed.pid) in DEAD)


@pytest.mark.parametrize("kind", list(Resource))
async def test_a_starved_process_gets_its_limit_back(testbed: FakeStage, kind: Resource) -> None:
    assert testbed.pid is not None
    number = {
        Resource.MEMORY: resource.RLIMIT_AS,
        Resource.OPEN_FILES: resource.RLIMIT_NOFILE,
        Resource.FILE_SIZE: resource.RLIMIT_FSIZE,
    }[kind]
    before = resource.prlimit(testbed.pid, number)
    async with actions(testbed, LimitResource(Process.SIDECAR, kind, amount=4096), USERS):
        assert resource.prlimit(testbed.pid, number)[0] == 4096
    assert resource.prlimit(testbed.pid, number) == before


async def test_a_process_can_be_held_to_what_it_uses_now(testbed: FakeStage) -> None:
    assert testbed.pid is not None
    async with actions(testbed, LimitResource(Process.SIDECAR, Resource.MEMORY), USERS):
        assert resource.prlimit(testbed.pid, resource.RLIMIT_AS)[0] == psutil.Process(testbed.pid).memory_info().vms


async def test_a_fault_of_the_proxy_and_of_the_chip_end_with_the_step(testbed: FakeStage) -> None:
    fault = Fault(FaultKind.RESET)
    async with actions(testbed, Inject(fault), USERS):
        assert testbed.proxy.fault is fault
    assert testbed.proxy.fault is NO_FAULT
    async with actions(testbed, Device("hot"), USERS):
        pass
    assert testbed.device == ["hot", ""]


async def test_a_process_is_started_again_with_other_settings_and_then_with_its_own(testbed: FakeStage) -> None:
    async with actions(testbed, StartWith(Process.SIDECAR, (("A", "b"),)), USERS):
        await until(lambda: status_of(testbed.pid) in DEAD)
        assert testbed.environments == [{"A": "b"}]
    assert testbed.environments == [{"A": "b"}, {}]
    assert testbed.held == []


async def test_a_bit_of_the_store_is_another_one_when_the_gateway_starts_again(
    testbed: FakeStage, tmp_path: Path
) -> None:
    testbed.sessions_folder = tmp_path
    (tmp_path / "live-00000007.log").write_bytes(b"\0" * 9)
    testbed.pid = None
    (tmp_path / "damaged").mkdir()
    async with actions(testbed, DamageStore(), USERS):
        assert (tmp_path / "live-00000007.log").read_bytes() == b"\0\0\0\0\1\0\0\0\0"
        assert testbed.held == []
    assert not (tmp_path / "damaged").exists()


async def test_users_are_quiet_until_the_step_ends(testbed: FakeStage) -> None:
    users = FakeUsers()
    async with actions(testbed, NoTraffic(), users):
        assert not users.may_speak
    assert users.may_speak


async def test_the_clock_and_the_monitoring_are_right_again_afterwards(testbed: FakeStage) -> None:
    async with (
        actions(testbed, ClockStep(-3600), USERS),
        actions(testbed, BreakMonitoring(MonitoringFault.RULE_FAILING), USERS),
    ):
        assert (testbed.clocks, testbed.blinded) == ([-3600], [MonitoringFault.RULE_FAILING])
    assert (testbed.clocks, testbed.blinded) == ([-3600, 0], [MonitoringFault.RULE_FAILING, None])


async def test_a_board_complains_until_the_step_ends(testbed: FakeStage) -> None:
    async with actions(testbed, RaspberryPiCondition(0x5), USERS):
        assert testbed.boards == [0x5]
    assert testbed.boards == [0x5, 0]


async def test_a_link_is_as_fast_as_it_can_be_afterwards(testbed: FakeStage) -> None:
    async with actions(testbed, TrainLink(1), USERS):
        assert testbed.links == [1]
    assert testbed.links == [1, None]


async def test_a_flapping_chip_is_well_in_the_end(testbed: FakeStage) -> None:
    async with actions(testbed, Flap("hot", bad_seconds=0.01, well_seconds=0.01), USERS):
        await until(lambda: testbed.device[:4] == ["hot", "", "hot", ""])
    assert testbed.device[-1] == ""


async def test_a_crowd_asks_the_sidecar_and_leaves_with_the_step(testbed: FakeStage) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/infer", answer)
    async with TestServer(app) as server:
        testbed.sidecar_url = f"http://127.0.0.1:{server.port}"
        async with actions(testbed, ClientFlood(callers=3), USERS):
            await until(lambda: len(asked) > 10)
        await asyncio.sleep(0.2)  # what was under way arrives
        count = len(asked)
        await asyncio.sleep(0.2)
        assert len(asked) == count
    assert np.shape(asked[0]["x"]) == (100, 9)


async def test_a_crowd_does_not_mind_that_nobody_answers(testbed: FakeStage) -> None:
    async with actions(testbed, ClientFlood(callers=2), USERS):
        await asyncio.sleep(0.05)


async def test_a_busy_machine_is_left_in_peace_afterwards(testbed: FakeStage) -> None:
    async with actions(testbed, CpuStress(), USERS):
        spinning = psutil.Process().children()
        assert sum("while True" in " ".join(one.cmdline()) for one in spinning) == os.cpu_count()
    assert not any("while True" in " ".join(one.cmdline()) for one in psutil.Process().children())


async def test_steps_on_a_process_that_is_not_there_do_nothing(testbed: FakeStage) -> None:
    own, testbed.pid = testbed.pid, None
    steps: list[Step] = [
        Freeze(Process.SIDECAR),
        Kill(Process.SIDECAR),
        LimitResource(Process.SIDECAR, Resource.MEMORY),
    ]
    for step in steps:
        async with actions(testbed, step, USERS):
            pass
    assert own is not None
    os.kill(own, signal.SIG_DFL)


A_FAULT = Scenario(
    name="a-fault",
    does="Something.",
    steps=(Device("hot"),),
    counted=(error("timeout"),),
    alert="Down",
    min_seconds=1,
)


async def played(
    testbed: FakeStage, scenario: Scenario = A_FAULT, quiet_seconds: float = 0.2, slack_seconds: float = 0.5
) -> Outcome:
    feeds = [SampleSource(load_recording(name), loop=True) for name in ("walking-upper-leg", "walking-lower-leg")]
    async with serving(testbed.gateway) as url, testbed.receiver:
        testbed.gateway_url = url
        runner = ChaosRunner(testbed, feeds, factor=10_000, slack_seconds=slack_seconds, quiet_seconds=quiet_seconds)
        return await runner.run(scenario)


async def test_a_scenario_that_goes_as_demanded_has_no_complaints(testbed: FakeStage) -> None:
    testbed.alert_on_fault = "Down"
    outcome = await played(testbed)
    assert outcome.complaints == []
    assert outcome.errors == {"timeout": 7}
    assert outcome.requests > 0
    assert outcome.samples > 0
    assert outcome.recovery_seconds is not None
    assert testbed.gateway.sessions == {}


async def test_an_analysis_that_is_shed_is_asked_again_and_not_lost(testbed: FakeStage) -> None:
    testbed.alert_on_fault = "Down"
    testbed.gateway.refuse = [(503, "overloaded")] * 2
    assert (await played(testbed)).requests_lost == 0


async def test_an_alert_that_does_not_arrive_is_told_and_what_arrived_instead(testbed: FakeStage) -> None:
    assert (await played(testbed)).complaints == ["Down did not arrive within 1 s"]
    testbed.alert_on_fault = "Slow"
    assert (await played(testbed)).complaints == ["Down did not arrive within 1 s (arrived: Slow)"]


CALM = replace(A_FAULT, steps=(), counted=(), alert="Watchdog", is_steady_state=True)


async def test_calm_knows_the_heartbeat_from_before_and_tells_every_other_alert(testbed: FakeStage) -> None:
    testbed.receiver.arrivals.append(Arrival(0.0, "Watchdog", "firing", "none"))
    assert (await played(testbed, CALM)).complaints == []
    testbed.receiver.arrivals.append(Arrival(sys.float_info.max, "Down", "firing", "critical"))
    testbed.receiver.arrivals.append(Arrival(sys.float_info.max, "Up", "resolved", "critical"))
    assert (await played(testbed, CALM)).complaints == ["Down arrived although nothing was wrong"]


async def test_calm_begins_when_no_alert_was_known_for_a_while(testbed: FakeStage) -> None:
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
    calm = replace(CALM, min_seconds=4.0)
    assert (await played(testbed, calm, quiet_seconds=2.0, slack_seconds=10.0)).complaints == []
    await starting


async def test_without_the_heartbeat_there_is_no_calm(testbed: FakeStage) -> None:
    assert (await played(testbed, CALM)).complaints == ["Watchdog did not arrive within 1 s"]


async def test_the_alert_that_holds_another_back_may_arrive_in_its_place(testbed: FakeStage) -> None:
    testbed.alert_on_fault = "Gone"
    outcome = await played(testbed, replace(A_FAULT, or_alert="Gone"))
    assert outcome.complaints == []
    assert outcome.as_document()["alert"] == "Gone"


async def test_a_further_alert_must_arrive_too(testbed: FakeStage) -> None:
    testbed.alert_on_fault = "Down"
    outcome = await played(testbed, replace(A_FAULT, further_alerts=("Drift",)))
    assert outcome.complaints == ["Drift did not arrive within 1 s"]
    assert "Down 0" not in as_table([outcome])
    assert "Drift never" in as_table([outcome])


@pytest.mark.parametrize(("state", "complaints"), [("firing", []), ("pending", ["Down did not arrive within 1 s"])])
async def test_an_alert_can_be_looked_for_in_prometheus(testbed: FakeStage, state: str, complaints: list[str]) -> None:
    scenario = replace(A_FAULT, seen_in_prometheus=True)
    feeds = [SampleSource(load_recording("walking-upper-leg"), loop=True)]
    async with serving(testbed.gateway) as url, testbed.receiver:
        testbed.gateway_url = url
        runner = ChaosRunner(testbed, feeds, factor=10_000, slack_seconds=0.5)
        playing = asyncio.create_task(runner.run(scenario))
        await until(lambda: testbed.device == ["hot"])
        testbed.known_alerts["Down"] = state
        outcome = await playing
    assert outcome.complaints == complaints


async def test_users_who_are_quiet_ask_nothing_and_lose_nothing() -> None:
    gateway = FakeGateway()
    feeds = [SampleSource(load_recording("walking-upper-leg"), loop=True)]
    async with serving(gateway) as url, Traffic(url, feeds) as traffic:
        await until(lambda: traffic.tally.samples > 0)
        traffic.pause()
        await asyncio.sleep(0.2)
        samples, answered = traffic.tally.samples, len(traffic.arrived)
        await asyncio.sleep(0.6)
        assert (traffic.tally.samples, len(traffic.arrived)) == (samples, answered)
        traffic.resume()
        await until(lambda: traffic.tally.samples > samples and len(traffic.arrived) > answered)
    assert traffic.tally.stored_samples == traffic.tally.samples


def an_outcome(**given: object) -> Outcome:
    outcome = Outcome(A_FAULT, requests=100, samples=1000, alert_seconds=3.0, recovery_seconds=1.0)
    outcome.counted = {"timeout": 5}
    for name, value in given.items():
        setattr(outcome, name, value)
    judge(outcome)
    return outcome


def test_whatever_is_not_as_demanded_is_told() -> None:
    assert an_outcome().passed
    assert an_outcome(counted={"timeout": 0}).complaints == ["timeout was not counted"]
    lost = an_outcome(requests_lost=2, lost_by_class={"timeout": 2})
    assert lost.complaints == ["2 of 100 requests were lost (timeout 2)"]
    assert an_outcome(samples_lost=25).complaints == ["25 samples were lost"]
    assert an_outcome(recovery_seconds=None).complaints == ["sidecars did not answer again within 35 s"]
    assert not an_outcome(alert_seconds=None).passed


def test_requests_may_be_lost_where_the_scenario_says_so() -> None:
    outcome = Outcome(replace(A_FAULT, lost_requests=0.5), requests=100, requests_lost=50, recovery_seconds=1.0)
    outcome.alert_seconds = 1.0
    judge(outcome)
    assert outcome.passed


def test_the_table_has_a_line_for_each_scenario_and_tells_complaints() -> None:
    table = as_table([an_outcome(), an_outcome(samples_lost=25)])
    assert "a-fault: 25 samples were lost" in table
    assert "1 of 2 scenarios as demanded" in table
    assert table.count("Down 3.0 s") == 2


def test_every_scenario_names_an_alert_that_exists_and_counters_of_the_catalog() -> None:
    alerts = {alert.name for alert in all_alerts()}
    for scenario in SCENARIOS:
        assert not scenario.alert or scenario.alert in alerts, scenario.name
        for counted in scenario.counted:
            assert counted.metric.kind is Kind.COUNTER
            assert len(counted.labels) == len(counted.metric.labels)


def test_what_damages_files_of_the_monitoring_gets_a_stack_of_its_own() -> None:
    for scenario in SCENARIOS:
        damages = any(isinstance(step, BreakMonitoring) and step.how in STORE_DAMAGE for step in scenario.steps)
        assert scenario.needs_store == damages, scenario.name


def test_names_of_scenarios_are_unique() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


def test_every_class_of_error_and_some_violations_are_provoked() -> None:
    provoked = {label for scenario in SCENARIOS for counted in scenario.counted for label in counted.labels}
    assert set(INFERENCE_ERROR_TYPES) <= provoked
    assert {"motif_shape", "not_finite"} <= provoked & set(CONTRACT_CHECKS)


def test_every_state_that_a_scenario_asks_of_the_chip_is_one_that_the_fake_knows() -> None:
    steps = [(scenario, step) for scenario in SCENARIOS for step in scenario.steps]
    assert {step.state for _, step in steps if isinstance(step, Device | Flap)} <= set(STATES)
    assert all(
        scenario.needs_chip for scenario, step in steps if isinstance(step, RaspberryPiCondition | Device | Flap)
    )
    assert all(scenario.needs_clock for scenario, step in steps if isinstance(step, ClockStep))


@pytest.mark.parametrize("state", list(STATES))
def test_a_faked_chip_becomes_well_again(state: str) -> None:
    machine = Machine()
    become(machine, state)
    become(machine, "")
    well, chip = Chip(), machine.chip
    assert (chip.ts0, chip.zone, chip.present, chip.stuck) == (well.ts0, well.zone, well.present, well.stuck)
    assert machine.outcome_of("Device") is None


def test_every_kind_of_fault_is_injected_by_some_scenario() -> None:
    injected = {step.fault.kind for scenario in SCENARIOS for step in scenario.steps if isinstance(step, Inject)}
    spoilt_scrapes = {FaultKind.WILD_LABEL, FaultKind.READINGS, FaultKind.LATE_TIMES}
    assert injected == set(FaultKind) - {FaultKind.NONE} - spoilt_scrapes


def test_every_alert_is_provoked_by_a_scenario() -> None:
    provoked = {name for scenario in SCENARIOS for name in (scenario.alert, *scenario.further_alerts)} - {""}
    assert provoked == {alert.name for alert in all_alerts()}


def test_every_way_to_break_the_monitoring_is_tried() -> None:
    tried = {step.how for scenario in SCENARIOS for step in scenario.steps if isinstance(step, BreakMonitoring)}
    assert tried == set(MonitoringFault)
