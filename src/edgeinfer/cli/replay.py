"""`edgeinfer replay`: a recorded IMU session, sent to a gateway as a phone would."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
import click
import orjson
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeinfer.cli._address import HttpAddress
from edgeinfer.cli._running_stack import RunningStack, find_running_stack
from edgeinfer.errors import DataFolderError, UnknownRecording
from edgeinfer.loadgen.client import KEY_HELP, GatewayClient
from edgeinfer.loadgen.phone import Phone, Tally
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.recordings.reader import IN_TURN, list_labelled, list_recordings, load_recording
from edgeinfer.settings import StackSettings
from edgeinfer.web.client_key import authorization

_WHY_POCKET = (
    "a phone in a trouser pocket. The model was made for a phone at the waist; recordings from there are not shipped, "
    "because the licence of UCI HAPT is uncertain"
)
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_LINE_SECONDS = 10.0
_SHOWN_ACTIVITIES = 8
_USUAL_GATEWAY = "http://127.0.0.1:8080"
_USUAL_CONSOLE = "http://127.0.0.1:8088"
_SHORT_ID = 8  # characters that name a session on pages and in alerts


def create() -> click.Command:
    @click.command("replay")
    @click.option(
        "--gateway",
        type=HttpAddress(),
        help="Address of the gateway; without one, of the stack that runs on this machine.",
    )
    @click.option(
        "--data-folder", type=click.Path(path_type=Path, file_okay=False), help="Of the stack that runs; else found."
    )
    @click.option(
        "--recording",
        default=IN_TURN,
        show_default=True,
        help="Name of the recording, or all of which it is known what was done, one after another.",
    )
    @click.option(
        "--recordings-folder",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Recordings of your own in place of the shipped ones.",
    )
    @click.option(
        "--speed",
        type=click.FloatRange(0.01, 1000),
        default=1.0,
        show_default=True,
        help="How many seconds of the recording to send each second.",
    )
    @click.option("--loop", is_flag=True, help="Begin again at the end, until Ctrl-C.")
    @click.option(
        "--console",
        "console_url",
        type=HttpAddress(),
        help="Address of the console, which has the session's page; default: that of the stack here whose gateway it "
        f"is, else {_USUAL_CONSOLE}.",
    )
    @click.option("--api-key-file", type=click.Path(path_type=Path, dir_okay=False), help=KEY_HELP)
    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @click.option("--list", "show_list", is_flag=True, help="List the recordings and end.")
    def replay(  # noqa: PLR0913 - click passes each option
        *,
        gateway: str | None,
        data_folder: Path | None,
        recording: str,
        recordings_folder: Path | None,
        speed: float,
        loop: bool,
        console_url: str | None,
        api_key_file: Path | None,
        as_json: bool,
        show_list: bool,
    ) -> None:
        """Send recorded IMU sessions to a gateway as a phone would, and show what came back.

        Where it is known what was done, that is sent too, and shown next to what the model said.
        A gateway that is down is waited for; nothing is lost or sent twice.
        """
        if show_list:
            _print_list(recordings_folder, as_json=as_json)
            return
        gateway = gateway or _gateway_here(data_folder)
        feeds = _feeds(recording, recordings_folder, loop=loop)
        if not as_json and recording == IN_TURN and recordings_folder is None:
            click.echo(f"Replaying {len(feeds)} people in turn, {_WHY_POCKET}.", err=True)
        tally = asyncio.run(
            _replay(gateway, feeds, speed, headers=authorization(api_key_file), show=not as_json, loop=loop)
        )
        if as_json:
            document = {"recording": recording, "gateway": gateway, "speed": speed, **tally.as_document()}
            document["page"] = _page(console_url or _console_of(gateway), tally) or None
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        else:
            Console().print(_summary(recording, tally))
            if page := _page(console_url or _console_of(gateway), tally):
                click.echo(f"The newest session's page, while the gateway runs: {page}")
        if not tally.samples:
            sys.exit(1)

    return replay


def _feeds(recording: str, folder: Path | None, *, loop: bool) -> list[SampleSource]:
    """One feed for each person; only a single one is looped in itself, because people take turns."""
    names = [info.name for info in list_labelled(folder)] if recording == IN_TURN else [recording]
    if not names:
        fault = "no recording says what was done"
        raise UnknownRecording(f"folder {folder}", fault, "Name one with --recording; --list shows them.")
    return [SampleSource(load_recording(name, folder), loop=loop and len(names) == 1) for name in names]


async def _replay(  # noqa: PLR0913 - the options of the command
    gateway: str, feeds: list[SampleSource], speed: float, *, headers: Mapping[str, str], show: bool, loop: bool
) -> Tally:
    tally, stopping = Tally(), asyncio.Event()
    async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as http:
        for sign in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sign, stopping.set)
        for feed in cycle(feeds) if loop else feeds:
            if stopping.is_set():
                break
            phone = Phone(GatewayClient(http, gateway), feed, tally, speed=speed)
            await _play(phone, feed, gateway, tally, stopping, show=show)
    return tally


async def _play(  # noqa: PLR0913 - one person's turn
    phone: Phone, feed: SampleSource, gateway: str, tally: Tally, stopping: asyncio.Event, *, show: bool
) -> None:
    async def stop() -> None:
        await stopping.wait()
        phone.stop()

    tasks = [asyncio.create_task(stop())]
    if show:
        tasks.append(asyncio.create_task(_show_progress(gateway, feed, tally)))
    try:
        await phone.run()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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


def _gateway_here(data_folder: Path | None) -> str:
    """The gateway of the stack that runs here; the usual address where none does."""
    stack = find_running_stack(StackSettings.from_environment(None, data_folder=data_folder))
    return stack.addresses.get("gateway", _USUAL_GATEWAY) if stack else _USUAL_GATEWAY


def _console_of(gateway: str, stack: RunningStack | None = None) -> str:
    """The console of the stack that a gateway belongs to, if it runs here; the usual one else."""
    with suppress(DataFolderError):
        stack = stack or find_running_stack(StackSettings.from_environment(None))
    if stack is not None and stack.addresses.get("gateway") == gateway.rstrip("/"):
        return stack.addresses.get("console", _USUAL_CONSOLE)
    return _USUAL_CONSOLE


def _page(console_url: str, tally: Tally) -> str:
    """Where the console shows the newest session; empty where there was none."""
    session_id = str(tally.session.get("sessionId", ""))
    return f"{console_url.rstrip('/')}/sessions/{session_id[:_SHORT_ID]}" if session_id else ""


def _summary(recording: str, tally: Tally) -> Table:
    table = Table(title=f"Replay of {recording}", show_header=False, title_justify="left")
    table.add_row("samples acknowledged", str(tally.samples))
    table.add_row("samples according to the gateway", str(tally.stored_samples))
    for source, count in sorted(tally.windows.items()):
        table.add_row(f"windows from {source}", str(count))
    for motif, count in tally.motifs.most_common(3):
        table.add_row(f"windows most like {motif}", str(count))
    for (done, said), count in tally.activities.most_common(_SHOWN_ACTIVITIES):
        table.add_row(f"{done}, and the model said {said}", str(count))
    table.add_row("sessions", str(tally.sessions))
    if tally.session:
        _add_session(table, tally.session)
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


def _add_session(table: Table, session: Mapping[str, Any]) -> None:
    """What the gateway says about the newest session."""
    lasted, samples = session["duration_s"], session["totalSamples"]
    table.add_row("the newest session", f"since {session['startedAt']}, for {lasted:.0f} s, {samples} samples")
    if synchrony := session.get("synchrony"):
        measured = f"r {synchrony['r']:.2f}, lag {synchrony['lag_ms']} ms, confidence {synchrony['confidence']:.2f}"
        table.add_row("its synchrony", f"none: {synchrony['reason']}" if synchrony["reason"] else measured)
    for stream in session["streams"]:
        by_fallback = stream["windows"].get("fallback", 0)
        table.add_row(
            f"stream {stream['role']}", f"{len(stream['timeline'])} newest windows, {by_fallback} by fallback"
        )
        _add_quality(table, stream["role"], stream["quality"])


def _add_quality(table: Table, role: str, quality: Mapping[str, Any]) -> None:
    offset = quality["clock_offset_s"]
    clock = "t does not count from 1970" if offset is None else f"clock offset {offset} s"
    table.add_row("", f"{quality['rate_hz']} Hz, jitter {quality['jitter_ms']} ms, {clock}")
    counts = ", ".join(f"{quality[name]} {name}" for name in ("dropped", "reordered", "clock_jumps"))
    table.add_row("", f"{quality['gaps']} gaps, the longest {quality['longest_gap_ms']} ms, {counts}")
    for one in quality["problems"]:
        table.add_row(f"stream {role}: {one['problem']}", one["remedy"])


def _print_list(folder: Path | None, *, as_json: bool) -> None:
    recordings = list_recordings(folder)
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
