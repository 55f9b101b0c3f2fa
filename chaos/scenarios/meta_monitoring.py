"""The monitoring itself: what it reports in the steady state, and how it reports that it is broken."""

from dataclasses import replace

from chaos.actions import monitoring
from chaos.actions.action import Action, Process
from chaos.actions.monitoring import FalsifyScrapes, ReconfigureAlertmanager, ReconfigurePrometheus, reading, reads
from chaos.actions.monitoring_files import (
    AddDamagedBlocks,
    DamageLog,
    DamageSegment,
    DamageSilences,
    RefuseWrites,
    RemoveStateFolder,
    with_other_chunks,
    without_index,
)
from chaos.actions.processes import Kill
from chaos.actions.traffic import Inject
from chaos.faults import Fault, FaultKind
from chaos.scenario import Scenario, error
from edgeinfer.catalog import system

# First of all: what other scenarios leave behind would disturb the steady state.
STEADY_STATE = Scenario(
    name="steady-state",
    does="Nothing is done for three quarters of an hour: the Watchdog alert fires, and no other arrives.",
    actions=(),
    alert="Watchdog",
    is_steady_state=True,
    min_seconds=45.0,
    needs_machine=True,
    is_slow=True,
)

# Alerts that hold for ten minutes or longer are left to the full matrix.
_SLOW_MINUTES = 15.0


def _broken(name: str, does: str, action: Action, alert: str, minutes: float) -> Scenario:
    return Scenario(
        name=name, does=does, actions=(action,), alert=alert, alert_minutes=minutes, is_slow=minutes >= _SLOW_MINUTES
    )


def _damaged(name: str, does: str, action: Action, alert: str) -> Scenario:
    # Blocks are looked at once a minute, and a checkpoint needs some blocks before it: no factor shortens either.
    return replace(_broken(name, does, action, alert, minutes=8), fixed_seconds=120.0, is_slow=True, needs_store=True)


WATCHING = (
    _broken(
        "target-forgotten",
        "prometheus.yml is loaded again and no longer names the sidecar.",
        ReconfigurePrometheus(monitoring.without_sidecar),
        "HailoTargetMissing",
        minutes=8,
    ),
    _broken(
        "configuration-broken",
        "prometheus.yml is not valid YAML any more, and is loaded again.",
        ReconfigurePrometheus(monitoring.not_yaml),
        "PrometheusConfigurationRefused",
        minutes=8,
    ),
    _broken(
        "rule-failing",
        "A rule matches many series to many.",
        ReconfigurePrometheus(monitoring.with_failing_rule),
        "PrometheusRuleFailures",
        minutes=12,
    ),
    replace(
        _broken(
            "fleet-away",
            "Samples are to be sent to a fleet's centre that does not answer.",
            ReconfigurePrometheus(monitoring.with_fleet_away),
            "PrometheusRemoteWriteBehind",
            minutes=20,
        ),
        fixed_seconds=120.0,
    ),
    _broken(
        "scrape-slow",
        "The sidecar's metrics come 1.5 s late.",
        FalsifyScrapes(Fault(FaultKind.LATENCY, seconds=1.5, only_infer=False), interval="3s"),
        "ScrapeSlow",
        minutes=15,
    ),
    _broken(
        "scrape-big",
        "A label of the sidecar's metrics takes 3500 values.",
        FalsifyScrapes(Fault(FaultKind.WILD_LABEL, only_infer=False)),
        "ScrapeTooBig",
        minutes=15,
    ),
    _broken(
        "machine-memory-low",
        "Prometheus reads that a twentieth of the machine's memory is left.",
        reads(reading(system.MEMORY_USAGE, "system_available", 5e7), reading(system.MEMORY_USAGE, "system_total", 1e9)),
        "HailoMemoryLow",
        minutes=14,
    ),
    _broken(
        "machine-disk-full",
        "Prometheus reads that a fiftieth of the machine's disk is left.",
        reads(reading(system.DISK_SPACE, "available", 2e7), reading(system.DISK_SPACE, "total", 1e9)),
        "HailoDiskFull",
        minutes=9,
    ),
    _broken(
        "machine-disk-filling",
        "Prometheus reads that the machine's disk has a quarter left and fills, for an hour.",
        # After an hour of scrapes it is still more than what is called full.
        reads(reading(system.DISK_SPACE, "available", 2.5e8, falls_by=1e5), reading(system.DISK_SPACE, "total", 1e9)),
        "HailoDiskWillFill",
        minutes=75,
    ),
    Scenario(
        name="receiver-refuses",
        does="Warnings go to one more receiver, which refuses them; a failure lets one be sent.",
        actions=(
            ReconfigureAlertmanager(monitoring.with_refusing_receiver),
            Inject(Fault(FaultKind.STATUS, status=500)),
        ),
        counted=(error("http_5xx"),),
        alert="AlertmanagerNotificationsFailing",
        alert_minutes=25,
    ),
    _broken(
        "samples-late",
        "The sidecar's metrics carry times from a clock that jumps a minute back and forth.",
        FalsifyScrapes(Fault(FaultKind.LATE_TIMES, seconds=60.0, only_infer=False)),
        "PrometheusOutOfOrderTimestamps",
        minutes=22,  # what a reload does itself is not reported, and this begins with one
    ),
    _broken(
        "alertmanager-elsewhere",
        "Alerts go to a second Alertmanager as well, which is not there.",
        ReconfigurePrometheus(monitoring.with_second_alertmanager),
        "PrometheusAlertmanagerUnreachable",
        minutes=8,
    ),
    _broken(
        "receivers-broken",
        "alertmanager.yml is not valid YAML any more, and is loaded again.",
        ReconfigureAlertmanager(monitoring.not_yaml),
        "AlertmanagerConfigurationRefused",
        minutes=8,
    ),
    _damaged(
        "block-unreadable",
        "A block of measurements loses its index while Prometheus runs.",
        AddDamagedBlocks(1, without_index),
        "PrometheusBlockUnreadable",
    ),
    _damaged(
        "chunks-damaged",
        "Two blocks that are to be merged have chunks with other bytes.",
        AddDamagedBlocks(2, with_other_chunks),
        "PrometheusCompactionFailing",
    ),
    _damaged(
        "writes-refused",
        "Prometheus may not write for two seconds of every four, as on a full disk.",
        RefuseWrites(),
        "PrometheusWritesFailing",
    ),
    replace(
        _damaged(
            "state-folder-gone",
            "Alertmanager's folder is gone.",
            RemoveStateFolder(),
            "AlertmanagerStateUnsaved",
        ),
        # An hour without a file that was written, after an hour with one.
        alert_minutes=150,
    ),
    _damaged(
        "segment-damaged",
        "The first segment of the write-ahead log gets other bytes while Prometheus runs.",
        DamageSegment(),
        "PrometheusWriteAheadLogGrowing",
    ),
    _damaged(
        "log-damaged",
        "Prometheus is killed, its write-ahead log gets other bytes, and it starts again.",
        DamageLog(),
        "PrometheusWriteAheadLogDamaged",
    ),
    _damaged(
        "silences-damaged",
        "Alertmanager is killed, its silences get other bytes, and it starts when they are set aside.",
        DamageSilences(),
        "MonitoringDataSetAside",
    ),
    Scenario(
        name="alertmanager-killed",
        does="Alertmanager is killed with SIGKILL and stays away: nobody can be notified.",
        actions=(Kill(Process.ALERTMANAGER),),
        alert="PrometheusNotificationsDropped",
        seen_in_prometheus=True,
        alert_minutes=12,
    ),
)
