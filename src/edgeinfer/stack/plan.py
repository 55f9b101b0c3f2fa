"""Which processes make up the stack: frozen data, decided before any of them starts."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from importlib.util import find_spec
from pathlib import Path

from edgeinfer.catalog.metric import Owner
from edgeinfer.hailort.driver import read_driver_facts
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import THREE_WAYS, Binary
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.ports import reachable

LOOPBACK = "127.0.0.1"
SIDECAR_PREFIX = "sidecar"
_SERVICE_START_SECONDS = 60.0
# A large write-ahead log on an SD card takes minutes to read; Prometheus is alive and says 503 meanwhile.
_PROMETHEUS_START_SECONDS = 900.0


class Stage(IntEnum):
    """Order of start; the stop goes the other way, so that no service is missed by a living Prometheus."""

    SERVICES = 1
    GATEWAY = 2
    MONITORING = 3
    REPLAY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process to be.

    Args:
        name: unique; names its log.
        argv: program and arguments.
        stage: when it is started.
        environment: variables in addition to the inherited ones.
        folder: where it is started, or None for our own.
        host: address that it listens on.
        port: port that it listens on, or None.
        grpc_port: another one, for gRPC, or None.
        ready_path: answers 200 once it is ready, or empty for a process that is ready when it runs.
        start_seconds: it must be ready by then.
        stop_seconds: it must have ended by then, or is killed.
        is_main_job: whether it serves phones; everything else is a helper that may be missing.
        remedy: what to do where its program is not there.
        may_finish: whether ending with 0 is how it is meant to end.
    """

    name: str
    argv: tuple[str, ...]
    stage: Stage
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    host: str = LOOPBACK
    port: int | None = None
    grpc_port: int | None = None
    ready_path: str = ""
    start_seconds: float = _SERVICE_START_SECONDS
    stop_seconds: float = 15.0
    is_main_job: bool = False
    remedy: str = ""
    may_finish: bool = False

    @property
    def ports(self) -> tuple[int, ...]:
        """All that it listens on."""
        return tuple(port for port in (self.port, self.grpc_port) if port)

    @property
    def address(self) -> str:
        """Where people and programs reach it."""
        return f"http://{reachable(self.host)}:{self.port}" if self.port else ""

    @property
    def ready_url(self) -> str:
        """What is asked whether it is ready, or empty."""
        return f"{self.address}{self.ready_path}" if self.port and self.ready_path else ""


def edgeinfer(*arguments: str) -> tuple[str, ...]:
    """One of our own commands, run by this very Python."""
    return (sys.executable, "-m", "edgeinfer", *arguments)


def sidecar_ports(settings: StackSettings) -> tuple[int, ...]:
    """The ports of our own sidecars."""
    return tuple(settings.sidecar_port + number for number in range(settings.sidecars))


def grpc_ports(settings: StackSettings) -> tuple[int | None, ...]:
    """The port of gRPC of each of our own sidecars; None where it is off."""
    first = settings.sidecar_grpc_port
    return tuple(None if first is None else first + number for number in range(settings.sidecars))


def sidecars(settings: StackSettings) -> list[ProcessSpec]:
    """Each sidecar, numbered from 1."""
    ports = sidecar_ports(settings)
    environment: dict[str, str] = {}
    if settings.backend:
        environment["EDGEINFER_SIDECAR_BACKEND"] = settings.backend
    if len(ports) > 1:
        environment["EDGEINFER_SIDECAR_SOCKET"] = ""  # one socket cannot serve several
    return [
        ProcessSpec(
            name=f"{SIDECAR_PREFIX}-{number}",
            argv=edgeinfer("sidecar", "--host", LOOPBACK, "--port", str(port)),
            stage=Stage.SERVICES,
            environment=environment | {"EDGEINFER_SIDECAR_GRPC_PORT": str(grpc_port or "")},
            port=port,
            grpc_port=grpc_port,
            ready_path="/healthz",
            is_main_job=True,
        )
        for number, (port, grpc_port) in enumerate(zip(ports, grpc_ports(settings), strict=True), start=1)
    ]


def gateway(settings: StackSettings, folder: DataFolder) -> ProcessSpec:
    """The gateway, with the sidecars of this stack or external ones; it keeps sessions through a crash."""
    own = ",".join(f"http://{LOOPBACK}:{port}/infer" for port in sidecar_ports(settings))
    return ProcessSpec(
        name="gateway",
        argv=edgeinfer(
            *("gateway", "--host", settings.gateway_host, "--port", str(settings.gateway_port)),
            *("--backend-url", own or settings.backend_urls, "--data-folder", str(folder.gateway)),
        ),
        stage=Stage.GATEWAY,
        host=settings.gateway_host,
        port=settings.gateway_port,
        ready_path="/healthz",
        is_main_job=True,
    )


