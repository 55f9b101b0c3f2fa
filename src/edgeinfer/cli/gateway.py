"""`edgeinfer gateway`: the service that phones call."""

from pathlib import Path
from time import perf_counter

import click
from prometheus_client import CollectorRegistry

from edgeinfer import logs
from edgeinfer.catalog.metric import Owner
from edgeinfer.errors import SettingsError
from edgeinfer.gateway.analysis import InferenceService
from edgeinfer.gateway.app import Parts, build_app, direct_routes
from edgeinfer.gateway.balance import Balancer, SidecarMember
from edgeinfer.gateway.checks import make_checks
from edgeinfer.gateway.discovery import Discovery
from edgeinfer.gateway.drift import AnswerBuffer
from edgeinfer.gateway.drift_files import drift_files_of
from edgeinfer.gateway.drift_watch import DriftSettings, DriftWatch
from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.fallback import Fallback
from edgeinfer.gateway.health import HealthMonitor
from edgeinfer.gateway.http_client import HttpTransport
from edgeinfer.gateway.input_quality import QualityWatch
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.keys import KeyRing
from edgeinfer.gateway.outputs import OutputReader
from edgeinfer.gateway.session_reports import SessionReports
from edgeinfer.gateway.sessions import MemorySessions, SessionStore, SessionTable
from edgeinfer.gateway.sidecar_client import SidecarClient
from edgeinfer.gateway.store.files import DiskFiles
from edgeinfer.gateway.transport import SidecarAddress, parse_target
from edgeinfer.installation import shipped_file
from edgeinfer.metrics.registry import new_registry, register_process_collectors
from edgeinfer.model.card import ModelCard, default_folder, load_card
from edgeinfer.settings import GatewaySettings
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.server import DrainPeriod, bind, freeze_gc, serve
from edgeinfer.web.systemd import systemd_notifier_of
from edgeinfer.web.tracing import make_tracing

_HERE = {"0.0.0.0", "::", "127.0.0.1", "::1", "localhost"}  # noqa: S104 - compared, not bound


def create() -> click.Command:
    @click.command("gateway")
    @click.option("--host", help="Address to listen on.")
    @click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
    @click.option("--backend-url", "backend_urls", help="Where the sidecars answer, separated by commas.")
    @click.option(
        "--data-folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder that keeps sessions through a crash.",
    )
    def gateway(host: str | None, port: int | None, backend_urls: str | None, data_folder: Path | None) -> None:
        """Serve the API for phones: sessions, analyses, health, metrics.

        Sidecars compute the answers; while none does, the same model answers on this machine's CPU.
        """
        settings = GatewaySettings.from_environment(
            host=host, port=port, backend_urls=backend_urls, data_folder=data_folder
        )
        logs.configure(settings.log_level)
        run(settings)

    return gateway


def run(settings: GatewaySettings) -> None:
    """Open store and listener, and serve until SIGTERM or SIGINT; the store is synced and closed at the end.

    Raises:
        SettingsError: the address, the key file or a limit cannot be used.
        DataFolderError: the store cannot be opened.
    """
    listener = bind(settings.host, settings.port)
    parts = make_parts(settings)
    if parts.keys is not None:
        parts.keys.load()
    parts.store.open()
    # As many analyses as are admitted, as many again that are rejected, and the other routes.
    max_running_requests = 2 * settings.max_in_flight + 128
    try:
        app, direct = build_app(parts), direct_routes(parts, max_running_requests)
        freeze_gc()
        serve(
            app,
            [listener],
            direct=direct,
            limits=ConnectionLimits(
                max_body_bytes=settings.max_body_bytes,
                max_buffered_bytes=settings.max_buffered_bytes,
                max_running_requests=max_running_requests,
            ),
            supervisor=systemd_notifier_of(settings),
            notice=DrainPeriod(parts.health.drain, settings.shutdown_grace_seconds),
            on_refusal=parts.instruments.on_refusal,
        )
    finally:
        parts.store.close()


def make_parts(settings: GatewaySettings) -> Parts:
    """The gateway's parts, wired; nothing is opened or started yet.

    Raises:
        SettingsError, ModelFileError: the settings or the model cannot be used.
    """
    card = load_card(settings.model_folder or default_folder())
    targets = _targets(settings)
    registry = new_registry()
    register_process_collectors(registry)
    instruments = GatewayInstruments(registry, motifs=card.motif_names, sidecars=[target.name for target in targets])
    table = SessionTable(
        instruments.sessions, max_sessions=settings.max_sessions, idle_seconds=settings.session_idle_seconds
    )
    return _assemble(settings, card, targets, registry, instruments, table)


