"""A whole run over real processes that stand for the services."""

import asyncio
import errno
import os
import shutil
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgeinfer.errors import ConfigurationError, PortInUse
from edgeinfer.stack import run as run_module
from edgeinfer.stack import state_file
from edgeinfer.stack.events import Event, EventKind
from edgeinfer.stack.folder import DataFolder, prepare
from edgeinfer.stack.member import ProcessState
from edgeinfer.stack.plan import ProcessSpec, Stage
from edgeinfer.stack.restart import RestartPolicy
from edgeinfer.stack.run import StackRun
from edgeinfer.stack.status_line import LiveFigures
from tests.stack.conftest import MakePlan
from tests.stack.recorded_events import RecordedEvents

FAST = RestartPolicy(first_seconds=0.05, max_seconds=0.1, max_crashes=3, given_up_seconds=0.2)


class FakeReporter:
    """Remembers, and lets a test act when everything is ready."""

    def __init__(self) -> None:
        self.reported = RecordedEvents()
        self.shown: dict[str, str] = {}
        self.figures = 0
        self.failures: dict[str, str] = {}
        self.ready = asyncio.Event()
        self.fails: type[OSError] | None = None

    def report(self, event: Event) -> None:
        self.reported(event)

    def addresses(self, addresses: Mapping[str, str], data_folder: str) -> None:
        self.shown = dict(addresses)
        self.ready.set()

    def status_line(self, figures: LiveFigures | None, failures: Mapping[str, str]) -> None:
        self.figures += 1
        self.failures = dict(failures)
        if self.fails:
            raise self.fails

    def close(self) -> None: ...


@pytest.fixture
def reporter() -> FakeReporter:
    return FakeReporter()


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return prepare(tmp_path / "data")


def pids(folder: DataFolder) -> dict[str, int]:
    written = state_file.read(folder.record)
    assert written
    return {one.name: one.pid for one in written.processes}


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


async def end(running: "asyncio.Task[bool]") -> bool:
    os.kill(os.getpid(), signal.SIGINT)
    return await asyncio.wait_for(running, 20)


