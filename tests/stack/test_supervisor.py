"""The supervisor with children of flesh and blood replaced by ones that do as the test says."""

import asyncio
import errno
from pathlib import Path

import pytest

from edgeinfer.errors import ConfigurationError, StackError
from edgeinfer.stack import logfile
from edgeinfer.stack.events import EventKind
from edgeinfer.stack.member import Member, ProcessState, how_it_ended
from edgeinfer.stack.plan import ProcessSpec, Stage
from edgeinfer.stack.process import Child
from edgeinfer.stack.restart import EXIT_CONFIGURATION, RestartPolicy
from tests.stack.workshop import KILLED, FakeChild, Workshop, everything, main, plan, saying, ticks


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


async def test_a_stage_waits_until_the_one_before_is_ready(workshop: Workshop) -> None:
    workshop.unready = {"sidecar-1"}
    supervisor = workshop.supervisor(main("gateway", Stage.GATEWAY), main("sidecar-1"), plan("console"))
    starting = asyncio.ensure_future(supervisor.start())
    for _ in range(20):
        await asyncio.sleep(0)
    assert sorted(workshop.children) == ["console", "sidecar-1"]

    workshop.unready = set()
    await starting
    assert workshop.reported.order(EventKind.READY) == ["console", "sidecar-1", "gateway"]


async def test_no_stage_waits_for_a_helper(workshop: Workshop) -> None:
    workshop.unready = {"alertmanager", "console"}
    supervisor = workshop.supervisor(
        plan("alertmanager"), plan("console"), main("sidecar-1"), main("gateway", Stage.GATEWAY)
    )
    begun = workshop.now
    await supervisor.start()

    assert workshop.ready_at["gateway"] - begun < 1.0


async def test_a_sidecar_that_hangs_delays_the_gateway_and_does_not_stop_it(workshop: Workshop) -> None:
    workshop.unready = {"sidecar-1"}
    supervisor = workshop.supervisor(main("sidecar-1"), main("gateway", Stage.GATEWAY))
    begun = workshop.now
    await supervisor.start()

    assert 19.0 < workshop.ready_at["gateway"] - begun < 22.0


@pytest.mark.parametrize("broken", ["alertmanager", "console", "exporter", "prometheus"])
@pytest.mark.parametrize("code", [1, 2, EXIT_CONFIGURATION, KILLED])
async def test_a_helper_that_cannot_start_leaves_gateway_and_sidecar_to_serve(
    broken: str, code: int, workshop: Workshop
) -> None:
    workshop.codes = {broken: code}
    supervisor = workshop.supervisor(*everything())
    await supervisor.start()
    await ticks(supervisor, workshop, 120.0)

    states = {member.plan.name: member.state for member in supervisor.members}
    assert states.pop(broken) is ProcessState.GAVE_UP
    assert set(states.values()) == {ProcessState.READY}
    (said, *_) = workshop.reported.messages(EventKind.GAVE_UP)
    assert f"last output of {broken}" in said
    assert "tried again in 60 s" in said


@pytest.mark.parametrize("broken", ["gateway", "sidecar-1"])
@pytest.mark.parametrize("code", [1, EXIT_CONFIGURATION, KILLED])
async def test_the_helpers_stay_whatever_happens_to_gateway_and_sidecar(
    broken: str, code: int, workshop: Workshop
) -> None:
    """Eight kills in 86 s, or a port taken during a restart (exit 78), once ended everything."""
    supervisor = workshop.supervisor(*everything())
    await supervisor.start()
    for _ in range(30):
        workshop.newest(broken).code = code
        await ticks(supervisor, workshop, 5.0)

    states = {member.plan.name: member.state for member in supervisor.members}
    assert set(states.values()) - {states[broken]} == {ProcessState.READY}
    await ticks(supervisor, workshop, 31.0)
    assert supervisor.members_by_name[broken].state is ProcessState.READY, "the main job never waits longer than 30 s"


async def test_a_program_that_is_missing_is_named_with_its_remedy_and_looked_for_again(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("prometheus", Stage.MONITORING, remedy="Put it on PATH."), main("gateway"))
    spawn = workshop.spawn
    there = False

    def missing(one: ProcessSpec, log: Path) -> Child:
        if one.name == "prometheus" and not there:
            raise FileNotFoundError(2, "No such file or directory")
        return spawn(one, log)

    supervisor.spawn = missing
    await supervisor.start()
    await ticks(supervisor, workshop, 120.0)

    assert workshop.reported.messages(EventKind.CRASHED)[0] == (
        "prometheus: prometheus cannot be started (No such file or directory); starts again in 0.5 s"
    )
    assert workshop.reported.messages(EventKind.GAVE_UP)[0].endswith("Put it on PATH.")
    assert supervisor.members_by_name["gateway"].state is ProcessState.READY

    there = True
    await ticks(supervisor, workshop, 301.0)
    assert supervisor.members_by_name["prometheus"].state is ProcessState.READY


