"""The text of prometheus.yml: what is scraped, which rules run, who hears of alerts."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml

SCRAPE_INTERVAL_SECONDS = 5
DEFAULT_EXTERNAL_LABELS: Mapping[str, str] = {"site": "local", "device": "local"}

# Our own jobs export some hundred series; a scrape past this is a label gone wild and is refused whole.
_SAMPLE_LIMIT = 5000
_BODY_LIMIT = "5MB"
_EXEMPLARS_KEPT = 10_000
# A clock that was ahead once leaves measurements in the future, before which Prometheus takes no others. With this it
# does, as long as the clock was not further ahead. Known to 2.39 and later.
OUT_OF_ORDER_WINDOW = "30d"
# Of the monitoring servers' own thousand series, the ones that alerts and people ask for.
_MONITORING_JOBS = ("prometheus", "alertmanager")
# Five hundred series that move slowly: scraped less often.
_JOB_INTERVALS: Mapping[str, str] = {"node": "15s"}
_MONITORING_SERIES = (
    "(prometheus_(build_info|config_last_reload_.*|notifications_.*|rule_.*|target_interval_.*|engine_query_duration_.*"
    "|target_scrapes_sample_out_of_(order|bounds)_total|remote_storage_.*"
    "|tsdb_(lowest_timestamp|head_series|head_samples_appended_total|storage_blocks_bytes|head_out_of_order_samples_appended_total"
    "|too_old_samples_total|wal_corruptions_total|mmap_chunk_corruptions_total|reloads_failures_total"
    "|(compactions|head_truncations|wal_truncations|wal_writes|checkpoint_creations|checkpoint_deletions)_failed_total))"
    "|alertmanager_(build_info|alerts|notifications_total|notifications_failed_total|config_last_reload_.*"
    "|(nflog|silences)_(snapshot_duration_seconds_count|maintenance_errors_total))"
    "|process_(resident_memory_bytes|cpu_seconds_total|start_time_seconds))"
)


def prometheus_configuration(  # noqa: PLR0913  # each is one part of the file, passed down by name
    *,
    targets: Mapping[str, Sequence[str]],
    alertmanagers: Sequence[str],
    rule_files: Sequence[str],
    scrape_interval_seconds: int = SCRAPE_INTERVAL_SECONDS,
    external_labels: Mapping[str, str] = DEFAULT_EXTERNAL_LABELS,
    discovered: Mapping[str, str] = MappingProxyType({}),
    remote_write: Mapping[str, Any] | None = None,
) -> str:
    """A configuration that Prometheus 2.42 and 3.x read alike; 3.x extras belong to an overlay.

    Retention is a flag of the server (`--storage.tsdb.retention.time`), because 2.42 refuses it here.

    Args:
        targets: host:port of each job's processes; a job without targets is left out.
        alertmanagers: host:port of each; none means that alerts are seen in Prometheus only.
        rule_files: paths or globs as the server sees them.
        scrape_interval_seconds: also how often rules without an interval of their own are evaluated.
        external_labels: what distinguishes this machine's series and alerts from another's; `site` and `device`
            are what Alertmanager groups by.
        discovered: file or glob that names the targets of a job which is not everywhere.
        remote_write: where samples are sent as well, as Prometheus reads it.
    """
    document: dict[str, Any] = {
        "global": {
            "scrape_interval": f"{scrape_interval_seconds}s",
            "scrape_timeout": f"{max(1, scrape_interval_seconds - 1)}s",
            "evaluation_interval": f"{scrape_interval_seconds}s",
            "external_labels": dict(external_labels),
        },
        "storage": {
            "exemplars": {"max_exemplars": _EXEMPLARS_KEPT},
            "tsdb": {"out_of_order_time_window": OUT_OF_ORDER_WINDOW},
        },
        "rule_files": list(rule_files),
    }
    if remote_write:
        document["remote_write"] = [dict(remote_write)]
    if alertmanagers:
        document["alerting"] = {"alertmanagers": [_alertmanagers(alertmanagers)]}
    document["scrape_configs"] = [
        *(_job(job, "static_configs", {"targets": list(hosts)}) for job, hosts in targets.items() if hosts),
        *(_job(job, "file_sd_configs", {"files": [files]}) for job, files in discovered.items()),
    ]
    return yaml.safe_dump(document, sort_keys=False, width=120)


def _alertmanagers(hosts: Sequence[str]) -> dict[str, Any]:
    return {"api_version": "v2", "static_configs": [{"targets": list(hosts)}]}


def _job(name: str, how: str, found: dict[str, Any]) -> dict[str, Any]:
    job: dict[str, Any] = {"job_name": name, how: [found]}
    if name in _JOB_INTERVALS:
        job["scrape_interval"] = _JOB_INTERVALS[name]
    if name in _MONITORING_JOBS:
        keep = {"source_labels": ["__name__"], "regex": _MONITORING_SERIES, "action": "keep"}
        return job | {"metric_relabel_configs": [keep]}
    return job | {"sample_limit": _SAMPLE_LIMIT, "body_size_limit": _BODY_LIMIT}