def console(settings: StackSettings) -> ProcessSpec:
    """The web console; it is up when everything else is down, so nothing waits for it."""
    return ProcessSpec(
        name="console",
        argv=edgeinfer("console", "--host", settings.console_host, "--port", str(settings.console_port)),
        stage=Stage.SERVICES,
        environment={
            "EDGEINFER_PROMETHEUS_URL": f"http://{LOOPBACK}:{settings.prometheus_port}",
            "EDGEINFER_ALERTMANAGER_URL": f"http://{LOOPBACK}:{settings.alertmanager_port}",
            "EDGEINFER_GATEWAY_URL": f"http://{reachable(settings.gateway_host)}:{settings.gateway_port}",
            **({"EDGEINFER_API_KEY_FILE": str(settings.api_key_file)} if settings.api_key_file else {}),
            # Its diagnoses look at the processes that this run writes down there.
            **({"EDGEINFER_DATA_FOLDER": str(settings.data_folder)} if settings.data_folder else {}),
        },
        host=settings.console_host,
        port=settings.console_port,
        ready_path="/healthz",
    )


def has_chip(root: Path = Path("/")) -> bool:
    """Whether this machine has a Hailo chip, its driver or its library, so that the exporter has something to do.

    Args:
        root: below which /sys and /dev lie.
    """
    facts = read_driver_facts(root)
    return bool(facts.pci or facts.nodes) or find_spec("hailo_platform") is not None


def exporter(settings: StackSettings) -> ProcessSpec:
    return ProcessSpec(
        name="exporter",
        argv=edgeinfer("exporter", "--host", LOOPBACK, "--port", str(settings.exporter_port)),
        stage=Stage.SERVICES,
        port=settings.exporter_port,
        ready_path="/healthz",
    )


def replay(gateway_address: str, recording: str, api_key_file: Path | None = None) -> ProcessSpec:
    """A recorded session sent over and over, so that there is something to see."""
    choice = ("--recording", recording) if recording else ()
    key = ("--api-key-file", str(api_key_file)) if api_key_file else ()
    return ProcessSpec(
        name="replay",
        argv=edgeinfer("replay", "--gateway", gateway_address, "--loop", "--json", *choice, *key),
        stage=Stage.REPLAY,
        may_finish=True,
    )


def prometheus(settings: StackSettings, binary: Binary, folder: DataFolder) -> ProcessSpec:
    """Prometheus, on loopback; flags that Debian's 2.42 and upstream's 3.x both know."""
    return ProcessSpec(
        name="prometheus",
        argv=(
            str(binary.path),
            f"--config.file={folder.configuration / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder.prometheus}",
            f"--storage.tsdb.retention.time={settings.retention_time}",
            f"--storage.tsdb.retention.size={settings.retention_size}",
            f"--web.listen-address={LOOPBACK}:{settings.prometheus_port}",
            "--web.enable-lifecycle",
            "--enable-feature=exemplar-storage",
            "--log.level=info",
        ),
        stage=Stage.MONITORING,
        folder=binary.folder,
        port=settings.prometheus_port,
        ready_path="/-/ready",
        start_seconds=_PROMETHEUS_START_SECONDS,
        stop_seconds=30.0,
        remedy=THREE_WAYS,
    )


def alertmanager(settings: StackSettings, binary: Binary, folder: DataFolder) -> ProcessSpec:
    """Alertmanager, on loopback and without gossip, which would listen on every address of the machine."""
    return ProcessSpec(
        name="alertmanager",
        argv=(
            str(binary.path),
            f"--config.file={folder.configuration / 'alertmanager.yml'}",
            f"--storage.path={folder.alertmanager}",
            f"--web.listen-address={LOOPBACK}:{settings.alertmanager_port}",
            "--cluster.listen-address=",
        ),
        stage=Stage.SERVICES,
        folder=binary.folder,
        port=settings.alertmanager_port,
        ready_path="/-/ready",
        remedy=THREE_WAYS,
    )


def scrape_targets(plans: list[ProcessSpec], settings: StackSettings) -> dict[str, list[str]]:
    """host:port of each Prometheus job; sidecars of others are scraped by their own Prometheus."""
    by_job: dict[str, list[str]] = {}
    jobs = {"gateway": Owner.GATEWAY.value, "exporter": Owner.EXPORTER.value}
    for plan in plans:
        job = Owner.SIDECAR.value if plan.name.startswith(SIDECAR_PREFIX) else jobs.get(plan.name)
        if job:
            by_job.setdefault(job, []).append(f"{reachable(plan.host)}:{plan.port}")
    by_job["prometheus"] = [f"{LOOPBACK}:{settings.prometheus_port}"]
    by_job["alertmanager"] = [f"{LOOPBACK}:{settings.alertmanager_port}"]
    return by_job
