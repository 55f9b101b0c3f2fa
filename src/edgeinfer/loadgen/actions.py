"""Applies the steps of a scenario to a running stack, and undoes them."""

import asyncio
import contextlib
import os
import random
import resource
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
import orjson
import psutil

from edgeinfer.loadgen.faults import NO_FAULT
from edgeinfer.loadgen.foreign import foreign_server
from edgeinfer.loadgen.proxy import FaultyProxy
from edgeinfer.loadgen.steps import (
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
    SessionFlood,
    StartWith,
    Step,
    TakePort,
    TrainLink,
)
from edgeinfer.loadgen.webhook import WebhookReceiver

_LOOK_SECONDS = 0.2
_REFUSED_SECONDS = 0.5  # pause of a flooding client after a refused request
_A_WINDOW = orjson.dumps({"x": [[0.0] * 9] * 100})
_JSON = {"Content-Type": "application/json"}
_LIMITS = {
    Resource.MEMORY: resource.RLIMIT_AS,
    Resource.OPEN_FILES: resource.RLIMIT_NOFILE,
    Resource.FILE_SIZE: resource.RLIMIT_FSIZE,
}

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
"""Values of counters by name and sorted labels."""


class Testbed(Protocol):
    """A running stack that scenarios are played on."""

    @property
    def sessions_folder(self) -> Path:
        """Where the gateway keeps sessions."""

    @property
    def gateway_url(self) -> str:
        """Base URL of the API that the phones use."""

    @property
    def sidecar_url(self) -> str:
        """The sidecar itself, past the proxy."""

    @property
    def proxy(self) -> FaultyProxy:
        """The fault proxy between gateway and sidecar."""

    @property
    def receiver(self) -> WebhookReceiver:
        """The webhook that Alertmanager notifies."""

    def pid_of(self, process: Process) -> int | None:
        """Process id; None while it is not running."""

    def port_of(self, process: Process) -> int:
        """Port that the process listens on."""

    def hold_down(self, process: Process) -> None:
        """Keep the supervisor from restarting it."""

    def let_up(self, process: Process) -> None:
        """Let the supervisor restart it, at once."""

    def cap_starts(self, process: Process, megabytes: int | None) -> None:
        """Let each start of it have only so much address space; None ends that."""

    def start_with(self, process: Process, environment: Mapping[str, str]) -> None:
        """Let each start of it have these variables as well; none ends that."""

    async def counters(self, process: Process) -> Samples:
        """What it exports at this moment; empty while it cannot be scraped."""

    async def alerts(self) -> Mapping[str, str]:
        """Alerts that Prometheus knows, with their state: firing or pending."""

    async def set_device(self, state: str) -> None:
        """Put the fake chip into a state; empty ends every failure."""

    async def set_raspberry_pi(self, word: int) -> None:
        """Set the word of flags that the board's firmware reports; 0 is a board without a problem."""

    async def set_link(self, generation: int | None) -> None:
        """Let the chip's PCIe link run at this generation; None is the best that both ends can do."""

    async def set_clock(self, seconds: int) -> None:
        """Set the wall clock of gateway and sidecar so many seconds off."""

    async def blind(self, how: MonitoringFault | None) -> None:
        """Break the monitoring; None restores it."""


class Users(Protocol):
    """The clients of the testbed's gateway."""

    def pause(self) -> None:
        """Pause all requests."""

    def resume(self) -> None:
        """Resume the requests."""


