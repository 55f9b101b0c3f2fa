"""`edgeinfer load-test`: users on a schedule against a gateway, and a report."""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import click
import orjson
import uvloop
from psutil import pid_exists
from rich.console import Console
from rich.live import Live
from rich.text import Text

from edgeinfer.cli._address import HttpAddress
from edgeinfer.cli._load_target import load_target
from edgeinfer.cli._running_stack import find_running_stack
from edgeinfer.errors import DataFolderError
from edgeinfer.loadgen.client import KEY_HELP, GatewayClient
from edgeinfer.loadgen.profile import PROFILES, Objective, Profile, stress_users
from edgeinfer.loadgen.progress import Progress
from edgeinfer.loadgen.prometheus import Prometheus, PrometheusUnreachable, compare
from edgeinfer.loadgen.records import Records, RequestRecord
from edgeinfer.loadgen.report import summarize
from edgeinfer.loadgen.runner import Runner
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.loadgen.soak import Soak, look_at, pid_listening_on
from edgeinfer.loadgen.stress import find_knee, is_past_knee, step_of
from edgeinfer.loadgen.text import as_text
from edgeinfer.recordings.reader import list_labelled, list_recordings, load_recording
from edgeinfer.settings import StackSettings
from edgeinfer.stack.folder import prepare
from edgeinfer.stack.own_stack import running, settings_on_free_ports
from edgeinfer.stack.plan import LOOPBACK
from edgeinfer.stack.ports import PortPool
from edgeinfer.web.client_key import authorization

