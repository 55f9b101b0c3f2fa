"""The supervisor with children of flesh and blood replaced by ones that do as they are told."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.errors import ConfigurationError, StackError
from edgeinfer.stack.child import Child, Spawn
from edgeinfer.stack.events import Kind
from edgeinfer.stack.plan import ChildPlan, Stage
from edgeinfer.stack.restart import EXIT_CONFIGURATION, RestartPolicy
from edgeinfer.stack.supervisor import State, Supervisor, how_it_ended
from tests.stack.told import Told

_SIGKILL = -9


@dataclass
class FakeChild:
    """Lives until told otherwise."""

    pid: int
    code: int | None = None
    ignores_term: bool = False
    signals: list[str] = field(default_factory=list)

    def exit_code(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.signals.append("TERM")
        if not self.ignores_term:
            self.code = 0

    def kill(self) -> None:
        self.signals.append("KILL")
        self.code = _SIGKILL


class Workshop:
    """A world of fake children whose time moves only when somebody sleeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1000.0
        self.children: dict[str, list[FakeChild]] = {}
        self.unready: set[str] = set()
        self.codes: dict[str, int] = {}
        self.stubborn: set[str] = set()
        self.told = Told()

    def spawn(self, plan: ChildPlan, log: Path) -> Child:
        log.write_text(f"last words of {plan.name}\n")
        line = self.children.setdefault(plan.name, [])
        line.append(FakeChild(len(line) + 1, self.codes.get(plan.name), plan.name in self.stubborn))
        return line[-1]

    async def probe(self, plan: ChildPlan, _: Child) -> bool:
        return plan.name not in self.unready

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def newest(self, name: str) -> FakeChild:
        return self.children[name][-1]

    def supervisor(self, *plans: ChildPlan, policy: RestartPolicy | None = None) -> Supervisor:
        return Supervisor(
            plans,
            self.folder,
            self.spawn,
            self.probe,
            self.told,
            policy or RestartPolicy(),
            lambda: self.now,
            self.sleep,
        )


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def plan(name: str, stage: Stage = Stage.SERVICES, **fields: Any) -> ChildPlan:
    return ChildPlan(name=name, argv=(name,), stage=stage, **fields)


async def ticks(supervisor: Supervisor, workshop: Workshop, seconds: float) -> None:
    end = workshop.now + seconds
    while workshop.now < end:
        await supervisor.tick()
        await workshop.sleep(0.1)


async def test_a_stage_waits_until_the_one_before_is_ready(workshop: Workshop) -> None:
    workshop.unready = {"sidecar-1"}
    supervisor = workshop.supervisor(plan("gateway", Stage.GATEWAY), plan("sidecar-1"), plan("console"))
    starting = asyncio.ensure_future(supervisor.start())
    for _ in range(20):
        await asyncio.sleep(0)
    assert sorted(workshop.children) == ["console", "sidecar-1"]

    workshop.unready = set()
    await starting
    assert workshop.told.order(Kind.READY) == ["console", "sidecar-1", "gateway"]


async def test_a_process_that_ends_during_the_start_ends_the_start_with_its_last_words(workshop: Workshop) -> None:
    workshop.codes = {"gateway": 3}
    supervisor = workshop.supervisor(plan("gateway"))

    with pytest.raises(StackError) as failure:
        await supervisor.start()

    assert failure.value.thing == "gateway"
    assert "exit code 3" in failure.value.fault
    assert "last words of gateway" in failure.value.fault
    assert "gateway.log" in failure.value.remedy


async def test_a_process_that_cannot_start_as_it_is_configured_says_so_in_its_own_words(workshop: Workshop) -> None:
    workshop.codes = {"gateway": EXIT_CONFIGURATION}
    supervisor = workshop.supervisor(plan("gateway"))
    supervisor.spawn = saying(workshop, "error: card.json: is missing.\nhint: Name another folder.\n")

    with pytest.raises(ConfigurationError) as failure:
        await supervisor.start()

    assert failure.value.fault == "ended with exit code 78 and said: card.json: is missing"
    assert failure.value.remedy.startswith("Name another folder. See ")


def saying(workshop: Workshop, words: str) -> Spawn:
    def spawn(plan: ChildPlan, log: Path) -> Child:
        child = workshop.spawn(plan, log)
        log.write_text(words)
        return child

    return spawn


async def test_a_process_that_is_never_ready_ends_the_start_at_its_deadline(workshop: Workshop) -> None:
    workshop.unready = {"prometheus"}
    supervisor = workshop.supervisor(plan("prometheus", start_seconds=25.0))

    with pytest.raises(StackError, match="was not ready after 25 s"):
        await supervisor.start()

    assert workshop.told.messages(Kind.WAITING) == [
        "prometheus: still starting after 10 s; it says: last words of prometheus",
        "prometheus: still starting after 20 s; it says: last words of prometheus",
    ]


async def test_a_process_of_an_earlier_stage_that_ends_is_noticed_while_a_later_one_starts(workshop: Workshop) -> None:
    workshop.unready = {"gateway"}
    supervisor = workshop.supervisor(plan("sidecar-1"), plan("gateway", Stage.GATEWAY))
    starting = asyncio.ensure_future(supervisor.start())
    for _ in range(20):
        await asyncio.sleep(0)
    workshop.newest("sidecar-1").code = 1

    with pytest.raises(StackError, match="sidecar-1"):
        await starting