@asynccontextmanager
async def actions(testbed: Testbed, step: Step, users: Users) -> AsyncIterator[None]:  # noqa: C901, PLR0912, PLR0915 - a table
    """Do a step, and undo it at the end."""
    match step:
        case Inject(fault):
            testbed.proxy.fault = fault
            yield
            testbed.proxy.fault = NO_FAULT
        case Kill(process, stays_down):
            if stays_down:
                testbed.hold_down(process)
            _signal(testbed.pid_of(process), signal.SIGKILL)
            yield
            testbed.let_up(process)
        case KillLoop():
            killing = asyncio.create_task(_keep_killing(testbed, step))
            yield
            killing.cancel()
        case TakePort(process):
            testbed.hold_down(process)
            _signal(testbed.pid_of(process), signal.SIGKILL)
            async with foreign_server(testbed.port_of(process)):
                yield
            testbed.let_up(process)
        case Freeze(process):
            pid = testbed.pid_of(process)
            _signal(pid, signal.SIGSTOP)
            yield
            _signal(pid, signal.SIGCONT)
        case RestartWithMemoryLimit(process, megabytes):
            testbed.cap_starts(process, megabytes)
            _signal(testbed.pid_of(process), signal.SIGKILL)
            yield
            testbed.cap_starts(process, None)
            _signal(testbed.pid_of(process), signal.SIGKILL)  # it would keep its limit, and wait for memory
            testbed.let_up(process)
        case LimitResource():
            async with _starving(testbed, step):
                yield
        case StartWith(process, environment):
            testbed.start_with(process, dict(environment))
            _signal(testbed.pid_of(process), signal.SIGKILL)
            testbed.let_up(process)
            yield
            testbed.start_with(process, {})
            _signal(testbed.pid_of(process), signal.SIGKILL)
            testbed.let_up(process)
        case DamageStore():
            await _damage_store(testbed)
            yield
            await asyncio.to_thread(shutil.rmtree, testbed.sessions_folder / "damaged", ignore_errors=True)
        case NoTraffic():
            users.pause()
            yield
            users.resume()
        case ClientFlood(callers):
            async with _crowd(f"{testbed.sidecar_url}/infer", callers):
                yield
        case SessionFlood(callers):
            async with _crowd(f"{testbed.gateway_url}/api/v1/analysis/start", callers):
                yield
        case CpuStress():
            async with _busy():
                yield
        case ClockStep(seconds):
            await testbed.set_clock(seconds)
            yield
            await testbed.set_clock(0)
        case BreakMonitoring(how):
            await testbed.blind(how)
            yield
            await testbed.blind(None)
        case RaspberryPiCondition(word):
            await testbed.set_raspberry_pi(word)
            yield
            await testbed.set_raspberry_pi(0)
        case TrainLink(generation):
            await testbed.set_link(generation)
            yield
            await testbed.set_link(None)
        case Flap():
            flapping = asyncio.create_task(_flap(testbed, step))
            yield
            flapping.cancel()
            await testbed.set_device("")
        case Device(state):
            await testbed.set_device(state)
            yield
            await testbed.set_device("")


async def _keep_killing(testbed: Testbed, step: KillLoop) -> None:
    chance = random.Random()  # noqa: S311 - no two runs kill at the same moments
    while True:
        if pid := testbed.pid_of(step.process):
            await asyncio.sleep(chance.uniform(step.min_seconds, step.max_seconds))
            _signal(pid, signal.SIGKILL)
        await asyncio.sleep(_LOOK_SECONDS)


async def _flap(testbed: Testbed, step: Flap) -> None:
    while True:
        await testbed.set_device(step.state)
        await asyncio.sleep(step.bad_seconds)
        await testbed.set_device("")
        await asyncio.sleep(step.well_seconds)


@asynccontextmanager
async def _crowd(url: str, callers: int) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        asking = [asyncio.create_task(_ask_on(http, url)) for _ in range(callers)]
        try:
            yield
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)


async def _ask_on(http: aiohttp.ClientSession, url: str) -> None:
    while True:
        is_refused = True
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with http.post(url, data=_A_WINDOW, headers=_JSON) as answer:
                await answer.read()
                is_refused = answer.status != 200  # noqa: PLR2004 - OK
        if is_refused:
            await asyncio.sleep(_REFUSED_SECONDS)


@asynccontextmanager
async def _busy() -> AsyncIterator[None]:
    spin = (sys.executable, "-c", "while True: pass")
    spinning = [await asyncio.create_subprocess_exec(*spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _starving(testbed: Testbed, step: LimitResource) -> AsyncIterator[None]:
    pid = testbed.pid_of(step.process)
    if pid is None:
        yield
        return
    kind = _LIMITS[step.resource]
    soft, hard = resource.prlimit(pid, kind)
    amount = step.amount if step.amount is not None else _use(pid, step.resource) + step.above_use
    resource.prlimit(pid, kind, (amount, hard))
    testbed.proxy.drop_connections()
    yield
    if psutil.pid_exists(pid) and testbed.pid_of(step.process) == pid:
        resource.prlimit(pid, kind, (soft, hard))


def _use(pid: int, kind: Resource) -> int:
    process = psutil.Process(pid)
    return process.memory_info().vms if kind is Resource.MEMORY else process.num_fds()


def _signal(pid: int | None, sign: signal.Signals) -> None:
    if pid is None:
        return
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return


async def _damage_store(testbed: Testbed) -> None:
    testbed.hold_down(Process.GATEWAY)
    _signal(testbed.pid_of(Process.GATEWAY), signal.SIGKILL)
    while testbed.pid_of(Process.GATEWAY) is not None:  # noqa: ASYNC110 - another program ends, and sets no Event
        await asyncio.sleep(_LOOK_SECONDS)
    await asyncio.to_thread(_flip_a_bit, testbed.sessions_folder)
    testbed.let_up(Process.GATEWAY)


def _flip_a_bit(folder: Path) -> None:
    oldest = min(folder.glob("live-*.log"))
    data = bytearray(oldest.read_bytes())
    data[len(data) // 2] ^= 1
    oldest.write_bytes(data)