async def test_ctrl_c_ends_every_process_in_order_and_the_run_says_all_was_well(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    plans = [
        make_plan("gateway", port=free_ports[0], stage=Stage.GATEWAY),
        make_plan("sidecar-1", port=free_ports[1]),
        make_plan("console", port=free_ports[2]),
    ]
    running = asyncio.create_task(StackRun(plans, folder, reporter).run())
    await reporter.ready.wait()
    started = pids(folder)
    assert list(reporter.shown) == ["console", "gateway", "sidecar-1"]
    assert set(started) == {"gateway", "sidecar-1", "console"}

    assert await end(running)

    assert not any(psutil.pid_exists(pid) for pid in started.values())
    assert pids(folder) == {}
    assert [event.kind for event in reporter.reported.events][-2:] == [EventKind.STOPPING, EventKind.STOPPED]


async def test_a_second_ctrl_c_ends_what_takes_its_time(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    stubborn = make_plan("console", "--ignore-term", port=free_ports[0], stop_seconds=50.0)
    running = asyncio.create_task(StackRun([stubborn], folder, reporter).run())
    await reporter.ready.wait()
    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: bool(reporter.reported.messages(EventKind.STOPPING)))

    await end(running)

    assert pids(folder) == {}


async def test_a_terminal_that_closes_after_ctrl_c_lets_everything_end_in_its_time(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    stubborn = make_plan("console", "--ignore-term", port=free_ports[0], stop_seconds=0.5)
    running = asyncio.create_task(StackRun([stubborn], folder, reporter).run())
    await reporter.ready.wait()
    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: bool(reporter.reported.messages(EventKind.STOPPING)))
    os.kill(os.getpid(), signal.SIGHUP)

    assert await asyncio.wait_for(running, 20)
    assert len(reporter.reported.messages(EventKind.WARNING)) == 1, (
        "it was killed when its time was over, and not before"
    )


async def test_a_killed_process_comes_back_on_its_port(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    plans = [make_plan("sidecar-1", port=free_ports[0])]
    running = asyncio.create_task(StackRun(plans, folder, reporter, policy=FAST).run())
    await reporter.ready.wait()
    first = pids(folder)["sidecar-1"]
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(reporter.reported.messages(EventKind.READY)) == 2)
    await until(lambda: pids(folder).get("sidecar-1", first) != first)

    assert await end(running)
    assert reporter.reported.messages(EventKind.CRASHED) == ["sidecar-1: was ended by SIGKILL; starts again in 0.05 s"]


async def test_a_run_in_which_a_process_was_given_up_was_not_well(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    flag = folder.root / "starts"
    plans = [make_plan("replay", "--count-starts", str(flag), "--start-after", "0.5", "--exit-code", "1")]
    running = asyncio.create_task(StackRun(plans, folder, reporter, policy=FAST).run())
    await until(lambda: bool(reporter.reported.messages(EventKind.GAVE_UP)))
    assert len(flag.read_text().splitlines()) == 3
    await until(lambda: len(flag.read_text().splitlines()) > 3)
    await until(lambda: len(reporter.reported.messages(EventKind.GAVE_UP)) == 2)

    assert not await end(running)


async def test_a_gateway_that_keeps_crashing_ends_neither_the_run_nor_the_others(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    plans = [
        make_plan("console", port=free_ports[0]),
        make_plan("gateway", "--exit-code", "1", "--last-output", "no room", is_main_job=True),
    ]
    running = asyncio.create_task(StackRun(plans, folder, reporter, policy=FAST).run())
    await until(lambda: len(reporter.reported.messages(EventKind.GAVE_UP)) >= 2)
    await until(lambda: "gateway" in reporter.failures)

    assert "no room" in reporter.reported.messages(EventKind.GAVE_UP)[0]
    written = state_file.read(folder.record)
    assert written
    assert {one.name: one.state for one in written.members}["console"] == ProcessState.READY
    assert "console" in pids(folder)
    assert not await end(running), "it was given up when the run ended"


async def test_a_gateway_with_a_wrong_setting_ends_the_start_and_all_others(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    plans = [
        make_plan("console", port=free_ports[0]),
        make_plan("gateway", "--exit-code", "78", port=free_ports[1], stage=Stage.GATEWAY, is_main_job=True),
    ]
    with pytest.raises(ConfigurationError, match="gateway: ended with exit code 78"):
        await StackRun(plans, folder, reporter).run()

    assert pids(folder) == {}


async def test_a_busy_port_of_the_gateway_is_refused_before_anything_starts(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        with pytest.raises(PortInUse, match=f"{port}.*for the gateway"):
            await StackRun([make_plan("gateway", port=port, is_main_job=True)], folder, reporter).run()

    assert not reporter.reported.messages(EventKind.STARTING)


async def test_a_busy_port_of_a_helper_is_waited_for_while_the_gateway_serves(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    foreign = socket.create_server(("127.0.0.1", free_ports[0]))
    plans = [
        make_plan("prometheus", port=free_ports[0]),
        make_plan("gateway", port=free_ports[1], stage=Stage.GATEWAY, is_main_job=True),
    ]
    running = asyncio.create_task(StackRun(plans, folder, reporter, policy=FAST).run())
    await reporter.ready.wait()
    assert set(pids(folder)) == {"gateway"}
    assert f"port {free_ports[0]} (for the prometheus) is taken by" in reporter.reported.messages(EventKind.CRASHED)[0]

    foreign.close()
    await until(lambda: "prometheus" in reporter.reported.order(EventKind.READY))
    assert await end(running)


async def test_an_answer_of_a_foreign_server_does_not_make_a_process_ready(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    """The port is free at the start and is taken by another server while ours still loads."""
    own, foreign = make_plan("console", "--start-after", "30"), make_plan("foreign", port=free_ports[0])
    ours = ProcessSpec(
        name="console",
        argv=own.argv,
        stage=Stage.GATEWAY,
        port=free_ports[0],
        ready_path="/healthz",
        start_seconds=1.0,
    )
    run = StackRun([ours], folder, reporter)
    other = StackRun([foreign], prepare(folder.root / "other"), FakeReporter())
    racing = asyncio.create_task(run.run())
    await until(lambda: bool(reporter.reported.messages(EventKind.STARTING)))
    others = asyncio.create_task(other.run())

    await until(
        lambda: any("was not ready after 1 s" in said for said in reporter.reported.messages(EventKind.CRASHED))
    )
    assert not reporter.reported.messages(EventKind.READY)
    for task in (racing, others):
        task.cancel()
    await asyncio.gather(racing, others, return_exceptions=True)


async def test_a_data_folder_that_vanishes_is_said_once_and_nothing_ends(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int], monkeypatch: Any
) -> None:
    monkeypatch.setattr(run_module, "_DISK_SECONDS", 0.05)
    plans = [make_plan("gateway", port=free_ports[0], is_main_job=True)]
    running = asyncio.create_task(StackRun(plans, folder, reporter, policy=FAST).run())
    await reporter.ready.wait()
    started = pids(folder)["gateway"]
    shutil.rmtree(folder.root)
    await until(
        lambda: any("is gone while everything runs" in said for said in reporter.reported.messages(EventKind.WARNING))
    )

    os.kill(started, signal.SIGKILL)
    await until(lambda: len(reporter.reported.messages(EventKind.READY)) == 2)
    assert await end(running)
    assert len(set(reporter.reported.messages(EventKind.WARNING))) == len(reporter.reported.messages(EventKind.WARNING))


async def test_that_no_alert_can_fire_is_said_once_and_shown_for_as_long_as_it_is_so(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int], monkeypatch: Any
) -> None:
    monkeypatch.setattr(run_module, "_HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(run_module, "_LIVE_SECONDS", 0.05)
    prometheus = make_plan("prometheus", port=free_ports[0])
    run = StackRun([prometheus], folder, reporter, prometheus_url=prometheus.address)
    running = asyncio.create_task(run.run())
    await until(lambda: "alerting" in reporter.failures)
    figures = reporter.figures
    await until(lambda: reporter.figures > figures + 2)

    assert reporter.failures["alerting"] == "does not work: Prometheus does not answer"
    said = [one for one in reporter.reported.messages(EventKind.WARNING) if "no alert can fire" in one]
    assert said == ["no alert can fire: Prometheus does not answer"]
    await end(running)


async def test_a_fault_of_the_housekeeping_is_said_once_and_ends_nothing(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int], monkeypatch: Any
) -> None:
    monkeypatch.setattr(run_module, "_DISK_SECONDS", 0.01)
    looked = 0

    def broken_disk(_: Path) -> int:
        nonlocal looked
        looked += 1
        raise OSError(errno.EIO, "Input/output error")

    run = StackRun([make_plan("console", port=free_ports[0])], folder, reporter, free=broken_disk)
    running = asyncio.create_task(run.run())
    await until(lambda: looked > 3)

    assert await end(running)
    assert len(reporter.reported.messages(EventKind.WARNING)) == 1
    assert "Input/output error" in reporter.reported.messages(EventKind.WARNING)[0]


async def test_a_reader_that_goes_away_ends_the_run_in_order(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    reporter.fails = BrokenPipeError
    run = StackRun([make_plan("console", port=free_ports[0])], folder, reporter)

    assert await asyncio.wait_for(run.run(), 20)
    assert pids(folder) == {}


async def test_a_terminal_that_is_gone_does_not_end_the_run(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    reporter.fails = OSError
    running = asyncio.create_task(StackRun([make_plan("console", port=free_ports[0])], folder, reporter).run())
    await until(lambda: reporter.figures > 0)
    await asyncio.sleep(0.1)

    assert not running.done()
    assert await end(running)


async def test_a_disk_that_runs_full_is_reported_once(
    reporter: FakeReporter, folder: DataFolder, make_plan: MakePlan, free_ports: list[int]
) -> None:
    run = StackRun([make_plan("console", port=free_ports[0])], folder, reporter, free=lambda _: 5_000_000)
    running = asyncio.create_task(run.run())
    await until(lambda: bool(reporter.reported.messages(EventKind.WARNING)))

    await end(running)
    assert reporter.reported.messages(EventKind.WARNING) == [f"only 5 MB are free for {folder.root}: make room"]
