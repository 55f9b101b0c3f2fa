"""The labels and series that the alerts on chips and on the Raspberry Pi share."""

from edgeinfer.monitoring.alerts.rule_test import RuleTest, counter
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
