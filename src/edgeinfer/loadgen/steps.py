"""What can be done to a running stack, as data."""

from dataclasses import dataclass
from enum import StrEnum

from edgeinfer.loadgen.faults import Fault


class Process(StrEnum):
    """A process of the stack that a scenario reaches."""

    GATEWAY = "gateway"
    SIDECAR = "sidecar-1"
    EXPORTER = "exporter"
    ALERTMANAGER = "alertmanager"
    PROMETHEUS = "prometheus"


class MonitoringFault(StrEnum):
    """How the monitoring itself is broken."""

    TARGET_FORGOTTEN = "target forgotten"  # prometheus.yml no longer names the sidecar
    CONFIGURATION_BROKEN = "configuration broken"  # prometheus.yml is not valid YAML, and is loaded again
    RULE_FAILING = "rule failing"  # a rule that matches many series to many
    RECEIVER_REFUSES = "receiver refuses"  # warnings go to one more receiver, which answers 404
    FLEET_AWAY = "fleet away"  # samples are to be sent to a fleet's centre that does not answer
    SCRAPE_SLOW = "scrape slow"  # the sidecar's metrics come 1.5 s late
    SCRAPE_BIG = "scrape big"  # a label of the sidecar's metrics takes 3500 values
    # The machine keeps its memory and its disk; Prometheus gets other readings of them.
    MEMORY_READ_LOW = "memory read low"
    DISK_READ_FULL = "disk read full"
    DISK_READ_FILLING = "disk read filling"
    SAMPLES_LATE = "samples late"  # the sidecar's metrics carry explicit timestamps, from a clock that jumps to and fro
    ALERTMANAGER_ELSEWHERE = "alertmanager elsewhere"  # alerts go to a second Alertmanager too, which is not there
    RECEIVERS_BROKEN = "receivers broken"  # alertmanager.yml is not valid YAML, and is loaded again
    # The files of the monitoring, damaged as power cuts and bad disks damage them.
    BLOCK_UNREADABLE = "block unreadable"  # a block of measurements has no index
    CHUNKS_DAMAGED = "chunks damaged"  # two blocks are to be merged, and their chunks have other bytes
    SEGMENT_DAMAGED = "segment damaged"  # a segment of the write-ahead log has other bytes, while Prometheus runs
    LOG_DAMAGED = "log damaged"  # the same, found by a Prometheus that starts
    WRITES_REFUSED = "writes refused"  # now and then Prometheus may not write, as on a full disk
    STATE_FOLDER_GONE = "state folder gone"  # Alertmanager's folder is deleted
    SILENCES_DAMAGED = "silences damaged"  # Alertmanager's silences have other bytes, so that it does not start


STORE_DAMAGE = frozenset(
    {
        MonitoringFault.BLOCK_UNREADABLE,
        MonitoringFault.CHUNKS_DAMAGED,
        MonitoringFault.SEGMENT_DAMAGED,
        MonitoringFault.LOG_DAMAGED,
        MonitoringFault.WRITES_REFUSED,
        MonitoringFault.STATE_FOLDER_GONE,
        MonitoringFault.SILENCES_DAMAGED,
    }
)


class Resource(StrEnum):
    """What a process can run out of."""

    MEMORY = "memory"
    OPEN_FILES = "open files"
    FILE_SIZE = "file size"


@dataclass(frozen=True, slots=True)
class Inject:
    """The proxy between gateway and sidecar breaks what passes."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL; the process stays down until the fault ends, or is started again by the supervisor."""

    process: Process
    stays_down: bool = True


@dataclass(frozen=True, slots=True)
class KillLoop:
    """SIGKILL each time the process is back, after a random time."""

    process: Process
    min_seconds: float = 0.0
    max_seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class TakePort:
    """SIGKILL, and until the fault ends a foreign server holds the port of the process, so that it cannot restart.

    The server answers every request with metrics of its own, as node exporter does.
    """

    process: Process


@dataclass(frozen=True, slots=True)
class Freeze:
    """SIGSTOP, and SIGCONT at the end: the process holds its connections and answers nothing."""

    process: Process


@dataclass(frozen=True, slots=True)
class LimitResource:
    """A resource limit of the running process falls to `amount`, or to what it uses now plus `above_use`.

    Connections through the proxy are cut, so that new ones are needed.
    """

    process: Process
    resource: Resource
    amount: int | None = None
    above_use: int = 0


@dataclass(frozen=True, slots=True)
class RestartWithMemoryLimit:
    """SIGKILL, and until the fault ends each new start has only this much address space; then it is killed again."""

    process: Process
    megabytes: int


@dataclass(frozen=True, slots=True)
class StartWith:
    """SIGKILL, and until the fault ends each start has these settings in its environment."""

    process: Process
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NoTraffic:
    """No phone sends requests; sensors go on, and their samples are sent afterwards."""


@dataclass(frozen=True, slots=True)
class ClientFlood:
    """This many clients call the sidecar past the gateway, each without a pause."""

    callers: int


@dataclass(frozen=True, slots=True)
class SessionFlood:
    """This many phones try to start a session, and retry when they are refused."""

    callers: int


@dataclass(frozen=True, slots=True)
class CpuStress:
    """Other programs take every core of the machine."""


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock of gateway and sidecar jumps by so many seconds, and back at the end; monotonic time does not."""

    seconds: int


@dataclass(frozen=True, slots=True)
class BreakMonitoring:
    """The monitoring itself is broken, in one of the ways of `MonitoringFault`."""

    how: MonitoringFault


@dataclass(frozen=True, slots=True)
class RaspberryPiCondition:
    """The firmware of the Raspberry Pi reports undervoltage or throttling, as the bits of its word."""

    word: int


@dataclass(frozen=True, slots=True)
class TrainLink:
    """The chip's PCIe link runs at this generation; chip and slot can do the third."""

    generation: int


@dataclass(frozen=True, slots=True)
class Flap:
    """The fake chip fails and recovers, over and over."""

    state: str
    bad_seconds: float
    well_seconds: float


@dataclass(frozen=True, slots=True)
class DamageStore:
    """SIGKILL to the gateway; a bit in the middle of its oldest live segment is flipped when it restarts."""


@dataclass(frozen=True, slots=True)
class Device:
    """The fake chip shows a failure: `state` is a name that the fake's own script knows."""

    state: str


Step = (
    Inject
    | Kill
    | KillLoop
    | TakePort
    | Freeze
    | LimitResource
    | RestartWithMemoryLimit
    | StartWith
    | DamageStore
    | NoTraffic
    | ClientFlood
    | SessionFlood
    | CpuStress
    | ClockStep
    | BreakMonitoring
    | RaspberryPiCondition
    | TrainLink
    | Flap
    | Device
)
