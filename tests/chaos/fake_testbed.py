"""A testbed whose only process waits for input, and whose gateway is the fake one."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chaos.actions.action import Edit, Process, Samples
from chaos.proxy import FaultyProxy
from chaos.webhook import Arrival, WebhookReceiver
from edgeinfer.stack.folder import DataFolder
from tests.loadgen.fake_gateway import FakeGateway


@dataclass
class FakeTestbed:
    """A testbed whose only process is one that waits for input, and whose gateway is the fake one."""

    gateway: FakeGateway = field(default_factory=FakeGateway)
    gateway_url: str = ""
    pid: int | None = None
    port: int = 9
    held: list[Process] = field(default_factory=list)
    caps: list[int | None] = field(default_factory=list)
    device: list[str] = field(default_factory=list)
    environments: list[dict[str, str]] = field(default_factory=list)
    firmware_words: list[int] = field(default_factory=list)
    links: list[int | None] = field(default_factory=list)
    clocks: list[int] = field(default_factory=list)
    configured: list[tuple[Edit | None, Edit | None]] = field(default_factory=list)
    known_alerts: dict[str, str] = field(default_factory=dict)
    sidecar_url: str = "http://127.0.0.1:9"
    sessions_folder: Path = field(default_factory=Path)
    folder: DataFolder = field(default_factory=lambda: DataFolder(Path()))
    promtool: Path = field(default_factory=Path)
    awaited: int = 0
    crashes_forgotten: int = 0
    fails: int = 0
    alert_on_fault: str = ""
    proxy: FaultyProxy = field(default_factory=lambda: FaultyProxy("127.0.0.1", 9))
    scrape_proxy: FaultyProxy = field(default_factory=lambda: FaultyProxy("127.0.0.1", 9))
    receiver: WebhookReceiver = field(default_factory=WebhookReceiver)

    def pid_of(self, process: Process) -> int | None:
        return self.pid

    def port_of(self, process: Process) -> int:
        return self.port

    def hold_down(self, process: Process) -> None:
        self.held.append(process)

    def forget_crashes(self) -> None:
        self.crashes_forgotten += 1

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
        self.firmware_words.append(word)

    async def set_link(self, generation: int | None) -> None:
        self.links.append(generation)

    async def set_clock(self, seconds: int) -> None:
        self.clocks.append(seconds)

    async def configure(self, *, prometheus: Edit | None = None, alertmanager: Edit | None = None) -> None:
        self.configured.append((prometheus, alertmanager))

    async def await_prometheus(self) -> None:
        self.awaited += 1

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


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(1500):
        if is_so():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it never came to be")