_PAUSE_BETWEEN_STEPS_SECONDS = 1.0
_LINE_SECONDS = 5.0
_OBJECTIVE = Objective()
_USUAL_GATEWAY = "http://127.0.0.1:8080"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked for on the command line."""

    gateway: str
    profile: Profile
    max_users: int
    prometheus: str | None
    watch: dict[str, int]
    headers: dict[str, str]
    stack: str = ""
    is_own: bool = False


def create() -> click.Command:
    @click.command("load-test")
    @click.option(
        "--gateway",
        type=HttpAddress(),
        help="Address of the gateway; without one, of the stack that runs on this machine.",
    )
    @click.option("--own-stack", is_flag=True, help="Start a stack for this run on free ports, and end it afterwards.")
    @click.option(
        "--running-stack",
        is_flag=True,
        help="Load the stack that runs; with --own-stack, else its own.",
    )
    @click.option(
        "--data-folder", type=click.Path(path_type=Path, file_okay=False), help="Of the stack that runs; else found."
    )
    @click.option(
        "--profile",
        type=click.Choice(sorted(PROFILES)),
        default="default",
        show_default=True,
        help="quick: 5 users, 15 s. default: 10 users, 60 s. stress: more and more users. soak: long and watched.",
    )
    @click.option("--users", type=click.IntRange(1, 10_000), help="Users instead of the profile's.")
    @click.option(
        "--seconds", type=click.FloatRange(min=1), help="Length instead of the profile's; of a step in stress."
    )
    @click.option("--minutes", type=click.FloatRange(min=0.05), help="The same in minutes.")
    @click.option("--process-per-second", type=click.FloatRange(0), help="Analyses without a session, of each user.")
    @click.option("--max-users", type=click.IntRange(5), default=2000, show_default=True, help="Where stress ends.")
    @click.option("--seed", type=int, help="Of the random moments; the same seed sends at the same moments.")
    @click.option("--prometheus", type=HttpAddress(), help="Compare with what this Prometheus saw.")
    @click.option(
        "--watch",
        "watched",
        type=_Watched(),
        multiple=True,
        metavar="NAME=PID",
        help="Processes whose memory a soak reports.",
    )
    @click.option("--api-key-file", type=click.Path(path_type=Path, dir_okay=False), help=KEY_HELP)
    @click.option("--report", type=click.Path(path_type=Path), help="Folder for report.txt and report.json.")
    @click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
    def load(  # noqa: PLR0913 - click passes each option
        *,
        gateway: str | None,
        own_stack: bool,
        running_stack: bool,
        data_folder: Path | None,
        profile: str,
        users: int | None,
        seconds: float | None,
        minutes: float | None,
        process_per_second: float | None,
        max_users: int,
        seed: int | None,
        prometheus: str | None,
        watched: tuple[tuple[str, int], ...],
        api_key_file: Path | None,
        report: Path | None,
        as_json: bool,
    ) -> None:
        """Load a gateway as phones would, and report whether it meets its objectives.

        Requests are due at moments that are fixed before the run; latency counts from there, so a slow service
        cannot hide behind fewer requests.
        Ends with 0 when p95 is under 100 ms and more than 95 % of the requests succeed, else with 1.
        It ends with 1 as well when Prometheus recorded other numbers than the client.
        An answer that the gateway computed on its own CPU (fallback) counts as answered, and is shown.
        """
        given = {
            "users": users,
            "seconds": minutes * 60 if minutes else seconds,
            "process_per_second": process_per_second,
            "seed": seed,
        }
        chosen = replace(PROFILES[profile], **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # click has checked each
        request = _Request(gateway or _USUAL_GATEWAY, chosen, max_users, prometheus, {}, authorization(api_key_file))
        if gateway and (own_stack or running_stack or data_folder):
            raise click.UsageError(
                "--gateway names what is loaded, and so do --own-stack, --running-stack and --data-folder."
            )
        if report:
            _check_writable(report)
        if not gateway:
            request = _choose_stack(request, data_folder, running=running_stack, own=own_stack)
        if request.stack:
            click.echo(request.stack, err=True)
        request = replace(request, watch=dict(watched) or _gateway_here(request.gateway))
        document = uvloop.run(_load_own_stack(request) if request.is_own else _load(request))
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() if as_json else as_text(document))
        if report:
            _write(report, document)
        sys.exit(0 if document["passed"] else 1)

    return load


def _choose_stack(request: _Request, data_folder: Path | None, *, running: bool, own: bool) -> _Request:
    """The stack that runs, one of this run's own, or the usual address; what is loaded is said."""
    settings = StackSettings.from_environment(None, data_folder=data_folder)
    stack = find_running_stack(settings) if running or not own else None
    if stack is not None and "gateway" in stack.addresses:
        said = f"Loading the stack that runs on {stack.root}; its dashboards: {stack.addresses.get('console', 'none')}"
        prometheus = request.prometheus or stack.addresses.get("prometheus")
        return replace(request, gateway=stack.addresses["gateway"], prometheus=prometheus, stack=said)
    if own:
        return replace(request, is_own=True, stack="No stack runs here: loading one of this run's own" * running)
    if running:
        fault = "no stack runs on it" if data_folder else "no stack runs on this machine"
        raise DataFolderError(f"data folder {data_folder or ''}".strip(), fault, "Start one: 'edgeinfer up'.")
    return request


async def _load_own_stack(request: _Request) -> Document:
    with TemporaryDirectory(prefix="edgeinfer-load-") as scratch:
        settings, folder = settings_on_free_ports(PortPool()), prepare(Path(scratch))
        async with running(load_target(settings, folder), folder.logs) as pids:
            gateway = f"http://{LOOPBACK}:{settings.gateway_port}"
            prometheus = f"http://{LOOPBACK}:{settings.prometheus_port}"
            return await _load(replace(request, gateway=gateway, prometheus=prometheus, watch=_services(pids)))


def _services(pids: dict[str, int]) -> dict[str, int]:
    """Our own processes: Prometheus grows with the series it stores, and that is not a leak."""
    return {name: pid for name, pid in pids.items() if name not in {"prometheus", "alertmanager"}}


async def _load(request: _Request) -> Document:
    known = {one.name for one in list_labelled()}  # long ones, for a look at the motifs
    names = [one.name for one in list_recordings() if one.name not in known]
    feeds = [SampleSource(load_recording(name), loop=True) for name in names]
    began = datetime.now(UTC).isoformat(timespec="seconds")
    timeout = aiohttp.ClientTimeout(total=request.profile.timeout_seconds)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, headers=request.headers) as http:
        runner = Runner(GatewayClient(http, request.gateway), feeds)
        play = {"stress": _stress, "soak": _soak}.get(request.profile.name, _single)
        result = await play(request, runner, http)
    named = {"profile": request.profile.name, "gateway": request.gateway, "stack": request.stack, "began": began}
    return {**named, **result}


