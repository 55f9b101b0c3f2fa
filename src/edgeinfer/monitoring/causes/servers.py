"""The monitoring servers themselves: what they do not load, scrape, store or send."""

from edgeinfer.monitoring.causes.cause import Action, Cause, Evidence
from edgeinfer.monitoring.causes.commands import Verb
from edgeinfer.monitoring.causes.signs import GATEWAY, Q, condition, either
from edgeinfer.monitoring.prometheus_metrics import STARTED, UP

_PROMETHEUS, _ALERTMANAGER = "prometheus", "alertmanager"
# It looks for targets every five seconds, and then scrapes each within one interval.
_FINDS_TARGETS_SECONDS = 15
_LOG = Action("Read what Prometheus says.", verb=Verb.LOG, process="prometheus")
_RESTART = Action("Restart Prometheus; what it cannot read is set aside.", verb=Verb.RESTART, process="prometheus")
_ALERTMANAGER_LOG = Action("Read what Alertmanager says.", verb=Verb.LOG, process="alertmanager")
_STARTED = Q.select(STARTED, {"job": _PROMETHEUS})
_JUST_STARTED = Evidence(
    "Prometheus started a moment ago, and has yet to find its targets",
    either(f"time() - {_STARTED} < {_FINDS_TARGETS_SECONDS}", f"absent(count_over_time({Q.select(UP)}[15s]))"),
)
_FOLDER = Action("See what is damaged.", command="edgeinfer doctor --only folder")


def create() -> list[Cause]:
    """The entries that diagnosis and reference are made from."""
    return [*_configuration(), *_scraping(), *_storing(), *_sending(), _checks()]


def _one(  # noqa: PLR0913 - each is a field of the entry
    name: str,
    title: str,
    alert: str,
    says: str,
    *remedy: Action,
    service: str = _PROMETHEUS,
    also: tuple[str, ...] = (),
    unless: tuple[Evidence, ...] = (),
    leads_to: tuple[str, ...] = (),
    follows_from: tuple[str, ...] = (),
) -> Cause:
    """A cause that one alert names by itself."""
    evidence = (Evidence(says, condition(alert)),)
    return Cause(
        name=name,
        title=title,
        service=service,
        alerts=(alert, *also),
        evidence=evidence,
        unless=unless,
        remedy=remedy,
        leads_to=leads_to,
        follows_from=follows_from,
    )


def _configuration() -> list[Cause]:
    return [
        _one(
            "prometheus-configuration-refused",
            "Prometheus refused its newest configuration and works with the previous one",
            "PrometheusConfigurationRefused",
            "its last reload failed",
            Action(
                "Check the file; the error names the line.",
                command="promtool check config {folder}/configuration/prometheus.yml",
            ),
            Action("Fix that line, and reload.", command="curl -X POST localhost:9090/-/reload"),
        ),
        _one(
            "target-forgotten",
            "One of our services is missing from prometheus.yml",
            "HailoTargetMissing",
            "no target of the job {job} is known",
            Action("See which jobs the file names.", command="grep job_name {folder}/configuration/prometheus.yml"),
            Action("Put the job back, and reload.", command="curl -X POST localhost:9090/-/reload"),
            also=("HailoCounterSilent",),
            unless=(_JUST_STARTED,),
            leads_to=("answered-elsewhere",),
        ),
        _one(
            "rule-fails",
            "A rule of Prometheus cannot be evaluated",
            "PrometheusRuleFailures",
            "rules of the group {rule_group} fail",
            Action("See which, and why.", command="curl -s 'localhost:9090/api/v1/rules' | grep -o 'lastError.*'"),
            _LOG,
        ),
        _one(
            "alertmanager-configuration-refused",
            "Alertmanager refused its newest configuration and works with the previous one",
            "AlertmanagerConfigurationRefused",
            "its last reload failed",
            Action("Check the file.", command="amtool check-config {folder}/configuration/alertmanager.yml"),
            Action("Fix it, and reload.", command="curl -X POST localhost:9093/-/reload"),
            service=_ALERTMANAGER,
        ),
    ]


def _scraping() -> list[Cause]:
    return [
        _one(
            "metrics-slow",
            "The metrics of a service take long to read",
            "ScrapeSlow",
            "a scrape of {job} takes {value} s",
            Action(
                "See how long it takes on its own machine.", command="time curl -s -o /dev/null localhost:9000/metrics"
            ),
            Action("Look at the machine's load, and at what stands between."),
            follows_from=("processor-busy", "sidecar-hangs", "gateway-hangs", "exporter-hangs"),
        ),
        _one(
            "metrics-too-many",
            "A label of the metrics takes too many values",
            "ScrapeTooBig",
            "{job} exports {value} series",
            Action("See which name has most series.", command="curl -s localhost:9090/api/v1/status/tsdb"),
            Action("Take that label away; until then nothing is lost below the limit of 5000."),
        ),
        _one(
            "samples-out-of-order",
            "Measurements arrive with times of an unsteady clock",
            "PrometheusOutOfOrderTimestamps",
            "Prometheus refuses or reorders samples of {job}",
            Action("Compare the clocks of the machines.", command="timedatectl"),
            Action("Let NTP set them, and do not export times.", command="sudo timedatectl set-ntp true"),
        ),
        _one(
            "fleet-away",
            "The fleet's centre does not take our samples",
            "PrometheusRemoteWriteBehind",
            "sending is {value} s behind",
            Action(
                "See whether it answers: the address stands under remote_write.",
                command="grep -A2 remote_write {folder}/configuration/prometheus.yml",
            ),
            _LOG,
        ),
    ]


