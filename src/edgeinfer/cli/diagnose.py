"""`edgeinfer diagnose`: what is wrong, why, since when, what it has cost, and what to do."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import aiohttp
import click
import orjson

from edgeinfer.cli._moment import Moment
from edgeinfer.cli._running_stack import root_to_diagnose
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.diagnosis.diagnosis import Diagnosis, Verdict
from edgeinfer.diagnosis.machine import Facts, look
from edgeinfer.diagnosis.places import Stack, find_stack
from edgeinfer.diagnosis.report import as_lines
from edgeinfer.diagnosis.run import Diagnostician
from edgeinfer.monitoring.causes.commands import PROCESSES, Way
from edgeinfer.settings import StackSettings

_EXIT_CODES = {Verdict.WELL: 0, Verdict.FOUND: 1, Verdict.UNKNOWN: 3, Verdict.UNSEEN: 4}
_ANSWER_SECONDS = 2.0


def create() -> click.Command:
    @click.command("diagnose", short_help="Say what is wrong, why, and what to do.")
    @click.option("--at", type=Moment(), help="A moment in the past, such as '03:10', '2026-11-29 03:10' or '2h'.")
    @click.option("--since", type=Moment(), help="From when on the cost is counted; from its beginning if not given.")
    @click.option("--prometheus", "prometheus_url", help="Address of Prometheus, if not of the stack's own record.")
    @click.option(
        "--data-folder", type=click.Path(path_type=Path, file_okay=False), help="Of the stack to look at; else found."
    )
    @click.option("--way", type=click.Choice([str(way) for way in Way]), help="How the stack runs, if not found out.")
    @click.option("--json", "as_json", is_flag=True, help="Print the diagnosis as JSON.")
    def diagnose(  # noqa: PLR0913 - click passes each option
        *,
        at: float | None,
        since: float | None,
        prometheus_url: str | None,
        data_folder: Path | None,
        way: str | None,
        as_json: bool,
    ) -> None:
        """Say what is wrong, since when, why, what it has cost, and what to do about it.

        Without a folder or an address it looks at the stack that runs on this machine.
        Reads Prometheus, the processes, their logs and the machine; works without any of them, and says what it
        could not see. Nothing is changed.

        Exit codes: 0 nothing is wrong, 1 something is wrong and its cause is named, 3 something is wrong and no
        known cause fits, 4 too little could be seen to say.
        """
        if at is not None and at > time.time() + 1:
            raise click.BadParameter("this moment is in the future", param_hint="--at")
        if since is not None and since > (at or time.time()):
            raise click.BadParameter("the cost cannot be counted from after the moment on", param_hint="--since")
        settings = StackSettings.from_environment(None, data_folder=data_folder)
        how = Way(way) if way else None
        stack = find_stack(settings, root_to_diagnose(settings, prometheus_url, how), how)
        diagnosis = asyncio.run(_run(stack, prometheus_url or stack.url("prometheus"), at, since))
        if as_json:
            click.echo(orjson.dumps(diagnosis.as_document(), option=orjson.OPT_INDENT_2).decode())
        else:
            click.echo("\n".join(as_lines(diagnosis, datetime.now().astimezone().tzinfo)))
        sys.exit(_EXIT_CODES[diagnosis.verdict])

    return diagnose


def _is_its_own(stack: Stack, url: str) -> bool:
    """Whether this Prometheus is the one of the stack on this machine: another's processes are not to be found here."""
    return url.rstrip("/") == stack.url("prometheus")


async def _look_nowhere(reason: str) -> Facts:
    return Facts(unseen=[reason])


def _looking(http: aiohttp.ClientSession, stack: Stack, url: str) -> Callable[[], Awaitable[Facts]]:
    """A look at the machine, where the stack that is asked about is known to be on it."""
    if stack.is_foreign:
        return partial(_look_nowhere, f"the machine: {'; '.join(stack.unseen)}")
    if not _is_its_own(stack, url):
        return partial(_look_nowhere, "the machine: this Prometheus is not the one of the stack on this machine")
    return partial(look, http, stack)


async def _run(stack: Stack, url: str, at: float | None, since: float | None) -> Diagnosis:
    async with aiohttp.ClientSession() as http:
        diagnostician = Diagnostician(
            Prometheus(http, url, timeout_seconds=_ANSWER_SECONDS),
            _looking(http, stack, url),
            stack.way,
            stack.folder,
            lambda: {process: stack.pid(process) for process in PROCESSES},
        )
        return await diagnostician.diagnose(at, since)
