"""What a person types to look at or to restart a process, for each way to run the stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """How the stack was started."""

    UP = "up"  # `edgeinfer up` or `make run`
    SYSTEMD = "systemd"
    COMPOSE = "compose"


class Verb(StrEnum):
    """What is done to a process."""

    STATE = "state"
    LOG = "log"
    RESTART = "restart"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Names:
    """What a process is called in each way.

    Args:
        job: of Prometheus; empty where it has none.
        unit: of systemd.
        service: of compose.
        file: the compose file that has it.
        member: its name in `edgeinfer up`, which names its log as well.
    """

    job: str
    unit: str
    service: str
    file: str
    member: str


_SERVICES, _MONITORING = "docker-compose.yml", "docker-compose.monitoring.yml"
PROCESSES: Mapping[str, Names] = {
    "gateway": Names("edge-infer", "edgeinfer-gateway", "edge-infer", _SERVICES, "gateway"),
    "sidecar": Names("hailo-inference", "edgeinfer-sidecar", "hailo-inference", _SERVICES, "sidecar-1"),
    "exporter": Names("hailo-exporter", "edgeinfer-exporter", "hailo-exporter", _SERVICES, "exporter"),
    "console": Names("", "edgeinfer-console", "console", _MONITORING, "console"),
    "prometheus": Names("prometheus", "prometheus", "prometheus", _MONITORING, "prometheus"),
    "alertmanager": Names("alertmanager", "prometheus-alertmanager", "alertmanager", _MONITORING, "alertmanager"),
}
_COMPOSE = "docker compose -f deploy/{file}"
_TEMPLATES: Mapping[tuple[Verb, Way], str] = {
    (Verb.STATE, Way.UP): "edgeinfer top --once",
    (Verb.STATE, Way.SYSTEMD): "systemctl status {unit}",
    (Verb.STATE, Way.COMPOSE): _COMPOSE + " ps {service}",
    (Verb.LOG, Way.UP): "tail -n 50 {folder}/logs/{member}.log",
    (Verb.LOG, Way.SYSTEMD): "journalctl -u {unit} -n 50",
    (Verb.LOG, Way.COMPOSE): _COMPOSE + " logs --tail 50 {service}",
    # The supervisor starts again what has ended; without a process, the whole run is what is started.
    (Verb.RESTART, Way.UP): "kill {pid}",
    (Verb.RESTART, Way.SYSTEMD): "sudo systemctl restart {unit}",
    (Verb.RESTART, Way.COMPOSE): _COMPOSE + " restart {service}",
    (Verb.RESUME, Way.UP): "kill -CONT {pid}",
    (Verb.RESUME, Way.SYSTEMD): "sudo systemctl kill --signal=CONT {unit}",
    (Verb.RESUME, Way.COMPOSE): _COMPOSE + " kill -s SIGCONT {service}",
}
_START_UP = "edgeinfer up --data-folder {folder}"
# Of `edgeinfer up`, where nothing names another.
USUAL_FOLDER = "~/.local/share/edgeinfer"


def command(verb: Verb, process: str, way: Way, *, folder: str = USUAL_FOLDER, pid: int | None = None) -> str:
    """The command for this way of running.

    Args:
        verb: what is done.
        process: a key of `PROCESSES`.
        way: how the stack was started.
        folder: its data folder.
        pid: of the process, which `edgeinfer up` starts again once it has ended; None starts the whole run.
    """
    names = PROCESSES[process]
    template = _TEMPLATES[verb, way]
    if "{pid}" in template and pid is None:
        template = _START_UP
    return template.format(
        unit=names.unit, service=names.service, file=names.file, member=names.member, folder=folder, pid=pid
    )
