"""Resources that run out: memory, open files, file size, processor time, and a clock that is off."""

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

import psutil

from chaos.actions.action import Process, Testbed, Users, kill


class Resource(StrEnum):
    """What a process can run out of."""

    MEMORY = "memory"
    OPEN_FILES = "open files"
    FILE_SIZE = "file size"


_LIMITS = {
    Resource.MEMORY: resource.RLIMIT_AS,
    Resource.OPEN_FILES: resource.RLIMIT_NOFILE,
    Resource.FILE_SIZE: resource.RLIMIT_FSIZE,
}


@dataclass(frozen=True, slots=True)
class LimitResource:
    """A resource limit of the running process falls to `amount`, or to what it uses now plus `above_use`.

    Connections through the proxy are cut, so that new ones are needed.
    """

    process: Process
    resource: Resource
    amount: int | None = None
    above_use: int = 0

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        pid = testbed.pid_of(self.process)
        if pid is None:
            yield
            return
        kind = _LIMITS[self.resource]
        soft, hard = resource.prlimit(pid, kind)
        amount = self.amount if self.amount is not None else _use(pid, self.resource) + self.above_use
        resource.prlimit(pid, kind, (amount, hard))
        testbed.proxy.drop_connections()
        try:
            yield
        finally:
            if psutil.pid_exists(pid) and testbed.pid_of(self.process) == pid:
                resource.prlimit(pid, kind, (soft, hard))


def _use(pid: int, kind: Resource) -> int:
    process = psutil.Process(pid)
    return process.memory_info().vms if kind is Resource.MEMORY else process.num_fds()


@dataclass(frozen=True, slots=True)
class RestartWithMemoryLimit:
    """SIGKILL, and until the fault ends each new start has only this much address space; then it is killed again."""

    process: Process
    megabytes: int

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        testbed.cap_starts(self.process, self.megabytes)
        kill(testbed, self.process)
        try:
            yield
        finally:
            testbed.cap_starts(self.process, None)
            kill(testbed, self.process)  # it would keep its limit, and wait for memory
            testbed.let_up(self.process)


@dataclass(frozen=True, slots=True)
class CpuStress:
    """Other programs take every core of the machine."""

    @asynccontextmanager
    async def applied(self, _: Testbed, __: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        spin = (sys.executable, "-c", "while True: pass")
        spinning = [await asyncio.create_subprocess_exec(*spin) for _ in range(os.cpu_count() or 1)]
        try:
            yield
        finally:
            for process in spinning:
                process.kill()
                await process.wait()


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock of gateway and sidecar jumps by so many seconds, and back at the end; monotonic time does not."""

    seconds: int

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        await testbed.set_clock(self.seconds)
        try:
            yield
        finally:
            await testbed.set_clock(0)
