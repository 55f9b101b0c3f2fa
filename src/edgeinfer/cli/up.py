"""`edgeinfer up`: the whole stack on this machine, from one command."""

import asyncio
import os
import sys
from pathlib import Path

import click

from edgeinfer.catalog.backends import backend_names
from edgeinfer.cli._background import go_to_background, refuse_another_backend, say_running
from edgeinfer.cli._config_alertmanager import outside
from edgeinfer.cli._running_stack import RunningStack, find_running_stack
from edgeinfer.errors import BinaryNotFound
from edgeinfer.monitoring.alerting import alertmanager_configuration
from edgeinfer.monitoring.files import rule_files
from edgeinfer.monitoring.scrape import prometheus_configuration
from edgeinfer.settings import AlertingSettings, StackSettings
from edgeinfer.stack import damage_rules, lock, plan
from edgeinfer.stack.binaries import NEEDED, Binary, Program, cache_folder, find_all
from edgeinfer.stack.events import Event, EventKind
from edgeinfer.stack.fetch import find_or_fetch
from edgeinfer.stack.folder import DataFolder, prepare, root_of, too_little_room, write_whole
from edgeinfer.stack.plan import ProcessSpec
from edgeinfer.stack.reporter import Reporter, reporter_for
from edgeinfer.stack.run import StackRun

_PORT = click.IntRange(1, 65535)


def create() -> click.Command:
    @click.command("up")
    @click.option(
        "--data-folder",
        type=click.Path(path_type=Path, file_okay=False, readable=False),
        help="Where measurements and logs are kept.",
    )
    @click.option("--sidecars", type=click.IntRange(0, 16), help="Sidecars to start (1).")
    @click.option("--backend", type=click.Choice(backend_names()), help="What computes the answers (onnx).")
    @click.option("--replay/--no-replay", "with_replay", default=True, help="Replay a recorded session, over and over.")
    @click.option("--recording", help="The recording to replay; 'edgeinfer replay --list' prints their names.")
    @click.option("--monitoring/--no-monitoring", default=True, help="Run Prometheus and Alertmanager.")
    @click.option(
        "--exporter/--no-exporter",
        "with_exporter",
        default=None,
        help="Run the chip exporter; without either, only where a Hailo chip or driver is found.",
    )
    @click.option("--gateway-port", type=_PORT, help="Port of the gateway (8080).")
    @click.option("--sidecar-port", type=_PORT, help="Port of the first sidecar (9000).")
    @click.option("--console-port", type=_PORT, help="Port of the console (8088).")
    @click.option("--prometheus-port", type=_PORT, help="Port of Prometheus (9090).")
    @click.option("--alertmanager-port", type=_PORT, help="Port of Alertmanager (9093).")
    @click.option("--exporter-port", type=_PORT, help="Port of the chip exporter (9048).")
    @click.option("--background", is_flag=True, help="End this command once all is ready; the stack runs on.")
    @click.option("--json", "as_json", is_flag=True, help="Print everything as JSON lines.")
    def up(  # noqa: PLR0913 - the options of the command
        *,
        with_replay: bool,
        recording: str | None,
        monitoring: bool,
        with_exporter: bool | None,
        background: bool,
        as_json: bool,
        **given: object,
    ) -> None:
        """Run the whole stack on this machine until Ctrl-C, and show what it does.

        Starts sidecar, gateway, console, Prometheus and Alertmanager, waits until each is ready,
        replays a recorded session and prints the addresses.
        Measurements stay in the data folder; the next run shows them again.

        No process ends another: what crashes is started again, what keeps crashing is tried again
        with a growing delay, while the rest keeps running.

        With --background the command ends with 0 once everything is ready, or where the stack runs already;
        what the run says afterwards is in logs/up.log, and 'edgeinfer down' ends it.

        Exit codes: 0 ended in order, 1 a process was given up when it ended,
        78 a setting, a port of gateway or sidecar, or the data folder must be fixed first.
        """
        if background and as_json:
            raise click.UsageError("--background prints words alone; the state is in stack.json of the data folder.")
        os.umask(0o077)  # samples and logs are for this user alone, whichever process writes them
        settings = StackSettings.from_environment(None, **given)
        if with_replay and recording:
            _check_recording(recording)
        folder = prepare(root_of(settings.data_folder, settings.data_home))
        if background and (already := _running_on(settings, folder)):
            refuse_another_backend(already, settings.backend)
            say_running(already)
            return
        reporter = go_to_background(folder) if background else reporter_for(as_json=as_json)
        with lock.hold(folder.lock):
            plans = _services(settings, folder, with_exporter=with_exporter)
            if monitoring:
                plans += _monitoring(settings, folder, reporter, plans)
            else:
                reporter.report(Event(EventKind.NOTE, "running without monitoring as requested: nothing is recorded"))
            if with_replay:
                reporter.report(Event(EventKind.NOTE, recording_note(recording)))
                plans.append(
                    plan.replay(plan.gateway(settings, folder).address, recording or "", settings.api_key_file)
                )
            scarce = too_little_room(folder.root)
            if scarce:
                reporter.report(Event(EventKind.WARNING, f"{scarce}: make room"))
            well = _run(plans, folder, reporter, settings if monitoring else None)
        sys.exit(0 if well else 1)

    return up