async def test_a_crashed_process_is_started_again_after_its_wait_and_becomes_ready(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("sidecar-1"))
    await supervisor.start()
    workshop.newest("sidecar-1").code = _SIGKILL

    await ticks(supervisor, workshop, 0.3)
    assert len(workshop.children["sidecar-1"]) == 1, "the wait is half a second"
    await ticks(supervisor, workshop, 0.5)

    assert len(workshop.children["sidecar-1"]) == 2
    assert workshop.told.messages(Kind.CRASHED) == ["sidecar-1: was ended by SIGKILL; starts again in 0.5 s"]
    assert workshop.told.messages(Kind.READY) == ["sidecar-1: runs", "sidecar-1: runs again"]
    assert supervisor.members[0].restarts == 1


async def test_waits_double_while_a_process_keeps_crashing_and_start_over_after_a_healthy_life(
    workshop: Workshop,
) -> None:
    supervisor = workshop.supervisor(plan("sidecar-1"), policy=RestartPolicy(healthy_seconds=60.0))
    await supervisor.start()
    for life in (0.0, 0.0, 0.0, 61.0):
        await ticks(supervisor, workshop, life)
        workshop.newest("sidecar-1").code = 1
        await ticks(supervisor, workshop, 4.5)

    waits = [event.details["delay_seconds"] for event in workshop.told.events if event.kind is Kind.CRASHED]
    assert waits == [0.5, 1.0, 2.0, 0.5]


async def test_a_process_that_keeps_crashing_is_given_up_and_the_others_live_on(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("console"), plan("sidecar-1"), policy=RestartPolicy(most_crashes=3))
    await supervisor.start()
    workshop.codes = {"console": 1}
    workshop.newest("console").code = 1
    await ticks(supervisor, workshop, 60.0)

    states = {member.plan.name: member.state for member in supervisor.members}
    assert states == {"console": State.GAVE_UP, "sidecar-1": State.READY}
    assert len(workshop.children["console"]) == 3
    (message,) = workshop.told.messages(Kind.GAVE_UP)
    assert "3 times in a row" in message
    assert "console.log" in message


async def test_an_essential_process_that_keeps_crashing_ends_the_watch(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("gateway", essential=True), policy=RestartPolicy(most_crashes=2))
    await supervisor.start()
    workshop.codes = {"gateway": 1}
    workshop.newest("gateway").code = 1

    with pytest.raises(StackError, match="2 times in a row"):
        await supervisor.watch()


async def test_a_process_that_says_its_configuration_is_wrong_is_given_up_at_once(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("console"))
    await supervisor.start()
    workshop.newest("console").code = EXIT_CONFIGURATION
    await ticks(supervisor, workshop, 0.2)

    assert supervisor.members[0].state is State.GAVE_UP


async def test_a_restart_that_is_never_ready_is_killed_and_counts_as_a_crash(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("sidecar-1", start_seconds=5.0))
    await supervisor.start()
    workshop.unready = {"sidecar-1"}
    workshop.newest("sidecar-1").code = 1
    await ticks(supervisor, workshop, 6.0)

    assert workshop.children["sidecar-1"][1].signals == ["KILL"]
    assert "was not ready after 5 s" in workshop.told.messages(Kind.CRASHED)[-1]


async def test_a_replay_that_reaches_its_end_is_finished_and_not_started_again(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("replay", may_finish=True))
    await supervisor.start()
    workshop.newest("replay").code = 0
    await ticks(supervisor, workshop, 5.0)

    assert supervisor.members[0].state is State.FINISHED
    assert len(workshop.children["replay"]) == 1


async def test_the_stop_goes_the_other_way_round(workshop: Workshop) -> None:
    names = {"sidecar-1": Stage.SERVICES, "gateway": Stage.GATEWAY, "prometheus": Stage.MONITORING}
    supervisor = workshop.supervisor(*(plan(name, stage) for name, stage in names.items()))
    await supervisor.start()
    ended: list[str] = []
    for name in names:
        _note_end(workshop.newest(name), name, ended)

    await supervisor.stop()

    assert ended == ["prometheus", "gateway", "sidecar-1"]
    assert {member.state for member in supervisor.members} == {State.STOPPED}


def _note_end(child: FakeChild, name: str, ended: list[str]) -> None:
    terminate = child.terminate

    def noted() -> None:
        ended.append(name)
        terminate()

    child.terminate = noted  # type: ignore[method-assign]  # the fake tells when it is asked to end


async def test_what_ignores_the_request_to_end_is_killed_in_the_end(workshop: Workshop) -> None:
    workshop.stubborn = {"console"}
    supervisor = workshop.supervisor(plan("console", stop_seconds=2.0))
    await supervisor.start()

    await supervisor.stop()

    assert workshop.newest("console").signals == ["TERM", "KILL"]
    assert workshop.told.messages(Kind.WARNING) == ["console: did not end within 2 s and was killed"]


async def test_a_stop_before_everything_started_ends_what_runs(workshop: Workshop) -> None:
    workshop.unready = {"sidecar-1"}
    supervisor = workshop.supervisor(plan("sidecar-1"), plan("gateway", Stage.GATEWAY))
    starting = asyncio.ensure_future(supervisor.start())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    starting.cancel()
    await supervisor.stop()

    assert workshop.newest("sidecar-1").signals == ["TERM"]
    assert "gateway" not in workshop.children


async def test_a_program_that_is_not_there_is_named(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("sidecar-1"))

    def missing(_: ChildPlan, __: Path) -> Child:
        raise FileNotFoundError(2, "No such file or directory")

    supervisor.spawn = missing
    with pytest.raises(StackError, match="cannot be started"):
        await supervisor.start()


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "ended with exit code 0"), (78, "ended with exit code 78"), (-9, "was ended by SIGKILL"), (-99, "signal 99")],
)
def test_an_exit_code_is_told_in_words(code: int, words: str) -> None:
    assert words in how_it_ended(code)