async def _single(request: _Request, runner: Runner, http: aiohttp.ClientSession) -> Document:
    prometheus = Prometheus(http, request.prometheus) if request.prometheus else None
    before = await _snapshot(prometheus)
    records = Records()
    run = await _play(runner, request.profile, records.append)
    after = await _snapshot(prometheus)
    summary = summarize(run, records, _OBJECTIVE)
    comparison: Document | None = None
    if isinstance(before, str) or isinstance(after, str):
        reason = before if isinstance(before, str) else str(after)
        comparison = {"comparable": False, "reason": reason, "rows": []}
    elif before and after:
        comparison = compare(records, before, after, is_shared=not request.is_own)
    agrees = comparison is None or comparison.get("agrees", True)
    return {"run": summary, "prometheus": comparison, "passed": summary["passed"] and agrees}


async def _stress(request: _Request, runner: Runner, _: aiohttp.ClientSession) -> Document:
    steps: list[Document] = []
    for users in stress_users(request.max_users):
        records = Records()
        run = await _play(runner, replace(request.profile, users=users), records.append)
        steps.append(step_of(summarize(run, records, _OBJECTIVE)))
        if is_past_knee(steps):
            break
        await asyncio.sleep(_PAUSE_BETWEEN_STEPS_SECONDS)
    knee = find_knee(steps)
    objective = {"p95_ms": _OBJECTIVE.p95_seconds * 1000, "success_ratio": _OBJECTIVE.success_ratio}
    return {"steps": steps, "knee": knee, "objective": objective, "passed": knee is not None}


async def _soak(request: _Request, runner: Runner, _: aiohttp.ClientSession) -> Document:
    soak = Soak(partial(look_at, request.watch))
    run = await _play(runner, request.profile, soak)
    report = soak.as_document(run, _OBJECTIVE)
    return {"soak": report, "users": request.profile.users, "passed": report["passed"]}


async def _snapshot(prometheus: Prometheus | None) -> Any:
    """The counters, None where nobody asked, or why they cannot be had."""
    if prometheus is None:
        return None
    try:
        return await prometheus.snapshot()
    except PrometheusUnreachable as failure:
        return str(failure)


async def _play(runner: Runner, profile: Profile, take: Callable[[RequestRecord], None]) -> Any:
    progress = Progress(profile)

    def record(one: RequestRecord) -> None:
        progress(one)
        take(one)

    showing = asyncio.create_task(_show(progress))
    try:
        return await runner.run(profile, record)
    finally:
        showing.cancel()


async def _show(progress: Progress) -> None:
    """One line that is rewritten in a terminal, or one now and then where the output goes to a file."""
    console = Console(stderr=True)
    if not console.is_terminal:
        while True:
            await asyncio.sleep(_LINE_SECONDS)
            console.print(progress.line(), soft_wrap=True, highlight=False, markup=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Text(progress.line()), refresh=True)
            await asyncio.sleep(0.5)


class _Watched(click.ParamType[tuple[str, int]]):
    """Takes a process by the name that the report has for it."""

    name = "name=pid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        name, _, pid = str(value).partition("=")
        if not name or not pid.isdecimal() or not pid_exists(int(pid)):
            self.fail(f"{value!r} names no process that runs; write for example gateway=1234", param, ctx)
        return name, int(pid)


def _gateway_here(gateway: str) -> dict[str, int]:
    """The gateway's process where it listens on this machine."""
    address = urlsplit(gateway)
    is_here = address.hostname in {"127.0.0.1", "::1", "localhost"}
    pid = pid_listening_on(address.port or 80) if is_here else None
    return {"gateway": pid} if pid else {}


def _check_writable(folder: Path) -> None:
    """Before the run, whose report would be lost."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        fault = f"cannot be created ({failure.strerror})"
        raise DataFolderError(f"report folder {folder}", fault, "Name another with --report.") from failure
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataFolderError(f"report folder {folder}", "this user may not write there", "Name another with --report.")


def _write(folder: Path, document: Document) -> None:
    (folder / "report.txt").write_text(as_text(document) + "\n")
    (folder / "report.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
