"""The labels, queries and steps that the alerts on the stores of Prometheus and Alertmanager share."""

from collections.abc import Mapping

from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.alerts.alert import RunbookStep
from edgeinfer.monitoring.alerts.rule_test import RuleTest, Values
from edgeinfer.monitoring.promql import BuiltIn, Queries

TARGET = ("job", "instance")
PROMETHEUS = {"job": "prometheus", "instance": "prometheus:9090"}
# Prometheus tries again each minute, or less often the longer it fails.
RETRIED = Queries("15m", {})
# What happens once, at start, keeps firing for an hour.
ONCE = Queries("1h", {})
LOOK_AT_DISK = RunbookStep(
    "Is there free space, and does the disk accept writes?",
    {
        "no space is left": "see HailoDiskFull.",
        "there is space": "continue; errors of the card in `dmesg` mean that the card is worn out: replace it.",
    },
    command="df -h /var/lib/prometheus; sudo dmesg | grep -iE 'I/O error|mmc|ext4' | tail",
)
SHORTENING = (
    prometheus_metrics.HEAD_TRUNCATION_FAILURES,
    prometheus_metrics.WAL_TRUNCATION_FAILURES,
    prometheus_metrics.CHECKPOINT_FAILURES,
    prometheus_metrics.OLD_CHECKPOINT_FAILURES,
)
SHORTENING_NAMES = (
    "HEAD_TRUNCATION_FAILURES",
    "WAL_TRUNCATION_FAILURES",
    "CHECKPOINT_FAILURES",
    "OLD_CHECKPOINT_FAILURES",
)


def series_of(counted: BuiltIn, labels: Mapping[str, str]) -> str:
    """The series of a counter of Prometheus or Alertmanager, as a rule test writes it."""
    inside = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{counted.name}{{{inside}}}"


def of_prometheus(**values: Values) -> dict[str, Values]:
    """Series of Prometheus by the names that this module gives them in `prometheus_metrics`."""
    return {series_of(getattr(prometheus_metrics, name), PROMETHEUS): value for name, value in values.items()}


def grown(counted: BuiltIn, queries: Queries = RETRIED) -> str:
    """The growth of a counter in the range of the queries, for each target."""
    return queries.increase(counted, by=TARGET)


def ten_failed_attempts(series: Mapping[str, Values]) -> RuleTest:
    """The test of an alert on attempts that fail once a minute for half an hour, and then no more."""
    return RuleTest(
        series=series,
        pending_at=300,
        firing_at=600,
        resolved_at=2760,
        labels=PROMETHEUS,
        expected_description="10 failed attempts in 15 minutes.",
        interval_seconds=60,
    )
