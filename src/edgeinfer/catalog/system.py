"""Metrics of the machine and of the collectors themselves."""

from edgeinfer.catalog import labels
from edgeinfer.catalog.labels import COLLECTOR
from edgeinfer.catalog.metric import Label, Metric, MetricKind, Owner

SIDECAR = (Owner.SIDECAR,)
COLLECTING = (Owner.SIDECAR, Owner.EXPORTER)
SERVING = (Owner.GATEWAY, Owner.SIDECAR, Owner.EXPORTER)

MEMORY_USAGE = Metric(
    name="hailo_memory_usage_bytes",
    kind=MetricKind.GAUGE,
    unit="bytes",
    help="Memory of the sidecar's process and of its machine.",
    owners=SIDECAR,
    labels=(Label("memory_type", labels.MEMORY_TYPES),),
    sensor=True,
)
DISK_SPACE = Metric(
    name="hailo_disk_space_bytes",
    kind=MetricKind.GAUGE,
    unit="bytes",
    help="Space of the root file system: available to unprivileged users, and total.",
    owners=SIDECAR,
    labels=(Label("space", labels.DISK_SPACES),),
    sensor=True,
)
CPU_USAGE_RATIO = Metric(
    name="hailo_cpu_usage_ratio",
    kind=MetricKind.GAUGE,
    unit="ratio",
    help="Share of the machine's CPU time used since the previous reading.",
    owners=SIDECAR,
    sensor=True,
)
CPU_USAGE_PERCENT = Metric(
    name="hailo_cpu_usage_percent",
    kind=MetricKind.GAUGE,
    unit="percent",
    help="Share of the machine's CPU time used since the previous reading, in percent.",
    owners=SIDECAR,
    sensor=True,
    deprecated_by="hailo_cpu_usage_ratio",
)
HTTP_REFUSALS = Metric(
    name="hailo_http_refusals_total",
    kind=MetricKind.COUNTER,
    unit="requests",
    help="Requests and connections that the HTTP server of a service refused itself, by kind of problem; most reach no "
    "route and are in no other metric.",
    owners=SERVING,
    labels=(Label("error_type", labels.REFUSALS),),
)
COLLECTOR_SUCCESS = Metric(
    name="hailo_collector_success",
    kind=MetricKind.GAUGE,
    unit="state",
    help="1 if the collector's last run succeeded, else 0; absent before its first run and if its source "
    "does not exist on this machine.",
    owners=COLLECTING,
    labels=(COLLECTOR,),
    sensor=True,
)
COLLECTOR_DURATION = Metric(
    name="hailo_collector_duration_seconds",
    kind=MetricKind.GAUGE,
    unit="seconds",
    help="Duration of the collector's last run; absent before its first run.",
    owners=COLLECTING,
    labels=(COLLECTOR,),
    sensor=True,
)
COLLECTOR_LAST_SUCCESS = Metric(
    name="hailo_collector_last_success_timestamp_seconds",
    kind=MetricKind.GAUGE,
    unit="timestamp",
    help="Time of the collector's last successful run; absent before its first success.",
    owners=COLLECTING,
    labels=(COLLECTOR,),
    sensor=True,
)
COLLECTOR_ERRORS = Metric(
    name="hailo_collector_errors_total",
    kind=MetricKind.COUNTER,
    unit="errors",
    help="Failed runs of a collector, by reason; a source that does not exist on this machine is not a failure.",
    owners=COLLECTING,
    labels=(
        COLLECTOR,
        Label("reason", ("permission", "malformed", "stale", "timeout", "failed")),
    ),
)
