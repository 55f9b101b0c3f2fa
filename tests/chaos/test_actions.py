"""Each action does what it says, and undoes it."""

import asyncio
import os
import resource
import signal
import socket
from pathlib import Path

import aiohttp
import numpy as np
import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chaos.actions.action import Action, Process
from chaos.actions.hardware import Device, Flap, RaspberryPiCondition, TrainLink
from chaos.actions.processes import DamageStore, Freeze, Kill, KillLoop, StartWith, TakePort
from chaos.actions.resources import ClockStep, CpuStress, LimitResource, Resource, RestartWithMemoryLimit
from chaos.actions.traffic import ClientFlood, Inject, NoTraffic
from chaos.faults import NO_FAULT, Fault, FaultKind
from chaos.foreign import foreign_server
from edgeinfer.stack.ports import PortPool
from tests.chaos.fake_testbed import USERS, FakeTestbed, FakeUsers, until

DEAD = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


def status_of(pid: int | None) -> str:
    try:
        return psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


async def test_a_frozen_process_continues_afterwards(testbed: FakeTestbed) -> None:
    async with Freeze(Process.SIDECAR).applied(testbed, USERS):
        await until(lambda: status_of(testbed.pid) == psutil.STATUS_STOPPED)
    await until(lambda: status_of(testbed.pid) != psutil.STATUS_STOPPED)


async def test_a_killed_process_is_held_down_until_the_fault_ends(testbed: FakeTestbed) -> None:
    async with Kill(Process.GATEWAY).applied(testbed, USERS):
        assert testbed.held == [Process.GATEWAY]
        await until(lambda: status_of(testbed.pid) in DEAD)
    assert testbed.held == []


async def test_a_foreign_server_has_the_port_of_a_process_until_the_fault_ends(testbed: FakeTestbed) -> None:
    testbed.port = PortPool().take(1)[0]
    async with aiohttp.ClientSession() as http:
        async with TakePort(Process.EXPORTER).applied(testbed, USERS):
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


async def test_a_process_that_starts_starved_is_killed_and_capped_until_the_fault_ends(testbed: FakeTestbed) -> None:
    async with RestartWithMemoryLimit(Process.SIDECAR, megabytes=64).applied(testbed, USERS):
        await until(lambda: status_of(testbed.pid) in DEAD)
        assert testbed.caps == [64]
    assert testbed.caps == [64, None]


async def test_a_process_is_killed_again_whenever_it_is_back(testbed: FakeTestbed) -> None:
    async with KillLoop(Process.SIDECAR).applied(testbed, USERS):
        await until(lambda: status_of(testbed.pid) in DEAD)


@pytest.mark.parametrize("kind", list(Resource))
async def test_a_starved_process_gets_its_limit_back(testbed: FakeTestbed, kind: Resource) -> None:
    assert testbed.pid is not None
    number = {
        Resource.MEMORY: resource.RLIMIT_AS,
        Resource.OPEN_FILES: resource.RLIMIT_NOFILE,
        Resource.FILE_SIZE: resource.RLIMIT_FSIZE,
    }[kind]
    before = resource.prlimit(testbed.pid, number)
    async with LimitResource(Process.SIDECAR, kind, amount=4096).applied(testbed, USERS):
        assert resource.prlimit(testbed.pid, number)[0] == 4096
    assert resource.prlimit(testbed.pid, number) == before


async def test_a_process_can_be_held_to_what_it_uses_now(testbed: FakeTestbed) -> None:
    assert testbed.pid is not None
    async with LimitResource(Process.SIDECAR, Resource.MEMORY).applied(testbed, USERS):
        assert resource.prlimit(testbed.pid, resource.RLIMIT_AS)[0] == psutil.Process(testbed.pid).memory_info().vms


async def test_a_fault_of_the_proxy_and_of_the_chip_end_with_the_action(testbed: FakeTestbed) -> None:
    fault = Fault(FaultKind.RESET)
    async with Inject(fault).applied(testbed, USERS):
        assert testbed.proxy.fault is fault
    assert testbed.proxy.fault is NO_FAULT
    async with Device("hot").applied(testbed, USERS):
        pass
    assert testbed.device == ["hot", ""]


async def test_a_process_is_started_again_with_other_settings_and_then_with_its_own(testbed: FakeTestbed) -> None:
    async with StartWith(Process.SIDECAR, (("A", "b"),)).applied(testbed, USERS):
        await until(lambda: status_of(testbed.pid) in DEAD)
        assert testbed.environments == [{"A": "b"}]
    assert testbed.environments == [{"A": "b"}, {}]
    assert testbed.held == []


