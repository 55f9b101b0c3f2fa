"""`edgeinfer up`: the whole stack on this machine, from one command."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from edgeinfer.cli.alerting import outside
from edgeinfer.monitoring.alerting import alertmanager_configuration
from edgeinfer.monitoring.files import rule_files
from edgeinfer.monitoring.scrape import prometheus_configuration
from edgeinfer.settings import AlertingSettings, StackSettings
from edgeinfer.stack import lock, plan
from edgeinfer.stack.engines import Engine, Program, cache_folder, require
from edgeinfer.stack.events import Event, Kind
from edgeinfer.stack.fetch import find_or_fetch
from edgeinfer.stack.folder import DataFolder, prepare, root_of
from edgeinfer.stack.narrator import Narrator, narrator_for
from edgeinfer.stack.plan import ChildPlan
from edgeinfer.stack.run import StackRun

_PORT = click.IntRange(1, 65535)


def create() -> click.Command:
    """The command."""

    @click.command("up")
    @click.option(
        "--data-folder", type=click.Path(path_type=Path, file_okay=False), help="Where measurements and logs are kept."
    )
    @click.option("--sidecars", type=click.IntRange(0, 16), help="Sidecars to start (1).")
    @click.option("--backend", type=click.Choice(["onnx", "stub", "hailort"]), help="What computes the answers (onnx).")
    @click.option("--replay/--no-replay", "with_replay", default=True, help="Replay a recorded session, over and over.")
    @click.option("--recording", help="The recording to replay; 'edgeinfer replay --list' tells their names.")
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
    @click.option("--json", "as_json", is_flag=True, help="Tell everything as JSON lines.")
    def up(
        *,
        with_replay: bool,
        recording: str | None,
        monitoring: bool,
        with_exporter: bool | None,
        as_json: bool,
        **given: object,
    ) -> None:
        """Run the whole stack on this machine until Ctrl-C, and show what it does.

        Starts sidecar, gateway, console, Prometheus and Alertmanager, waits until each is ready,
        replays a recorded session and tells the addresses.
        Measurements stay in the data folder; the next run shows them again.

        Exit codes: 0 ended in order, 1 a process did not start or kept crashing,
        78 a setting, a port or the data folder must be mended first.
        """
        settings = StackSettings.from_environment(None, **given)
        if with_replay and recording:
            _check_recording(recording)
        folder = prepare(root_of(settings.data_folder, settings.data_home))
        narrator = narrator_for(as_json=as_json)
        with lock.hold(folder.lock):
            plans = _services(settings, folder, with_exporter=with_exporter)
            if monitoring:
                plans += _monitoring(settings, folder, narrator, plans)
            else:
                narrator.tell(Event(Kind.NOTE, "running without monitoring, as asked: nothing is recorded"))
            if with_replay:
                plans.append(
                    plan.replay(plan.gateway(settings, folder).address, recording or "", settings.api_key_file)
                )
            well = _run(plans, folder, narrator, settings if monitoring else None)
        sys.exit(0 if well else 1)

    return up


def _check_recording(name: str) -> None:
    """Tell a wrong name before anything starts; numpy, which this needs, stays out of other runs' memory."""
    from edgeinfer.recordings.reader import load_recording  # noqa: PLC0415

    load_recording(name)


def _run(plans: list[ChildPlan], folder: DataFolder, narrator: Narrator, monitored: StackSettings | None) -> bool:
    url = f"http://{plan.LOOPBACK}:{monitored.prometheus_port}" if monitored else ""
    try:
        return asyncio.run(StackRun(plans, folder, narrator, prometheus_url=url).run())
    finally:
        narrator.close()


def _services(settings: StackSettings, folder: DataFolder, *, with_exporter: bool | None) -> list[ChildPlan]:
    services = [*plan.sidecars(settings), plan.gateway(settings, folder), plan.console(settings)]
    if plan.has_chip() if with_exporter is None else with_exporter:
        services.append(plan.exporter(settings))
    return services


def _monitoring(
    settings: StackSettings, folder: DataFolder, narrator: Narrator, services: list[ChildPlan]
) -> list[ChildPlan]:
    engines = find_or_fetch(cache_folder(settings.cache_home), narrator.tell)
    plans = _engines(settings, folder, engines)
    _write_configuration(settings, folder, services)
    return plans


def _engines(settings: StackSettings, folder: DataFolder, engines: Mapping[Program, Engine]) -> list[ChildPlan]:
    return [
        plan.prometheus(settings, require(engines, Program.PROMETHEUS), folder),
        plan.alertmanager(settings, require(engines, Program.ALERTMANAGER), folder),
    ]


def _write_configuration(settings: StackSettings, folder: DataFolder, services: list[ChildPlan]) -> None:
    scrape = prometheus_configuration(
        targets=plan.scrape_targets(services, settings),
        alertmanagers=[f"{plan.LOOPBACK}:{settings.alertmanager_port}"],
        rule_files=[str(path) for path in rule_files()],
    )
    alerting = alertmanager_configuration(
        local_url=f"{plan.console(settings).address}/hooks/alerts",
        outside=outside(AlertingSettings.from_environment()),
    )
    (folder.configuration / "prometheus.yml").write_text(scrape, encoding="utf-8")
    (folder.configuration / "alertmanager.yml").write_text(alerting, encoding="utf-8")
