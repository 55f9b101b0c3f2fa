"""A stack that a command starts for itself: on free ports, and ended with the command."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from edgeinfer.settings import StackSettings
from edgeinfer.stack.events import Event
from edgeinfer.stack.plan import ProcessSpec
from edgeinfer.stack.ports import PortPool
from edgeinfer.stack.process import spawn
from edgeinfer.stack.readiness import http_probe
from edgeinfer.stack.supervisor import Supervisor

_PORTS = ("gateway_port", "sidecar_port", "exporter_port", "console_port", "prometheus_port", "alertmanager_port")
_PROBE_SECONDS = 2.0


def settings_on_free_ports(pool: PortPool) -> StackSettings:
    """Settings of a stack on ports of its own."""
    settings = StackSettings.from_environment(None, **dict(zip(_PORTS, pool.take(len(_PORTS)), strict=True)))
    # Nobody calls it by gRPC, and the port of the settings may be another stack's.
    return settings.model_copy(update={"sidecar_grpc_port": None})


def quiet(event: Event) -> None:
    del event


@asynccontextmanager
async def running(plans: Sequence[ProcessSpec], logs: Path) -> AsyncIterator[dict[str, int]]:
    """Start these processes, wait until each is ready, and stop them in the end; gives their process ids by name.

    Raises:
        StackError, ConfigurationError: one did not become ready; the message has the end of its log.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PROBE_SECONDS)) as http:
        supervisor = Supervisor(plans, logs, spawn, http_probe(http), quiet)
        try:
            await supervisor.start()
            await supervisor.await_ready()
            watching = asyncio.create_task(supervisor.watch())
            try:
                yield {member.plan.name: member.pid for member in supervisor.members if member.pid}
            finally:
                watching.cancel()
        finally:
            await supervisor.stop()
