"""Series that our catalog does not own: those that Prometheus, Alertmanager and the client library bring."""

from edgeinfer.catalog.metric import Kind
from edgeinfer.monitoring.promql import BuiltIn

UP = BuiltIn("up")
SCRAPE_DURATION = BuiltIn("scrape_duration_seconds")
SCRAPE_SAMPLES = BuiltIn("scrape_samples_scraped")
ALERTS = BuiltIn("ALERTS", labels=("alertname", "alertstate", "severity", "service", "signal", "objective"))
PROCESS_MEMORY = BuiltIn("process_resident_memory_bytes")
PROCESS_CPU = BuiltIn("process_cpu_seconds_total", Kind.COUNTER)
OPEN_FILES = BuiltIn("process_open_fds")
STARTED = BuiltIn("process_start_time_seconds")

RULE_FAILURES = BuiltIn("prometheus_rule_evaluation_failures_total", Kind.COUNTER, ("rule_group",))
NOTIFICATIONS_DROPPED = BuiltIn("prometheus_notifications_dropped_total", Kind.COUNTER)
CONFIGURATION_LOADED = BuiltIn("prometheus_config_last_reload_successful")
REMOTE_SENT = BuiltIn("prometheus_remote_storage_queue_highest_sent_timestamp_seconds", labels=("remote_name", "url"))
REMOTE_PENDING = BuiltIn("prometheus_remote_storage_samples_pending", labels=("remote_name", "url"))
REMOTE_NEWEST = BuiltIn("prometheus_remote_storage_highest_timestamp_in_seconds")
RECEIVER_FAILURES = BuiltIn("alertmanager_notifications_failed_total", Kind.COUNTER, ("integration",))


def all_built_in() -> tuple[BuiltIn, ...]:
    """Every series of this file, by name."""
    found = [value for value in globals().values() if isinstance(value, BuiltIn)]
    return tuple(sorted(found, key=lambda series: series.name))
