"""Series that our catalog does not own: those that Prometheus, Alertmanager and the client library bring."""

from edgeinfer.catalog.metric import MetricKind
from edgeinfer.monitoring.promql import BuiltIn

UP = BuiltIn("up")
SCRAPE_DURATION = BuiltIn("scrape_duration_seconds")
SCRAPE_SAMPLES = BuiltIn("scrape_samples_scraped")
ALERTS = BuiltIn("ALERTS", labels=("alertname", "alertstate", "severity", "service", "signal", "objective"))
PROCESS_MEMORY = BuiltIn("process_resident_memory_bytes")
PROCESS_CPU = BuiltIn("process_cpu_seconds_total", MetricKind.COUNTER)
OPEN_FILES = BuiltIn("process_open_fds")
FILES_LIMIT = BuiltIn("process_max_fds")
STARTED = BuiltIn("process_start_time_seconds")

RULE_FAILURES = BuiltIn("prometheus_rule_evaluation_failures_total", MetricKind.COUNTER, ("rule_group",))
NOTIFICATIONS_DROPPED = BuiltIn("prometheus_notifications_dropped_total", MetricKind.COUNTER)
NOTIFICATION_ERRORS = BuiltIn("prometheus_notifications_errors_total", MetricKind.COUNTER, ("alertmanager",))
CONFIGURATION_LOADED = BuiltIn("prometheus_config_last_reload_successful")
CONFIGURATION_LOADED_AT = BuiltIn("prometheus_config_last_reload_success_timestamp_seconds")
REMOTE_SENT = BuiltIn("prometheus_remote_storage_queue_highest_sent_timestamp_seconds", labels=("remote_name", "url"))
REMOTE_PENDING = BuiltIn("prometheus_remote_storage_samples_pending", labels=("remote_name", "url"))
REMOTE_NEWEST = BuiltIn("prometheus_remote_storage_highest_timestamp_in_seconds")
RECEIVER_FAILURES = BuiltIn("alertmanager_notifications_failed_total", MetricKind.COUNTER, ("integration",))
ALERTMANAGER_LOADED = BuiltIn("alertmanager_config_last_reload_successful")

# The store of Prometheus. Names and meaning were compared by running 2.42, 2.53 and 3.5: they are the same.
COMPACTION_FAILURES = BuiltIn("prometheus_tsdb_compactions_failed_total", MetricKind.COUNTER)
BLOCK_FAILURES = BuiltIn("prometheus_tsdb_reloads_failures_total", MetricKind.COUNTER)
HEAD_TRUNCATION_FAILURES = BuiltIn("prometheus_tsdb_head_truncations_failed_total", MetricKind.COUNTER)
WAL_TRUNCATION_FAILURES = BuiltIn("prometheus_tsdb_wal_truncations_failed_total", MetricKind.COUNTER)
CHECKPOINT_FAILURES = BuiltIn("prometheus_tsdb_checkpoint_creations_failed_total", MetricKind.COUNTER)
OLD_CHECKPOINT_FAILURES = BuiltIn("prometheus_tsdb_checkpoint_deletions_failed_total", MetricKind.COUNTER)
# Both count what a start found, and are read as they are: a growth from the run before would be missed where the
# machine was off for long.
WAL_CORRUPTIONS = BuiltIn("prometheus_tsdb_wal_corruptions_total")
CHUNK_CORRUPTIONS = BuiltIn("prometheus_tsdb_mmap_chunk_corruptions_total")
WAL_WRITE_FAILURES = BuiltIn("prometheus_tsdb_wal_writes_failed_total", MetricKind.COUNTER)
OUT_OF_ORDER = BuiltIn("prometheus_target_scrapes_sample_out_of_order_total", MetricKind.COUNTER)
OUT_OF_BOUNDS = BuiltIn("prometheus_target_scrapes_sample_out_of_bounds_total", MetricKind.COUNTER)
# 3.x distinguishes these two by type; 2.42 has the second only from the first such sample on.
OUT_OF_ORDER_STORED = BuiltIn("prometheus_tsdb_head_out_of_order_samples_appended_total", MetricKind.COUNTER, ("type",))
TOO_OLD = BuiltIn("prometheus_tsdb_too_old_samples_total", MetricKind.COUNTER, ("type",))

# Alertmanager's files. Errors are counted from 0.26 on; 0.25 only stops counting what it wrote.
LOG_WRITTEN = BuiltIn("alertmanager_nflog_snapshot_duration_seconds_count", MetricKind.COUNTER)
SILENCES_WRITTEN = BuiltIn("alertmanager_silences_snapshot_duration_seconds_count", MetricKind.COUNTER)
LOG_ERRORS = BuiltIn("alertmanager_nflog_maintenance_errors_total", MetricKind.COUNTER)
SILENCES_ERRORS = BuiltIn("alertmanager_silences_maintenance_errors_total", MetricKind.COUNTER)

# Written by `edgeinfer up` into a rule file of its own, because it is up to it what is set aside, and it is not a
# target.
SET_ASIDE = BuiltIn("edgeinfer_stack_set_aside_files", labels=("part",))


def all_built_in() -> tuple[BuiltIn, ...]:
    """Every series of this file, by name."""
    found = [value for value in globals().values() if isinstance(value, BuiltIn)]
    return tuple(sorted(found, key=lambda series: series.name))