def _storing() -> list[Cause]:
    return [
        _one(
            "prometheus-block-unreadable",
            "A block of measurements cannot be read",
            "PrometheusBlockUnreadable",
            "Prometheus cannot load its blocks",
            _FOLDER,
            _RESTART,
            also=("PrometheusCompactionFailing",),
            leads_to=("prometheus-compaction-fails",),
        ),
        _one(
            "prometheus-compaction-fails",
            "Prometheus cannot merge blocks whose measurements are damaged",
            "PrometheusCompactionFailing",
            "compactions fail",
            _FOLDER,
            _RESTART,
        ),
        _one(
            "prometheus-checkpoint-fails",
            "Prometheus cannot shorten its write-ahead log, a segment of which is damaged",
            "PrometheusWriteAheadLogGrowing",
            "its log cannot be truncated",
            _FOLDER,
            _RESTART,
            also=("PrometheusCompactionFailing",),
            leads_to=("prometheus-compaction-fails",),
        ),
        _one(
            "prometheus-log-damaged",
            "Prometheus found its write-ahead log damaged when it started, and repaired it",
            "PrometheusWriteAheadLogDamaged",
            "{value} corruptions were found at its start",
            Action("See what is missing: the measurements after the damage, until the start."),
            Action(
                "Look for a failing disk or a power cut.", command="sudo dmesg | grep -iE 'i/o error|ext4|mmc' | tail"
            ),
            also=("HailoTargetMissing",),  # until what was lost is measured again
        ),
        _one(
            "prometheus-cannot-write",
            "Prometheus cannot write its measurements",
            "PrometheusWritesFailing",
            "writes to its log fail",
            Action("See whether the disk has room and may be written.", command="df -h {folder}"),
            _LOG,
            also=("PrometheusCompactionFailing", "PrometheusWriteAheadLogGrowing", "PrometheusBlockUnreadable"),
            leads_to=("prometheus-compaction-fails", "prometheus-checkpoint-fails", "prometheus-block-unreadable"),
        ),
        _one(
            "alertmanager-cannot-save",
            "Alertmanager cannot save silences and its notification log",
            "AlertmanagerStateUnsaved",
            "no snapshot was written",
            Action("See whether its folder is there and may be written.", command="ls -ld {folder}/alertmanager"),
            _ALERTMANAGER_LOG,
            service=_ALERTMANAGER,
        ),
        _one(
            "monitoring-data-set-aside",
            "Damaged files of the monitoring were set aside",
            "MonitoringDataSetAside",
            "{value} files of {part} lie aside",
            _FOLDER,
            Action("Keep or remove them.", command="ls -R {folder}/damaged"),
            service="stack",
        ),
    ]


def _sending() -> list[Cause]:
    return [
        _one(
            "receiver-refuses",
            "A receiver of notifications refuses them",
            "AlertmanagerNotificationsFailing",
            "notifications by {integration} fail",
            Action("Check address and token of the receiver.", command="edgeinfer config alertmanager"),
            _ALERTMANAGER_LOG,
            service=_ALERTMANAGER,
        ),
        _one(
            "alertmanager-unreachable",
            "Prometheus cannot reach one of its Alertmanagers",
            "PrometheusAlertmanagerUnreachable",
            "sending to {alertmanager} fails",
            Action(
                "See which addresses prometheus.yml names.",
                command="grep -A8 alertmanagers {folder}/configuration/prometheus.yml",
            ),
            Action("Start that one, or take it out of the file.", verb=Verb.STATE, process="alertmanager"),
            follows_from=("alertmanager-stopped", "alertmanager-hangs", "alertmanager-crashes"),
        ),
    ]


def _checks() -> Cause:
    return _one(
        "checks-stand-still",
        "The gateway's health checks do not run any more",
        "EdgeInferHealthCheckStale",
        "the check {check} ran last {value} s ago",
        Action("Keep its log, and restart it.", verb=Verb.RESTART, process="gateway"),
        service=GATEWAY,
        follows_from=("gateway-stopped", "gateway-hangs", "gateway-crashes", "gateway-suspended"),
    )
