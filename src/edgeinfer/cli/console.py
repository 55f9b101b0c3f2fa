"""`edgeinfer console`: the dashboards in a browser."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import click

from edgeinfer import logs
from edgeinfer.console.app import build_app
from edgeinfer.console.routes import MAX_BODY_BYTES
from edgeinfer.diagnosis.machine import Facts, look
from edgeinfer.diagnosis.places import Stack, find_stack, found_way
from edgeinfer.monitoring.causes.commands import PROCESSES, Way
from edgeinfer.monitoring.files import dashboards_folder
from edgeinfer.settings import ConsoleSettings, StackSettings
from edgeinfer.stack import lock
from edgeinfer.stack.folder import DataFolder, root_of
from edgeinfer.stack.ports import reachable
from edgeinfer.web.client_key import authorization
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.server import bind, serve
from edgeinfer.web.systemd import systemd_notifier_of

_CONTAINER = Path("/.dockerenv")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


def create() -> click.Command:
    @click.command("console")
    @click.option("--host", help="Address to listen on.")
    @click.option("--port", type=int, help="Port to listen on.")
    @click.option("--prometheus", "prometheus_url", help="Address of Prometheus.")
    @click.option("--alertmanager", "alertmanager_url", help="Address of Alertmanager.")
    @click.option("--gateway", "gateway_url", help="Address of the gateway, for its sessions.")
    @click.option(
        "--api-key-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File with the API key, where the gateway asks for one.",
    )
    @click.option(
        "--dashboards",
        "dashboards_folder",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Folder with dashboard JSON files.",
    )
    def console(**given: Any) -> None:
        """Show dashboards, alerts, sessions and targets in a browser; dashboards are the files that Grafana gets."""
        settings = ConsoleSettings.from_environment(**given)
        logs.configure(settings.log_level)
        listener = bind(settings.host, settings.port)
        stack = own_stack()
        app = build_app(
            dashboards=settings.dashboards_folder or dashboards_folder(),
            prometheus_url=settings.prometheus_url,
            alertmanager_url=settings.alertmanager_url,
            gateway_url=settings.gateway_url,
            console_url=settings.console_url or f"http://{reachable(settings.host)}:{settings.port}",
            authorize=partial(authorization, settings.api_key_file),
            runbooks=_runbooks(),
            hosts=hosts(settings.host, settings.allowed_hosts),
            look=stack.look,
            data_folder=stack.folder,
            way=stack.way,
            pids=stack.pids,
        )
        limits = ConnectionLimits(max_body_bytes=MAX_BODY_BYTES)
        serve(app, [listener], limits=limits, drain_seconds=2, supervisor=systemd_notifier_of(settings))

    return console


@dataclass(slots=True)
class OwnStack:
    """The stack that this console belongs to, for the commands of a diagnosis.

    Args:
        settings: of the stack.
        folder: its data folder.
        way: how it runs.
    """

    settings: StackSettings
    folder: Path
    way: Way
    _found: Stack | None = None

    async def look(self, http: aiohttp.ClientSession) -> Facts:
        """Look at the machine, where the stack's own record names its processes; in a container there is none."""
        self._found = await asyncio.to_thread(find_stack, self.settings, self.folder)
        if self._found.is_recorded:
            return await look(http, self._found)
        return Facts(unseen=["the machine: no run of 'edgeinfer up' is recorded on it"])

    def pids(self) -> dict[str, int | None]:
        """Of the processes that the newest look found."""
        return {process: self._found.pid(process) for process in PROCESSES} if self._found else {}


def own_stack(container: Path = _CONTAINER) -> OwnStack:
    """Find out which stack this console belongs to, and how it runs.

    Args:
        container: a file that is there in a container only.
    """
    settings = StackSettings.from_environment(None)
    folder = root_of(settings.data_folder, settings.data_home)
    return OwnStack(settings, folder, _way_of(folder, container))


def _way_of(folder: Path, container: Path) -> Way:
    try:
        is_of_a_run = lock.holder(DataFolder(folder).lock) is not None
    except OSError:  # another user's folder
        is_of_a_run = False
    if is_of_a_run:
        return Way.UP
    return Way.COMPOSE if container.exists() else found_way() or Way.UP


def hosts(host: str, allowed: str) -> tuple[str, ...]:
    """Names under which browsers may reach the console; any where it listens everywhere and nothing is said."""
    named = tuple(name.strip().lower() for name in allowed.split(",") if name.strip())
    if host in _EVERYWHERE and not named:
        return ()
    return (host.lower(), *named)


def _runbooks() -> Path | None:
    """The runbook pages, shipped next to the dashboards or in a checkout's docs."""
    shipped = dashboards_folder().parent / "runbooks"
    checkout = Path(__file__).parents[3] / "docs" / "runbooks"
    return next((folder for folder in (shipped, checkout) if folder.is_dir()), None)
