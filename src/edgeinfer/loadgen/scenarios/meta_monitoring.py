"""The monitoring itself: what it reports in the steady state, and how it reports that it is broken."""

from dataclasses import replace

from edgeinfer.loadgen.faults import Fault, FaultKind
from edgeinfer.loadgen.scenario import Scenario, error
from edgeinfer.loadgen.steps import STORE_DAMAGE, BreakMonitoring, Inject, Kill, MonitoringFault, Process

# First of all: what other scenarios leave behind would disturb the steady state.
CALM = Scenario(
    name="calm",
    does="Nothing is done for three quarters of an hour: the heartbeat stands, and no other alert arrives.",
    steps=(),
    alert="Watchdog",
    is_steady_state=True,
    min_seconds=45.0,
    needs_machine=True,
    is_slow=True,
)

# Alerts that hold for ten minutes or longer are left to the full matrix.
_SLOW_MINUTES = 15.0


def _blind(name: str, does: str, how: MonitoringFault, alert: str, minutes: float) -> Scenario:
    return Scenario(
        name=name,
        does=does,
        steps=(BreakMonitoring(how),),
        alert=alert,
        alert_minutes=minutes,
        is_slow=minutes >= _SLOW_MINUTES or how in STORE_DAMAGE,
        needs_store=how in STORE_DAMAGE,
    )


def _damaged(name: str, does: str, how: MonitoringFault, alert: str) -> Scenario:
    # Blocks are looked at once a minute, and a checkpoint needs some blocks before it: no factor shortens either.
    return replace(_blind(name, does, how, alert, minutes=8), fixed_seconds=120.0)


WATCHING = (
    _blind(
        "target-forgotten",
        "prometheus.yml is loaded again and no longer names the sidecar.",
        MonitoringFault.TARGET_FORGOTTEN,
        "HailoTargetMissing",
        minutes=8,
    ),
    _blind(
        "configuration-broken",
        "prometheus.yml is no YAML any more, and is loaded again.",
        MonitoringFault.CONFIGURATION_BROKEN,
        "PrometheusConfigurationRefused",
        minutes=8,
    ),
    _blind(
        "rule-failing",
        "A rule matches many series to many.",
        MonitoringFault.RULE_FAILING,
        "PrometheusRuleFailures",
        minutes=12,
    ),
    replace(
        _blind(
            "fleet-away",
            "Samples are to be sent to a fleet's centre that does not answer.",
            MonitoringFault.FLEET_AWAY,
            "PrometheusRemoteWriteBehind",
            minutes=20,
        ),
        fixed_seconds=120.0,
    ),
    _blind(
        "scrape-slow", "The sidecar's metrics come 1.5 s late.", MonitoringFault.SCRAPE_SLOW, "ScrapeSlow", minutes=15
    ),
    _blind(
        "scrape-big",
        "A label of the sidecar's metrics takes 3500 values.",
        MonitoringFault.SCRAPE_BIG,
        "ScrapeTooBig",
        minutes=15,
    ),
    _blind(
        "machine-memory-low",
        "Prometheus reads that a twentieth of the machine's memory is left.",
        MonitoringFault.MEMORY_READ_LOW,
        "HailoMemoryLow",
        minutes=14,
    ),
    _blind(
        "machine-disk-full",
        "Prometheus reads that a fiftieth of the machine's disk is left.",
        MonitoringFault.DISK_READ_FULL,
        "HailoDiskFull",
        minutes=9,
    ),
    _blind(
        "machine-disk-filling",
        "Prometheus reads that the machine's disk has a quarter left and fills, for an hour.",
        MonitoringFault.DISK_READ_FILLING,
        "HailoDiskWillFill",
        minutes=75,
    ),
    Scenario(
        name="receiver-refuses",
        does="Warnings go to one more receiver, which refuses them; a failure lets one be sent.",
        steps=(BreakMonitoring(MonitoringFault.RECEIVER_REFUSES), Inject(Fault(FaultKind.STATUS, status=500))),
        counted=(error("http_5xx"),),
        alert="AlertmanagerNotificationsFailing",
        alert_minutes=25,
    ),
    _blind(
        "samples-late",
        "The sidecar's metrics carry times from a clock that jumps a minute back and forth.",
        MonitoringFault.SAMPLES_LATE,
        "PrometheusClockTrouble",
        minutes=2,
    ),
    _blind(
        "alertmanager-elsewhere",
        "Alerts go to a second Alertmanager as well, which is not there.",
        MonitoringFault.ALERTMANAGER_ELSEWHERE,
        "PrometheusAlertmanagerUnreachable",
        minutes=8,
    ),
    _blind(
        "receivers-broken",
        "alertmanager.yml is no YAML any more, and is loaded again.",
        MonitoringFault.RECEIVERS_BROKEN,
        "AlertmanagerConfigurationRefused",
        minutes=8,
    ),
    _damaged(
        "block-unreadable",
        "A block of measurements loses its index while Prometheus runs.",
        MonitoringFault.BLOCK_UNREADABLE,
        "PrometheusBlockUnreadable",
    ),
    _damaged(
        "chunks-damaged",
        "Two blocks that are to be merged have chunks with other bytes.",
        MonitoringFault.CHUNKS_DAMAGED,
        "PrometheusCompactionFailing",
    ),
    _damaged(
        "writes-refused",
        "Prometheus may not write for two seconds of every four, as on a full disk.",
        MonitoringFault.WRITES_REFUSED,
        "PrometheusWritesFailing",
    ),
    replace(
        _damaged(
            "state-folder-gone",
            "Alertmanager's folder is gone.",
            MonitoringFault.STATE_FOLDER_GONE,
            "AlertmanagerStateUnsaved",
        ),
        # An hour without a file that was written, after an hour with one.
        alert_minutes=150,
    ),
    _damaged(
        "segment-damaged",
        "The first segment of the write-ahead log gets other bytes while Prometheus runs.",
        MonitoringFault.SEGMENT_DAMAGED,
        "PrometheusWriteAheadLogGrowing",
    ),
    _damaged(
        "log-damaged",
        "Prometheus is killed, its write-ahead log gets other bytes, and it starts again.",
        MonitoringFault.LOG_DAMAGED,
        "PrometheusWriteAheadLogDamaged",
    ),
    _damaged(
        "silences-damaged",
        "Alertmanager is killed, its silences get other bytes, and it starts when they are set aside.",
        MonitoringFault.SILENCES_DAMAGED,
        "MonitoringDataSetAside",
    ),
    Scenario(
        name="alertmanager-killed",
        does="Alertmanager is killed with SIGKILL and stays away: nobody can be told.",
        steps=(Kill(Process.ALERTMANAGER),),
        alert="PrometheusNotificationsDropped",
        seen_in_prometheus=True,
        alert_minutes=12,
    ),
)
