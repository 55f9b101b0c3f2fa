"""`edgeinfer incidents`: what happened, why, and what it cost."""

import asyncio
import time
from datetime import datetime
from pathlib import Path

import aiohttp
import click
import orjson

from edgeinfer.cli._running_stack import root_to_diagnose
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.diagnosis.incidents import DAY, Incident, Incidents
from edgeinfer.diagnosis.places import Stack, find_stack
from edgeinfer.diagnosis.run import Diagnostician
from edgeinfer.diagnosis.week import list_lines, week_lines
from edgeinfer.settings import StackSettings

_WEEK_DAYS = 7.0
_ANSWER_SECONDS = 10.0


def create() -> click.Command:
    @click.command("incidents", short_help="List what went wrong, why, and what it cost.")
    @click.option("--days", type=click.FloatRange(0.01, 366), default=30.0, show_default=True, help="How far back.")
    @click.option("--week", is_flag=True, help="Print the last seven days as a summary that can be mailed.")
    @click.option("--prometheus", "prometheus_url", help="Address of Prometheus, if not of the stack's own record.")
    @click.option(
        "--data-folder", type=click.Path(path_type=Path, file_okay=False), help="Of the stack to look at; else found."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the incidents as JSON.")
    def incidents(
        *, days: float, week: bool, prometheus_url: str | None, data_folder: Path | None, as_json: bool
    ) -> None:
        """List incidents, the newest first: start, end, cause, cost, and deploys and model changes near each.

        Without a folder or an address they are those of the stack that runs on this machine.
        An incident is a time in which critical alerts or warnings fired without a longer pause.
        Its cause is what 'edgeinfer diagnose --at' gives for the moment at which it was noticed.
        """
        settings = StackSettings.from_environment(None, data_folder=data_folder)
        stack = find_stack(settings, root_to_diagnose(settings, prometheus_url))
        days = _WEEK_DAYS if week else days
        found = asyncio.run(_read(prometheus_url or stack.url("prometheus"), stack, days))
        zone, now = datetime.now().astimezone().tzinfo, time.time()
        if as_json:
            document = {"incidents": [one.as_document() for one in found]}
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        else:
            lines = week_lines(found, now - days * DAY, now, zone) if week else list_lines(found, zone)
            click.echo("\n".join(lines))

    return incidents


async def _read(url: str, stack: Stack, days: float) -> list[Incident]:
    async with aiohttp.ClientSession() as http:
        diagnostician = Diagnostician(
            Prometheus(http, url, timeout_seconds=_ANSWER_SECONDS), way=stack.way, folder=stack.folder
        )
        return await Incidents(diagnostician).read(days)
