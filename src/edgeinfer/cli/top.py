"""`edgeinfer top`: the overview in a terminal, over ssh too."""

import asyncio
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import click
import orjson
from rich.console import Console
from rich.live import Live

from edgeinfer.cli._running_stack import find_running_stack
from edgeinfer.cli._screen import ANSWERS, render
from edgeinfer.console.dashboard_files import DashboardFiles
from edgeinfer.console.overview import Overview, read_overview
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.refresh import Refresher
from edgeinfer.console.status import StatusReader
from edgeinfer.errors import DataFolderError
from edgeinfer.monitoring.files import dashboards_folder
from edgeinfer.settings import ConsoleSettings, StackSettings


def create() -> click.Command:
    @click.command("top")
    @click.option("--prometheus", "prometheus_url", help="Address of Prometheus.")
    @click.option(
        "--data-folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Of the stack to show; else found.",
    )
    @click.option("--interval", type=click.FloatRange(1, 300), default=5.0, show_default=True, help="Seconds to wait.")
    @click.option("--json", "as_json", is_flag=True, help="Print one snapshot as JSON and end.")
    @click.option("--once", is_flag=True, help="Print one snapshot and end; also when the output is not a terminal.")
    def top(
        *, prometheus_url: str | None, data_folder: Path | None, interval: float, as_json: bool, once: bool
    ) -> None:
        """Show latency, rate, errors, chip and alerts in the terminal, from the dashboards' own queries.

        Without an address it asks the Prometheus of the stack that runs on this machine. Press q to end.
        """
        settings = ConsoleSettings.from_environment(prometheus_url=prometheus_url)
        if "prometheus_url" not in settings.model_fields_set:
            settings = settings.model_copy(update=_of_running_stack(data_folder))
        folder = settings.dashboards_folder or dashboards_folder()
        console = Console()
        is_live = console.is_terminal and sys.stdin.isatty() and not (once or as_json)
        overview = asyncio.run(_run(settings.prometheus_url, folder, console if is_live else None, interval))
        if as_json:
            click.echo(orjson.dumps(overview.as_document(), option=orjson.OPT_INDENT_2).decode())
        elif not is_live:
            console.print(render(overview, console.width))
        if not is_live and overview.status.get("prometheus") not in ANSWERS:
            sys.exit(1)

    return top


def _of_running_stack(data_folder: Path | None) -> dict[str, str]:
    stack = find_running_stack(StackSettings.from_environment(None, data_folder=data_folder))
    if stack is None and data_folder:
        raise DataFolderError(f"data folder {data_folder}", "no stack runs on it", "Start it: 'edgeinfer up'.")
    address = stack.addresses.get("prometheus") if stack else None
    return {"prometheus_url": address} if address else {}


async def _run(url: str, folder: Path, live: Console | None, interval: float) -> Overview:
    """One overview, or one after the other on a terminal until q."""
    async with aiohttp.ClientSession() as http:
        prometheus = Prometheus(http, url, timeout_seconds=5)
        library = DashboardFiles(folder)
        refresher = Refresher(library, prometheus, StatusReader(prometheus, time.time), time.time)
        try:
            overview = await read_overview(library, refresher)
            return await _watch(library, refresher, overview, live, interval) if live else overview
        finally:
            await refresher.close()


async def _watch(
    library: DashboardFiles, refresher: Refresher, overview: Overview, console: Console, interval: float
) -> Overview:
    ended = asyncio.Event()
    with _keys(ended), Live(console=console, screen=True, auto_refresh=False) as screen:
        while not ended.is_set():
            screen.update(render(overview, console.width, console.height, is_live=True), refresh=True)
            try:
                async with asyncio.timeout(interval):
                    await ended.wait()
            except TimeoutError:
                overview = await read_overview(library, refresher)
    return overview


@contextmanager
def _keys(ended: asyncio.Event) -> Iterator[None]:
    """Hear of q without Enter; the terminal is put back whatever happens."""
    before = termios.tcgetattr(sys.stdin)
    loop = asyncio.get_running_loop()

    def on_key() -> None:
        if sys.stdin.read(1) in ("q", "Q", "\x1b", "\x03", ""):
            ended.set()

    tty.setcbreak(sys.stdin)
    loop.add_reader(sys.stdin, on_key)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
