"""The labels and series that the alerts on chips and on the Raspberry Pi share."""

from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, counter
from edgeinfer.monitoring.promql import Queries

EXPORTER = 'job="hailo-exporter", instance="exporter:9048"'
CHIP = f'{EXPORTER}, chip_id="0000:01:00.0"'
CHIP_LABELS = {"job": "hailo-exporter", "instance": "exporter:9048", "chip_id": "0000:01:00.0"}
BY_CHIP = ("job", "instance", "chip_id")
HARDWARE_DASHBOARD = "edgeinfer-hardware"
QUERIES = Queries("5m", {})


def notification_series(notification: str) -> str:
    """The counter of one notification of the chip."""
    return f'hailo_notifications_total{{{EXPORTER}, notification="{notification}"}}'


def notification_test(notification: str, says: str) -> RuleTest:
    """Fires 30 s after the first notification of this kind, and ends when none came for a while."""
    return RuleTest(
        series={notification_series(notification): counter((0, 60), (1 / 15, 15), (0, 900))},
        firing_at=90,
        resolved_at=480,
        labels={"job": "hailo-exporter", "instance": "exporter:9048", "notification": notification},
        expected_description=says,
    )


def other_notification(why: str, notification: str, other: str) -> RuleCase:
    """The case in which another notification came in place of the one that an alert is about."""
    series = {notification_series(notification): counter((0, 600)), notification_series(other): counter((0.1, 600))}
    return RuleCase(why=why, series=series, at=500)