async def test_what_is_in_the_way_keeps_a_process_from_being_started(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("console"))
    taken = "port 8088 is taken by python (process 7)"
    supervisor.obstacle = lambda _: taken
    await supervisor.start()
    assert "console" not in workshop.children
    assert workshop.reported.messages(EventKind.CRASHED) == [f"console: {taken}; starts again in 0.5 s"]

    supervisor.obstacle = lambda _: ""
    await ticks(supervisor, workshop, 1.0)
    assert supervisor.members[0].state is ProcessState.READY


async def test_a_main_process_that_cannot_start_as_it_is_configured_says_so_in_its_own_words(
    workshop: Workshop,
) -> None:
    workshop.codes = {"gateway": EXIT_CONFIGURATION}
    supervisor = workshop.supervisor(main("gateway"))
    supervisor.spawn = saying(workshop, "error: card.json: is missing.\nhint: Name another folder.\n")

    with pytest.raises(ConfigurationError) as failure:
        await supervisor.start()

    assert failure.value.fault == "ended with exit code 78 and said: card.json: is missing"
    assert failure.value.remedy.startswith("Name another folder. See ")


@pytest.mark.parametrize("is_main_job", [True, False])
async def test_a_configuration_fault_is_one_at_the_first_start_and_a_crash_later(
    *, is_main_job: bool, workshop: Workshop
) -> None:
    supervisor = workshop.supervisor(plan("gateway", is_main_job=is_main_job))
    await supervisor.start()
    workshop.newest("gateway").code = EXIT_CONFIGURATION
    await ticks(supervisor, workshop, 1.0)

    assert supervisor.members[0].state is ProcessState.READY
    assert workshop.reported.messages(EventKind.CRASHED) == ["gateway: ended with exit code 78; starts again in 0.5 s"]


async def test_a_process_that_is_slow_to_start_is_reported_and_started_again_at_its_deadline(
    workshop: Workshop,
) -> None:
    workshop.unready = {"prometheus"}
    supervisor = workshop.supervisor(plan("prometheus", start_seconds=25.0))
    await supervisor.start()

    assert workshop.reported.messages(EventKind.WAITING) == [
        "prometheus: still starting after 10 s; it says: last output of prometheus",
        "prometheus: still starting after 20 s; it says: last output of prometheus",
    ]
    (crashed,) = workshop.reported.messages(EventKind.CRASHED)
    assert "was not ready after 25 s and said: last output of prometheus" in crashed


async def test_who_needs_everything_ready_waits_for_it_or_hears_why_not(workshop: Workshop) -> None:
    workshop.codes = {"prometheus": 3}
    supervisor = workshop.supervisor(plan("prometheus"), main("gateway"))
    await supervisor.start()

    with pytest.raises(StackError) as failure:
        await supervisor.await_ready()

    assert (failure.value.thing, failure.value.remedy) == ("prometheus", f"See {workshop.folder / 'prometheus.log'}.")
    assert failure.value.fault == "ended with exit code 3 and said: last output of prometheus"


async def test_a_process_of_an_earlier_stage_that_ends_while_a_later_one_starts_is_started_again(
    workshop: Workshop,
) -> None:
    workshop.unready = {"gateway"}
    supervisor = workshop.supervisor(main("sidecar-1"), main("gateway", Stage.GATEWAY))
    starting = asyncio.ensure_future(supervisor.start())
    for _ in range(20):
        await asyncio.sleep(0)
    workshop.newest("sidecar-1").code = 1
    await starting

    assert len(workshop.children["sidecar-1"]) == 2


async def test_a_crashed_process_is_started_again_after_its_wait_and_becomes_ready(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("sidecar-1"))
    await supervisor.start()
    workshop.newest("sidecar-1").code = KILLED

    await ticks(supervisor, workshop, 0.3)
    assert len(workshop.children["sidecar-1"]) == 1, "the wait is half a second"
    await ticks(supervisor, workshop, 0.5)

    assert len(workshop.children["sidecar-1"]) == 2
    assert workshop.reported.messages(EventKind.CRASHED) == ["sidecar-1: was ended by SIGKILL; starts again in 0.5 s"]
    assert workshop.reported.messages(EventKind.READY) == ["sidecar-1: runs", "sidecar-1: runs again"]
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

    waits = [event.details["delay_seconds"] for event in workshop.reported.events if event.kind is EventKind.CRASHED]
    assert waits == [0.5, 1.0, 2.0, 0.5]


async def test_what_is_given_up_is_tried_again_with_a_growing_pause_until_it_runs(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("console"), plan("sidecar-1"), policy=RestartPolicy(max_crashes=3))
    await supervisor.start()
    workshop.codes = {"console": 1}
    workshop.newest("console").code = 1
    await ticks(supervisor, workshop, 1000.0)

    pauses = [event.details["delay_seconds"] for event in workshop.reported.events if event.kind is EventKind.GAVE_UP]
    assert pauses == [60.0, 120.0, 240.0, 300.0, 300.0]
    first = workshop.reported.messages(EventKind.GAVE_UP)[0]
    assert "3 times in a row" in first
    assert "console.log" in first
    assert supervisor.members_by_name["sidecar-1"].state is ProcessState.READY

    workshop.codes = {}
    await ticks(supervisor, workshop, 301.0)
    assert supervisor.members_by_name["console"].state is ProcessState.READY