async def test_a_bit_of_the_store_is_another_one_when_the_gateway_starts_again(
    testbed: FakeTestbed, tmp_path: Path
) -> None:
    testbed.sessions_folder = tmp_path
    (tmp_path / "live-00000007.log").write_bytes(b"\0" * 9)
    testbed.pid = None
    (tmp_path / "damaged").mkdir()
    async with DamageStore().applied(testbed, USERS):
        assert (tmp_path / "live-00000007.log").read_bytes() == b"\0\0\0\0\1\0\0\0\0"
        assert testbed.held == []
    assert not (tmp_path / "damaged").exists()


async def test_users_are_quiet_until_the_action_ends(testbed: FakeTestbed) -> None:
    users = FakeUsers()
    async with NoTraffic().applied(testbed, users):
        assert not users.may_speak
    assert users.may_speak


async def test_the_clock_is_right_again_afterwards(testbed: FakeTestbed) -> None:
    async with ClockStep(-3600).applied(testbed, USERS):
        assert testbed.clocks == [-3600]
    assert testbed.clocks == [-3600, 0]


EVERY_ACTION: list[Action] = [
    Kill(Process.SIDECAR),
    TakePort(Process.SIDECAR),
    StartWith(Process.SIDECAR, (("A", "b"),)),
    RestartWithMemoryLimit(Process.SIDECAR, megabytes=64),
    Inject(Fault(FaultKind.RESET)),
    NoTraffic(),
    ClockStep(5),
    Device("hot"),
    Flap("hot", bad_seconds=0.01, well_seconds=0.01),
    RaspberryPiCondition(1),
    TrainLink(1),
]


@pytest.mark.parametrize("action", EVERY_ACTION, ids=lambda action: type(action).__name__)
async def test_an_action_is_undone_also_where_the_run_breaks_off(testbed: FakeTestbed, action: Action) -> None:
    testbed.port = PortPool().take(1)[0]
    users = FakeUsers()
    with pytest.raises(ZeroDivisionError):
        async with action.applied(testbed, users):
            raise ZeroDivisionError
    assert testbed.held == []
    assert testbed.proxy.fault is NO_FAULT
    assert users.may_speak
    assert (testbed.environments or [{}])[-1] == {}
    assert (testbed.caps or [None])[-1] is None
    assert (testbed.clocks or [0])[-1] == 0
    assert (testbed.device or [""])[-1] == ""
    assert (testbed.firmware_words or [0])[-1] == 0
    assert (testbed.links or [None])[-1] is None


async def test_a_raspberry_pi_reports_the_fault_until_the_action_ends(testbed: FakeTestbed) -> None:
    async with RaspberryPiCondition(0x5).applied(testbed, USERS):
        assert testbed.firmware_words == [0x5]
    assert testbed.firmware_words == [0x5, 0]


async def test_a_link_is_as_fast_as_it_can_be_afterwards(testbed: FakeTestbed) -> None:
    async with TrainLink(1).applied(testbed, USERS):
        assert testbed.links == [1]
    assert testbed.links == [1, None]


async def test_a_flapping_chip_is_well_in_the_end(testbed: FakeTestbed) -> None:
    async with Flap("hot", bad_seconds=0.01, well_seconds=0.01).applied(testbed, USERS):
        await until(lambda: testbed.device[:4] == ["hot", "", "hot", ""])
    assert testbed.device[-1] == ""


async def test_a_crowd_asks_the_sidecar_and_leaves_with_the_action(testbed: FakeTestbed) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/infer", answer)
    async with TestServer(app) as server:
        testbed.sidecar_url = f"http://127.0.0.1:{server.port}"
        async with ClientFlood(callers=3).applied(testbed, USERS):
            await until(lambda: len(asked) > 10)
        await asyncio.sleep(0.2)  # what was under way arrives
        count = len(asked)
        await asyncio.sleep(0.2)
        assert len(asked) == count
    assert np.shape(asked[0]["x"]) == (100, 9)


async def test_a_crowd_does_not_mind_that_nobody_answers(testbed: FakeTestbed) -> None:
    async with ClientFlood(callers=2).applied(testbed, USERS):
        await asyncio.sleep(0.05)


def _spinning() -> int:
    found = psutil.Process().children()
    return sum("while True" in " ".join(one.cmdline()) for one in found if one.status() != psutil.STATUS_ZOMBIE)


async def test_a_busy_machine_is_left_in_peace_afterwards(testbed: FakeTestbed) -> None:
    async with CpuStress().applied(testbed, USERS):
        # A child has its parent's command line until it runs its own program.
        await until(lambda: _spinning() == os.cpu_count())
    assert _spinning() == 0


async def test_actions_on_a_process_that_is_not_there_do_nothing(testbed: FakeTestbed) -> None:
    own, testbed.pid = testbed.pid, None
    actions: list[Action] = [
        Freeze(Process.SIDECAR),
        Kill(Process.SIDECAR),
        LimitResource(Process.SIDECAR, Resource.MEMORY),
    ]
    for action in actions:
        async with action.applied(testbed, USERS):
            pass
    assert own is not None
    os.kill(own, signal.SIG_DFL)
