"""`edgeinfer up --background`: the same run without a terminal; the command ends once the stack is ready."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import IO, NoReturn

import aiohttp
import click
import orjson

from edgeinfer.catalog.backends import backend_files
from edgeinfer.cli._running_stack import RunningStack
from edgeinfer.errors import DataFolderError
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.plan import SIDECAR_PREFIX
from edgeinfer.stack.reporter import PlainReporter
from edgeinfer.stack.status_line import LiveFigures

_LOOK_SECONDS = 0.1
_ANSWER_SECONDS = 3.0


class BackgroundReporter(PlainReporter):
    """Every event into the log; the figures are left to `edgeinfer top`, so that the log does not grow.

    Args:
        stream: of the log.
        ready: end of a pipe, on which one byte says that the addresses are in the log.
    """

    def __init__(self, stream: IO[str], ready: int) -> None:
        super().__init__(stream)
        self._ready = ready

    def addresses(self, addresses: Mapping[str, str], data_folder: str) -> None:
        """One line each; whoever started this may go."""
        super().addresses(addresses, data_folder)
        os.write(self._ready, b"1")
        os.close(self._ready)

    def status_line(self, figures: LiveFigures | None, failures: Mapping[str, str]) -> None:
        """Nothing: a change for the worse is an event as well."""


def refuse_another_backend(stack: RunningStack, backend: str | None) -> None:
    """Accept a stack that runs already if it computes with what was asked for.

    Raises:
        DataFolderError: it computes with something else.
    """
    wanted = next((one.kind for one in backend_files() if one.name == backend), "")
    runs = asyncio.run(_backend_of(stack.addresses.get(f"{SIDECAR_PREFIX}-1", ""))) if wanted else ""
    if runs and runs != wanted:
        fault = f"a stack with the backend {runs} runs on it (process {stack.pid}), and not {wanted}"
        remedy = f"End that one first: edgeinfer down --data-folder {quote(str(stack.root))}"
        raise DataFolderError(f"data folder {stack.root}", fault, remedy)


def say_running(stack: RunningStack) -> None:
    click.echo(f"The stack runs already (process {stack.pid}):")
    PlainReporter(sys.stdout).addresses(stack.addresses, str(stack.root))


async def _backend_of(address: str) -> str:
    """What the sidecar computes with; empty where it does not say."""
    try:
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"{address}/healthz") as answer:
            return str(orjson.loads(await answer.read()).get("backend") or "")
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return ""


def go_to_background(folder: DataFolder) -> BackgroundReporter:
    """Continue as a process of its own, in a session of its own; the process that called this ends within.

    It shows what the run says until it is ready, and ends with 0 then, else with the exit code of the run.
    """
    log = folder.logs / "up.log"
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    log.touch()
    ready, say_ready = os.pipe()
    pid = os.fork()
    if pid:
        os.close(say_ready)
        _follow(pid, log, ready, folder)
    os.close(ready)
    os.setsid()
    with log.open("ab") as file, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    return BackgroundReporter(sys.stdout, say_ready)


def _follow(pid: int, log: Path, ready: int, folder: DataFolder) -> NoReturn:
    with log.open(encoding="utf-8", errors="replace") as said:
        try:
            while not select.select([ready], [], [], _LOOK_SECONDS)[0]:
                click.echo(said.read(), nl=False)
        except KeyboardInterrupt:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
            raise
        is_ready = os.read(ready, 1) == b"1"
        code = 0 if is_ready else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        click.echo(said.read(), nl=False)
    if is_ready:
        click.echo(f"It runs in the background. To end it: edgeinfer down --data-folder {quote(str(folder.root))}")
    sys.exit(code if code >= 0 else 1)
