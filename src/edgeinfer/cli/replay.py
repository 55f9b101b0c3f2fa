"""`edgeinfer replay`: a recorded IMU session, sent to a gateway as a phone would."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import click
import orjson
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeinfer.loadgen.client import KEY_HELP, GatewayClient, authorization
from edgeinfer.loadgen.phone import Phone, Tally
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.recordings.reader import list_recordings, load_recording

_DEFAULT_RECORDING = "walking-upper-leg"
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_LINE_SECONDS = 10.0


def create() -> click.Command:
    """The command."""

    @click.command("replay")
    @click.option("--gateway", default="http://127.0.0.1:8080", show_default=True, help="Address of the gateway.")
    @click.option("--recording", default=_DEFAULT_RECORDING, show_default=True, help="Name of the recording.")
    @click.option(
        "--speed",
        type=click.FloatRange(0.01, 1000),
        default=1.0,
        show_default=True,
        help="How many seconds of the recording to send each second.",
    )
    @click.option("--loop", is_flag=True, help="Begin again at the end, until Ctrl-C.")
    @click.option("--api-key-file", type=click.Path(path_type=Path, dir_okay=False), help=KEY_HELP)
    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @click.option("--list", "show_list", is_flag=True, help="List the recordings and end.")
    def replay(  # noqa: PLR0913 - click passes each option
        *,
        gateway: str,
        recording: str,
        speed: float,
        loop: bool,
        api_key_file: Path | None,
        as_json: bool,
        show_list: bool,
    ) -> None:
        """Send a recorded IMU session to a gateway as a phone would, and print the results.

        A gateway that is down is waited for; nothing is lost or sent twice.
        """
        if show_list:
            _print_list(as_json=as_json)
            return
        feed = SampleSource(load_recording(recording), loop=loop)
        tally = asyncio.run(_replay(gateway, feed, speed, headers=authorization(api_key_file), show=not as_json))
        if as_json:
            document = {"recording": recording, "gateway": gateway, "speed": speed, **tally.as_document()}
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        else:
            Console().print(_summary(recording, tally))
        if not tally.samples:
            sys.exit(1)

    return replay


async def _replay(gateway: str, feed: SampleSource, speed: float, *, headers: Mapping[str, str], show: bool) -> Tally:
    tally = Tally()
    async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as http:
        phone = Phone(GatewayClient(http, gateway), feed, tally, speed=speed)
        for sign in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sign, phone.stop)
        progress = asyncio.create_task(_show_progress(gateway, feed, tally)) if show else None
        try:
            await phone.run()
        finally:
            if progress:
                progress.cancel()
                await asyncio.gather(progress, return_exceptions=True)
    return tally


async def _show_progress(gateway: str, feed: SampleSource, tally: Tally) -> None:
    """One line that is rewritten in a terminal, or one now and then where the output goes to a file."""
    console = Console(stderr=True)
    if not console.is_terminal:
        while True:
            await asyncio.sleep(_LINE_SECONDS)
            console.print(_line(gateway, feed, tally), soft_wrap=True, highlight=False, markup=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Text(_line(gateway, feed, tally)), refresh=True)
            await asyncio.sleep(0.25)


def _line(gateway: str, feed: SampleSource, tally: Tally) -> str:
    total = f" of {feed.sample_count}" if feed.sample_count else ""
    sources = ", ".join(f"{count} {source}" for source, count in sorted(tally.windows.items())) or "none yet"
    away = "" if tally.is_connected else f"  (waiting for {gateway}, nothing is lost)"
    return f"{feed.name}: {tally.samples}{total} samples sent; windows: {sources}{away}"


def _summary(recording: str, tally: Tally) -> Table:
    table = Table(title=f"Replay of {recording}", show_header=False, title_justify="left")
    table.add_row("samples acknowledged", str(tally.samples))
    table.add_row("samples according to the gateway", str(tally.stored_samples))
    for source, count in sorted(tally.windows.items()):
        table.add_row(f"windows from {source}", str(count))
    for motif, count in tally.motifs.most_common(3):
        table.add_row(f"windows most like {motif}", str(count))
    table.add_row("sessions", str(tally.sessions))
    optional = {
        "requests repeated": tally.retries,
        "batches the gateway had already": tally.duplicates,
        "samples refused": tally.refused_samples,
        "samples not sent before the end": tally.unsent_samples,
    }
    for name, count in optional.items():
        if count:
            table.add_row(name, str(count))
    for failure, count in sorted(tally.failures.items()):
        table.add_row(f"answers {failure}", str(count))
    return table


def _print_list(*, as_json: bool) -> None:
    recordings = list_recordings()
    if as_json:
        document = [
            {"name": one.name, "title": one.title, "seconds": one.duration_seconds, "samples": one.sample_count}
            for one in recordings
        ]
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        return
    width = max(len(one.name) for one in recordings)
    for one in recordings:
        click.echo(f"{one.name:{width}}  {one.duration_seconds:6.1f} s  {one.title}")
