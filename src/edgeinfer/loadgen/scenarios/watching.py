"""The monitoring itself: what it says while nothing is wrong, and how it tells that it is broken."""

from dataclasses import replace

from edgeinfer.loadgen.faults import Fault, FaultKind
from edgeinfer.loadgen.scenario import Scenario, error
from edgeinfer.loadgen.steps import Blind, Inject, Kill, Process, Watching

# First of all: what other scenarios leave behind would be no calm.
CALM = Scenario(
    name="calm",
    does="Nothing is done for three quarters of an hour: the heartbeat stands, and no other alert arrives.",
    steps=(),
    alert="Watchdog",
    is_calm=True,
    least_seconds=45.0,
    needs_machine=True,
    is_slow=True,
)

# Alerts that hold for ten minutes or longer are left to the full matrix.
_SLOW_MINUTES = 15.0


def _blind(name: str, does: str, how: Watching, alert: str, minutes: float) -> Scenario:
    return Scenario(
        name=name,
        does=does,
        steps=(Blind(how),),
        alert=alert,
        alert_minutes=minutes,
        is_slow=minutes >= _SLOW_MINUTES,
    )


WATCHING = (
    _blind(
        "target-forgotten",
        "prometheus.yml is loaded again and no longer names the sidecar.",
        Watching.TARGET_FORGOTTEN,
        "HailoTargetMissing",
        minutes=8,
    ),
    _blind(
        "configuration-broken",
        "prometheus.yml is no YAML any more, and is loaded again.",
        Watching.CONFIGURATION_BROKEN,
        "PrometheusConfigurationRefused",
        minutes=8,
    ),
    _blind(
        "rule-failing",
        "A rule matches many series to many.",
        Watching.RULE_FAILING,
        "PrometheusRuleFailures",
        minutes=12,
    ),
    replace(
        _blind(
            "fleet-away",
            "Samples are to be sent to a fleet's centre that does not answer.",
            Watching.FLEET_AWAY,
            "PrometheusRemoteWriteBehind",
            minutes=20,
        ),
        fixed_seconds=120.0,
    ),
    _blind("scrape-slow", "The sidecar's metrics come 1.5 s late.", Watching.SCRAPE_SLOW, "ScrapeSlow", minutes=15),
    _blind(
        "scrape-big",
        "A label of the sidecar's metrics takes 3500 values.",
        Watching.SCRAPE_BIG,
        "ScrapeTooBig",
        minutes=15,
    ),
    _blind(
        "machine-memory-low",
        "Prometheus reads that a twentieth of the machine's memory is left.",
        Watching.MEMORY_READ_LOW,
        "HailoMemoryLow",
        minutes=14,
    ),
    _blind(
        "machine-disk-full",
        "Prometheus reads that a fiftieth of the machine's disk is left.",
        Watching.DISK_READ_FULL,
        "HailoDiskFull",
        minutes=9,
    ),
    _blind(
        "machine-disk-filling",
        "Prometheus reads that the machine's disk has a quarter left and fills, for an hour.",
        Watching.DISK_READ_FILLING,
        "HailoDiskWillFill",
        minutes=75,
    ),
    Scenario(
        name="receiver-refuses",
        does="Warnings go to one more receiver, which refuses them; a failure lets one be sent.",
        steps=(Blind(Watching.RECEIVER_REFUSES), Inject(Fault(FaultKind.STATUS, status=500))),
        counted=(error("http_5xx"),),
        alert="AlertmanagerNotificationsFailing",
        alert_minutes=25,
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
