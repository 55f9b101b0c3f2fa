"""Processes that are killed, stopped, or started in another way."""

import asyncio
import random
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.actions.action import LOOK_SECONDS, Process, Testbed, Users, kill, kill_and_wait, send_signal
from chaos.foreign import foreign_server


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL; the process stays down until the fault ends, or is started again by the supervisor."""

    process: Process
    stays_down: bool = True

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        if self.stays_down:
            testbed.hold_down(self.process)
        kill(testbed, self.process)
        try:
            yield
        finally:
            testbed.let_up(self.process)


@dataclass(frozen=True, slots=True)
class KillLoop:
    """SIGKILL each time the process is back, after a random time."""

    process: Process
    min_seconds: float = 0.0
    max_seconds: float = 0.2

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        killing = asyncio.create_task(self._keep_killing(testbed))
        try:
            yield
        finally:
            killing.cancel()

    async def _keep_killing(self, testbed: Testbed) -> None:
        chance = random.Random()  # noqa: S311 - no two runs kill at the same moments
        while True:
            if pid := testbed.pid_of(self.process):
                await asyncio.sleep(chance.uniform(self.min_seconds, self.max_seconds))
                send_signal(pid, signal.SIGKILL)
            await asyncio.sleep(LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class TakePort:
    """SIGKILL, and until the fault ends a foreign server holds the port of the process, so that it cannot restart.

    The server answers every request with metrics of its own, as node exporter does.
    """

    process: Process

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        testbed.hold_down(self.process)
        kill(testbed, self.process)
        try:
            async with foreign_server(testbed.port_of(self.process)):
                yield
        finally:
            testbed.let_up(self.process)


@dataclass(frozen=True, slots=True)
class Freeze:
    """SIGSTOP, and SIGCONT at the end: the process holds its connections and answers nothing."""

    process: Process

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        pid = testbed.pid_of(self.process)
        send_signal(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            send_signal(pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class StartWith:
    """SIGKILL, and until the fault ends each start has these settings in its environment."""

    process: Process
    environment: tuple[tuple[str, str], ...]

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        self._restart(testbed, dict(self.environment))
        try:
            yield
        finally:
            self._restart(testbed, {})

    def _restart(self, testbed: Testbed, environment: Mapping[str, str]) -> None:
        testbed.start_with(self.process, environment)
        kill(testbed, self.process)
        testbed.let_up(self.process)


@dataclass(frozen=True, slots=True)
class DamageStore:
    """SIGKILL to the gateway; a bit in the middle of its oldest live segment is flipped when it restarts."""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        testbed.hold_down(Process.GATEWAY)
        await kill_and_wait(testbed, Process.GATEWAY)
        await asyncio.to_thread(_flip_a_bit, testbed.sessions_folder)
        testbed.let_up(Process.GATEWAY)
        try:
            yield
        finally:
            await asyncio.to_thread(shutil.rmtree, testbed.sessions_folder / "damaged", ignore_errors=True)


def _flip_a_bit(folder: Path) -> None:
    oldest = min(folder.glob("live-*.log"))
    data = bytearray(oldest.read_bytes())
    data[len(data) // 2] ^= 1
    oldest.write_bytes(data)