async def test_a_process_that_a_signal_suspended_is_reported_once_and_left_alone(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(main("gateway"))
    await supervisor.start()
    workshop.newest("gateway").suspended = True
    await ticks(supervisor, workshop, 60.0)
    assert supervisor.members[0].failure == "suspended"
    assert len(workshop.reported.messages(EventKind.WARNING)) == 1
    assert "kill -CONT 1" in workshop.reported.messages(EventKind.WARNING)[0]

    workshop.newest("gateway").suspended = False
    await ticks(supervisor, workshop, 5.0)
    assert workshop.reported.messages(EventKind.NOTE) == ["gateway: continues"]
    assert supervisor.members[0].failure == ""


@pytest.mark.parametrize("function", ["rotate", "bound_all"])
async def test_no_fault_of_a_disk_ends_a_look(
    function: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    supervisor = workshop.supervisor(main("gateway"))
    await supervisor.start()
    monkeypatch.setattr(logfile, function, refuse)
    await ticks(supervisor, workshop, 30.0)

    assert supervisor.members[0].state is ProcessState.READY
    assert len(workshop.reported.messages(EventKind.WARNING)) == (1 if function == "rotate" else 0), (
        "once, not ten times a second"
    )


async def test_a_probe_that_the_system_refuses_ends_no_look(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(main("gateway", start_seconds=1000.0))

    async def refused(*_: object) -> bool:
        raise OSError(errno.EMFILE, "Too many open files")

    supervisor.probe = refused
    await supervisor.start()
    assert workshop.reported.messages(EventKind.WARNING) == ["gateway: cannot be looked at (Too many open files)"]

    supervisor.probe = workshop.probe
    await ticks(supervisor, workshop, 1.0)
    assert supervisor.members[0].state is ProcessState.READY


async def test_what_lets_a_crashed_process_start_again_is_done_before_it_does(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("alertmanager"))
    workshop.codes = {"alertmanager": 1}

    def set_aside(member: Member) -> bool:
        workshop.codes = {}
        return True

    supervisor.before_restart = set_aside
    await supervisor.start()

    await ticks(supervisor, workshop, 0.5)
    assert supervisor.members[0].state is ProcessState.READY
    assert workshop.reported.messages(EventKind.CRASHED) == [
        "alertmanager: ended with exit code 1 and said: last output of alertmanager; starts again"
    ]


async def test_a_restart_that_is_never_ready_is_killed_and_counts_as_a_crash(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("sidecar-1", start_seconds=5.0))
    await supervisor.start()
    workshop.unready = {"sidecar-1"}
    workshop.newest("sidecar-1").code = 1
    await ticks(supervisor, workshop, 6.0)

    assert workshop.children["sidecar-1"][1].signals == ["KILL"]
    assert "was not ready after 5 s" in workshop.reported.messages(EventKind.CRASHED)[-1]


async def test_a_replay_that_reaches_its_end_is_finished_and_not_started_again(workshop: Workshop) -> None:
    supervisor = workshop.supervisor(plan("replay", may_finish=True))
    await supervisor.start()
    workshop.newest("replay").code = 0
    await ticks(supervisor, workshop, 5.0)

    assert supervisor.members[0].state is ProcessState.FINISHED
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
    assert {member.state for member in supervisor.members} == {ProcessState.STOPPED}


def _note_end(child: FakeChild, name: str, ended: list[str]) -> None:
    terminate = child.terminate

    def noted() -> None:
        ended.append(name)
        terminate()

    child.terminate = noted  # type: ignore[method-assign]  # the fake shows when it is asked to end


async def test_what_ignores_the_request_to_end_is_killed_in_the_end(workshop: Workshop) -> None:
    workshop.stubborn = {"console"}
    supervisor = workshop.supervisor(plan("console", stop_seconds=2.0))
    await supervisor.start()

    await supervisor.stop()

    assert workshop.newest("console").signals == ["TERM", "KILL"]
    assert workshop.reported.messages(EventKind.WARNING) == ["console: did not end within 2 s and was killed"]


async def test_a_stop_before_everything_started_ends_what_runs(workshop: Workshop) -> None:
    workshop.unready = {"sidecar-1"}
    supervisor = workshop.supervisor(main("sidecar-1"), main("gateway", Stage.GATEWAY))
    starting = asyncio.ensure_future(supervisor.start())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    starting.cancel()
    await supervisor.stop()

    assert workshop.newest("sidecar-1").signals == ["TERM"]
    assert "gateway" not in workshop.children


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "ended with exit code 0"), (78, "ended with exit code 78"), (-9, "was ended by SIGKILL"), (-99, "signal 99")],
)
def test_an_exit_code_is_reported_in_words(code: int, words: str) -> None:
    assert words in how_it_ended(code)
