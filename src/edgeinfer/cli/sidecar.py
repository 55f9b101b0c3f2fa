"""`edgeinfer sidecar`: one model on one device behind POST /infer."""

import importlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from socket import socket
from typing import Any

import click
from prometheus_client import CollectorRegistry

from edgeinfer import logs
from edgeinfer.backends.base import Backend, Window
from edgeinfer.catalog.backends import backend_files, backend_names
from edgeinfer.catalog.metric import Owner
from edgeinfer.collectors.run import Collectors, run_metrics
from edgeinfer.collectors.system import METRICS, SystemCollector
from edgeinfer.errors import SettingsError
from edgeinfer.installation import this_installation
from edgeinfer.metrics.readings import readings
from edgeinfer.metrics.registry import new_registry, register_process_collectors
from edgeinfer.model.card import ModelCard, default_folder, load_card
from edgeinfer.parity import recorded_windows
from edgeinfer.recordings.reader import list_recordings
from edgeinfer.settings import SidecarSettings, prepare_hailort
from edgeinfer.sidecar.app import build_sidecar
from edgeinfer.sidecar.open_inference.endpoint import MAX_BODY_BYTES
from edgeinfer.sidecar.open_inference.rpc.parts import RPC_LIMITS, MakeRpcServer
from edgeinfer.sidecar.reload import Candidate, ReloadPlan
from edgeinfer.sidecar.shadow import ShadowPlan
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.server import DrainPeriod, bind, bind_unix, freeze_gc, serve
from edgeinfer.web.systemd import systemd_notifier_of
from edgeinfer.web.tracing import make_tracing

# Four seconds of samples between two windows: some two hundred windows from every shipped recording.
_CHANGE_HOP = 400
_BACKEND_HELP = "What computes the answers. " + " ".join(f"{one.name}: {one.summary}." for one in backend_files())


def create() -> click.Command:
    @click.command("sidecar")
    @click.option("--host", help="Address to listen on.")
    @click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
    @click.option("--backend", type=click.Choice(backend_names()), help=_BACKEND_HELP)
    @click.option("--socket", "socket_path", type=click.Path(path_type=Path), help="Unix socket to listen on as well.")
    @click.option("--grpc-port", type=click.IntRange(1, 65535), help="Port of the Open Inference Protocol over gRPC.")
    @click.option("--hef", "hef_path", type=click.Path(path_type=Path), help="Compiled network for the Hailo chip.")
    @click.option("--workers", type=click.IntRange(1, 64), help="Threads that call the backend.")
    def sidecar(**given: Any) -> None:
        """Serve one model on one device: POST /infer, /healthz, /status, /metrics, /docs."""
        settings = SidecarSettings.from_environment(**given)
        logs.configure(settings.log_level)
        run(settings)

    return sidecar


def run(settings: SidecarSettings) -> None:
    """Load the card, and serve until SIGTERM or SIGINT; SIGUSR1 loads the model again.

    Raises:
        SettingsError, ModelFileError: a setting or the model must be fixed first.
    """
    listeners = [bind(settings.host, settings.port)]
    make_rpc = make_rpc_of(settings)
    prepare_hailort()
    card = load_card(settings.model_folder or default_folder())
    _check_motifs(card, settings)
    registry = new_registry()
    register_process_collectors(registry)
    sidecar = build_sidecar(
        backend=make_backend(card, settings),
        card=card,
        registry=registry,
        version=version("edgeinfer"),
        queue_capacity=settings.queue_capacity,
        workers=settings.workers,
        shadow_plan=_shadow_plan(card, settings),
        change_plan=_change_plan(settings),
        tracing_of=lambda spans: make_tracing(settings, Owner.SIDECAR, spans),
        make_rpc=make_rpc,
    )
    if sidecar.change is not None:
        begin = sidecar.change.begin
        # Not SIGHUP: a sidecar that was started by hand shall end with its terminal.
        signal.signal(signal.SIGUSR1, lambda *_: begin())
    with _unix_listener(settings.socket_path) as local, _collecting(registry):
        freeze_gc()
        serve(
            sidecar.app,
            listeners + local,
            direct=sidecar.direct,
            limits=ConnectionLimits(max_body_bytes=MAX_BODY_BYTES),
            supervisor=systemd_notifier_of(settings),
            notice=DrainPeriod(sidecar.model.drain, settings.shutdown_grace_seconds),
            on_refusal=sidecar.on_refusal,
        )


def make_backend(card: ModelCard, settings: SidecarSettings) -> Backend:
    """The backend that the settings name, from the file of that name.

    Raises:
        ModelFileError: the model's file is missing, damaged or not the card's.
    """
    name = settings.backend if settings.use_real_model else "stub"
    backend: Backend = importlib.import_module(f"edgeinfer.backends.{name}").create(card, settings)
    return backend


def make_rpc_of(settings: SidecarSettings) -> MakeRpcServer | None:
    """What makes the gRPC server that the settings ask for; None where they do not, and then nothing is imported.

    Raises:
        SettingsError: grpcio is not installed.
        PortInUse: another process has the port.
    """
    port = settings.grpc_port
    if port is None:
        return None
    try:
        from edgeinfer.sidecar.open_inference.rpc.server import make_server  # noqa: PLC0415 - what others do not pay
    except ImportError as failure:
        fault = f"gRPC is switched on, and grpcio is not installed ({failure})"
        command = this_installation().add_extra("grpc")
        remedy = f"Install it: {command}; or unset EDGEINFER_SIDECAR_GRPC_PORT."
        raise SettingsError("setting EDGEINFER_SIDECAR_GRPC_PORT", fault, remedy) from failure
    # gRPC binds once the event loop runs: who has the port is reported here, before anything else starts.
    bind(settings.host, port).close()
    return lambda parts: make_server(parts, settings.host, port, RPC_LIMITS)


def _shadow_plan(card: ModelCard, settings: SidecarSettings) -> ShadowPlan | None:
    if settings.shadow_backend == "none":
        return None
    second = settings.model_copy(update={"backend": settings.shadow_backend, "use_real_model": True})
    return ShadowPlan(make_backend(card, second), settings.shadow_share, settings.shadow_cpu_budget)


def _change_plan(settings: SidecarSettings) -> ReloadPlan:
    def read() -> Candidate:
        card = load_card(settings.model_folder or default_folder())
        _check_motifs(card, settings)
        shadow = _shadow_plan(card, settings)
        return Candidate(card, make_backend(card, settings), shadow.backend if shadow is not None else None)

    def windows(length: int) -> Iterator[Window]:
        return recorded_windows([info.name for info in list_recordings()], length=length, hop=_CHANGE_HOP)

    return ReloadPlan(read, windows, settings.model_change_min_agreement, settings.shadow_cpu_budget)


def _check_motifs(card: ModelCard, settings: SidecarSettings) -> None:
    if settings.num_motifs is not None and settings.num_motifs != len(card.motifs):
        fault = f"it is {settings.num_motifs} and the model {card.name} has {len(card.motifs)} motifs"
        raise SettingsError("setting NUM_MOTIFS", fault, "Leave it out, or give the model that you mean.")


@contextmanager
def _unix_listener(path: Path | None) -> Iterator[list[socket]]:
    if path is None:
        yield []
        return
    listener = bind_unix(path)
    try:
        yield [listener]
    finally:
        listener.close()
        path.unlink(missing_ok=True)


@contextmanager
def _collecting(registry: CollectorRegistry) -> Iterator[None]:
    runner = Collectors([SystemCollector(readings(METRICS, registry))], run_metrics(registry))
    runner.start()
    try:
        yield
    finally:
        runner.stop()