def _running_on(settings: StackSettings, folder: DataFolder) -> RunningStack | None:
    return find_running_stack(settings.model_copy(update={"data_folder": folder.root}))


def recording_note(recording: str | None) -> str:
    """What the replay sends, and why that."""
    if recording and recording != "people-in-turn":
        return f"replaying the recording {recording}"
    return (
        "replaying six people in turn, phone in a trouser pocket. The model was made for a phone at the waist; "
        "recordings from there are not shipped, because the licence of UCI HAPT is uncertain"
    )


def _check_recording(name: str) -> None:
    """Report a wrong name before anything starts; numpy, which this needs, stays out of other runs' memory."""
    from edgeinfer.recordings.reader import IN_TURN, load_recording  # noqa: PLC0415

    if name != IN_TURN:
        load_recording(name)


def _run(plans: list[ProcessSpec], folder: DataFolder, reporter: Reporter, monitored: StackSettings | None) -> bool:
    url = f"http://{plan.LOOPBACK}:{monitored.prometheus_port}" if monitored else ""
    try:
        return asyncio.run(StackRun(plans, folder, reporter, prometheus_url=url).run())
    finally:
        reporter.close()


def _services(settings: StackSettings, folder: DataFolder, *, with_exporter: bool | None) -> list[ProcessSpec]:
    services = [*plan.sidecars(settings), plan.gateway(settings, folder), plan.console(settings)]
    if plan.has_chip() if with_exporter is None else with_exporter:
        services.append(plan.exporter(settings))
    return services


def _monitoring(
    settings: StackSettings, folder: DataFolder, reporter: Reporter, services: list[ProcessSpec]
) -> list[ProcessSpec]:
    _write_configuration(settings, folder, reporter, services)
    binaries = _find_binaries(settings, reporter)
    return [
        plan.prometheus(settings, binaries[Program.PROMETHEUS], folder),
        plan.alertmanager(settings, binaries[Program.ALERTMANAGER], folder),
    ]


def _find_binaries(settings: StackSettings, reporter: Reporter) -> dict[Program, Binary]:
    """Prometheus and Alertmanager; one that cannot be had is named by its command, for which PATH is searched later."""
    try:
        found = dict(find_or_fetch(cache_folder(settings.cache_home), reporter.report))
    except BinaryNotFound as failure:
        reporter.report(Event(EventKind.WARNING, f"running without monitoring: {failure}"))
        found = dict(find_all(cache_folder(settings.cache_home)))
    return {program: found.get(program) or Binary(program, Path(program.value), "") for program in NEEDED}


def _write_configuration(
    settings: StackSettings, folder: DataFolder, reporter: Reporter, services: list[ProcessSpec]
) -> None:
    scrape = prometheus_configuration(
        targets=plan.scrape_targets(services, settings),
        alertmanagers=[f"{plan.LOOPBACK}:{settings.alertmanager_port}"],
        rule_files=[*(str(path) for path in rule_files()), str(damage_rules.rule_file(folder))],
    )
    alerting = alertmanager_configuration(
        local_url=f"{plan.console(settings).address}/hooks/alerts",
        outside=outside(AlertingSettings.from_environment()),
    )
    for name, text in (("prometheus.yml", scrape), ("alertmanager.yml", alerting)):
        try:
            write_whole(folder.configuration / name, text)
        except OSError as failure:
            why = f"{name} cannot be written ({failure.strerror or failure}); the one of the last run stays in force"
            reporter.report(Event(EventKind.WARNING, why))
