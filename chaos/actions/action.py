"""The shape of an action, and of the stack and the users that it acts on."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from chaos.proxy import FaultyProxy
from chaos.webhook import WebhookReceiver
from edgeinfer.stack.folder import DataFolder

LOOK_SECONDS = 0.2

Edit = Callable[[str], str]
"""Turns the text of a configuration into another."""

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
"""Values of counters by name and sorted labels."""


class Process(StrEnum):
    """A process of the stack that a scenario reaches."""

    GATEWAY = "gateway"
    SIDECAR = "sidecar-1"
    EXPORTER = "exporter"
    ALERTMANAGER = "alertmanager"
    PROMETHEUS = "prometheus"


class Servers(Protocol):
    """The living processes of a stack."""

    def pid_of(self, process: Process) -> int | None:
        """Process id; None while it is not running."""

    def hold_down(self, process: Process) -> None:
        """Keep the supervisor from restarting it."""

    def forget_crashes(self) -> None:
        """Let every process begin a new row of crashes, as the time between two failures does."""

    def let_up(self, process: Process) -> None:
        """Let the supervisor restart it, at once."""


class Testbed(Servers, Protocol):
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
    def scrape_proxy(self) -> FaultyProxy:
        """A fault proxy in front of the sidecar's metrics, which Prometheus uses only where it is configured to."""

    @property
    def receiver(self) -> WebhookReceiver:
        """The webhook that Alertmanager notifies."""

    @property
    def folder(self) -> DataFolder:
        """Where Prometheus and Alertmanager keep their files."""

    @property
    def promtool(self) -> Path:
        """The program that makes blocks of measurements."""

    def port_of(self, process: Process) -> int:
        """Port that the process listens on."""

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
        """Set the word of flags that the Raspberry Pi's firmware reports; 0 is a Raspberry Pi without a problem."""

    async def set_link(self, generation: int | None) -> None:
        """Let the chip's PCIe link run at this generation; None is the best that both ends can do."""

    async def set_clock(self, seconds: int) -> None:
        """Set the wall clock of gateway and sidecar so many seconds off."""

    async def configure(self, *, prometheus: Edit | None = None, alertmanager: Edit | None = None) -> None:
        """Let both load their configuration, changed by these edits; without an edit it is as it should be."""

    async def await_prometheus(self) -> None:
        """Wait until a Prometheus that was started answers again."""


class Users(Protocol):
    """The clients of the testbed's gateway."""

    def pause(self) -> None:
        """Pause all requests."""

    def resume(self) -> None:
        """Resume the requests."""


class Action(Protocol):
    """One thing that is done to a stack."""

    def applied(self, testbed: Testbed, users: Users, /) -> AbstractAsyncContextManager[None]:
        """Apply it, and undo it when the context ends, however it ends."""


def send_signal(pid: int | None, sign: signal.Signals) -> None:
    """Send a signal to a process; one that is gone needs none."""
    if pid is None:
        return
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return


def kill(servers: Servers, process: Process) -> None:
    """SIGKILL, where it is running."""
    send_signal(servers.pid_of(process), signal.SIGKILL)


async def kill_and_wait(servers: Servers, process: Process) -> None:
    """SIGKILL, and return when the process has ended."""
    pid = servers.pid_of(process)
    if pid is None:
        return
    send_signal(pid, signal.SIGKILL)
    while servers.pid_of(process) == pid:  # noqa: ASYNC110 - the supervisor has no event for it
        await asyncio.sleep(LOOK_SECONDS)