def _assemble(  # noqa: PLR0913, PLR0917 - the wiring
    settings: GatewaySettings,
    card: ModelCard,
    targets: list[SidecarAddress],
    registry: CollectorRegistry,
    instruments: GatewayInstruments,
    table: SessionTable,
) -> Parts:
    store = _make_store(settings, table, instruments)
    reader = OutputReader(card.latent_size, len(card.motifs), sum_to_one=card.scores_sum_to_one)
    members = [_make_member(settings, target, reader, card.name, instruments) for target in targets]
    answers = AnswerBuffer(card.latent_size, clock=perf_counter)
    service = InferenceService(
        balancer=Balancer(members),
        fallback=_make_fallback(settings, card),
        reader=reader,
        instruments=instruments,
        drift=answers,
        timeout_seconds=settings.backend_timeout_ms / 1000,
        retries=settings.backend_retries,
        max_in_flight=settings.max_in_flight,
    )
    monitor = HealthMonitor(
        make_checks(service, store, settings.data_folder),
        instruments,
        interval_seconds=settings.health_interval_seconds,
    )
    for member in members:
        member.on_change = monitor.wake
    quality = QualityWatch(table.all, instruments)
    reports = SessionReports(table.all, quality, card.motifs)
    table.on_end = reports.remember_end
    return Parts(
        registry=registry,
        instruments=instruments,
        card=card,
        store=store,
        service=service,
        health=monitor,
        drift=_make_drift(settings, card, answers, instruments),
        quality=quality,
        reports=reports,
        max_body_bytes=settings.max_body_bytes,
        keys=_make_keys(settings),
        cors_origins=settings.origins,
        tracing=make_tracing(settings, Owner.GATEWAY, instruments.spans),
    )


def _targets(settings: GatewaySettings) -> list[SidecarAddress]:
    if not settings.use_real_model:
        return []
    try:
        targets = [parse_target(url.strip()) for url in settings.backend_urls.split(",") if url.strip()]
    except ValueError as failure:
        remedy = f"See {shipped_file('docs/reference/settings.md')}."
        raise SettingsError("setting MODEL_BACKEND_URL", str(failure), remedy) from failure
    names = [target.name for target in targets]
    if len(set(names)) != len(names):
        raise SettingsError("setting MODEL_BACKEND_URL", "it names a sidecar twice", "Name each one once.")
    if any(_is_own_address(target, settings) for target in targets):
        fault = "it names the gateway itself"
        raise SettingsError("setting MODEL_BACKEND_URL", fault, "Name the sidecar, which listens on another port.")
    return targets


def _is_own_address(target: SidecarAddress, settings: GatewaySettings) -> bool:
    if target.socket:
        return False
    host, port, _ = target.address
    own = {settings.host, "localhost", "127.0.0.1", "::1"} if settings.host in _HERE else {settings.host}
    return port == settings.port and host in own


def _make_member(
    settings: GatewaySettings,
    target: SidecarAddress,
    reader: OutputReader,
    model: str,
    instruments: GatewayInstruments,
) -> SidecarMember:
    transport = HttpTransport(target, connections=settings.max_in_flight)
    return SidecarMember(
        SidecarClient(
            target.name, transport, reader, Discovery(target, reader, model=model, encoding=settings.encoding)
        ),
        instruments.sidecars[target.name],
        failures=settings.circuit_failures,
        open_seconds=settings.circuit_open_seconds,
        clock=perf_counter,
    )


def _make_fallback(settings: GatewaySettings, card: ModelCard) -> Fallback | None:
    if not settings.fallback:
        return None
    # ONNX Runtime takes 20 MB that a gateway without a fallback can do without.
    from edgeinfer.backends.onnx import OnnxBackend  # noqa: PLC0415

    backend = OnnxBackend(card, threads=settings.fallback_threads)
    return Fallback(backend, threads=settings.fallback_threads, scores_sum_to_one=card.scores_sum_to_one)


def _make_drift(
    settings: GatewaySettings, card: ModelCard, answers: AnswerBuffer, instruments: GatewayInstruments
) -> DriftWatch:
    how = DriftSettings(
        window_seconds=settings.drift_window_hours * 3600,
        minimum=settings.drift_minimum,
        judged=settings.drift_baseline,
        learns=settings.drift_learn,
    )
    return DriftWatch(card, answers, how, drift_files_of(settings.data_folder, card), instruments)


def _make_keys(settings: GatewaySettings) -> KeyRing | None:
    if settings.api_keys_file is None:
        return None
    return KeyRing(settings.api_keys_file, requests_per_second=settings.key_requests_per_second)


def _make_store(settings: GatewaySettings, table: SessionTable, instruments: GatewayInstruments) -> SessionStore:
    if settings.data_folder is None:
        return MemorySessions(table)
    return DurableSessions(
        table,
        DiskFiles(settings.data_folder),
        instruments.store,
        durability=settings.synchronous,
        max_unsynced_seconds=settings.max_unsynced_ms / 1000,
        max_bytes=settings.store_megabytes * 1024 * 1024,
        retention_seconds=settings.retention_hours * 3600,
    )
