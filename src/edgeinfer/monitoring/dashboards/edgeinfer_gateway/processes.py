"""Our processes, and the monitoring of them."""

from edgeinfer.catalog import tracing
from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import HARDWARE
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import LIVE
from edgeinfer.monitoring.dashboards.style import (
    COUNT,
    PER_SECOND,
)


def rows() -> list[Row]:
    return [
        Row("Processes", [_processes()], HARDWARE, open_when="memory, CPU or open files may leak"),
        Row("Monitoring", [_monitoring()], HARDWARE, open_when="scrapes are slow or series are missing"),
    ]


def _processes() -> list[Panel]:
    return [
        time_series(
            "Memory of our processes",
            "Resident memory; a line that only ever rises is a leak.",
            [Query(LIVE.gauge(prometheus_metrics.PROCESS_MEMORY, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit="bytes"),
            size=(8, 7),
        ),
        time_series(
            "CPU of our processes",
            "Seconds of CPU time per second: 1 is one core.",
            [Query(LIVE.rate(prometheus_metrics.PROCESS_CPU, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit="none", decimals=2),
            size=(8, 7),
        ),
        time_series(
            "Open files",
            "File descriptors, connections among them.",
            [Query(LIVE.gauge(prometheus_metrics.OPEN_FILES, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
    ]


def _monitoring() -> list[Panel]:
    return [
        time_series(
            "Time of a scrape",
            "How long Prometheus waits for /metrics of each process.",
            [Query(LIVE.gauge(prometheus_metrics.SCRAPE_DURATION, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit="s"),
            size=(8, 7),
        ),
        time_series(
            "Series exported",
            "Samples in one scrape of each process; a line that keeps rising is a label gone wild.",
            [Query(LIVE.gauge(prometheus_metrics.SCRAPE_SAMPLES, by=("job", "instance")), "{{job}} {{instance}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
        time_series(
            "Spans of traces",
            "What became of the spans of sampled requests; failed and dropped ones never held up a request.",
            [
                Query(LIVE.rate(tracing.GATEWAY_SPANS, by=("result",)), "{{result}} gateway"),
                Query(LIVE.rate(tracing.SIDECAR_SPANS, by=("result",)), "{{result}} sidecar"),
            ],
            FieldConfig(unit=PER_SECOND),
            size=(8, 7),
        ),
    ]
