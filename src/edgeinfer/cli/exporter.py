"""`edgeinfer exporter`: telemetry of Hailo chips, also without any other service of ours."""

import logging

import click

from edgeinfer import logs
from edgeinfer.collectors.context import Sources
from edgeinfer.collectors.found import collectors
from edgeinfer.exporter.app import build_app
from edgeinfer.metrics.registry import new_registry
from edgeinfer.settings import ExporterSettings, prepare_hailort
from edgeinfer.web.refusals import count_refusals
from edgeinfer.web.server import bind, serve
from edgeinfer.web.systemd import systemd_notifier_of

_log = logging.getLogger(__name__)


def create() -> click.Command:
    return exporter


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option(
    "--measure-power/--no-measure-power",
    default=None,
    help="Measure power too; each measurement pauses the module's overcurrent protection for a sample.",
)
def exporter(host: str | None, port: int | None, measure_power: bool | None) -> None:  # noqa: FBT001  # from click
    """Export the telemetry of Hailo chips for Prometheus."""
    settings = ExporterSettings.from_environment(host=host, port=port, measure_power=measure_power)
    logs.configure(settings.log_level)
    prepare_hailort()
    listener = bind(settings.host, settings.port)
    registry = new_registry()
    if settings.measure_power:
        _log.warning("power is measured: each measurement pauses the module's overcurrent protection for a sample")
    app = build_app(collectors(_sources(settings), registry), registry)
    serve(app, [listener], supervisor=systemd_notifier_of(settings), on_refusal=count_refusals(registry))


def _sources(settings: ExporterSettings) -> Sources:
    return Sources(
        interval_seconds=settings.interval_seconds,
        measure_power=settings.measure_power,
        monitor_folder=settings.monitor_folder,
        monitor_interval_seconds=settings.monitor_interval_ms / 1000,
        kernel_root=settings.kernel_root,
    )
