"""The sidecar's queue, and the machine that it runs on."""

from edgeinfer.catalog import device, sidecar, system
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import HARDWARE
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import (
    LIVE,
    finite,
)
from edgeinfer.monitoring.dashboards.style import (
    COUNT,
)


def rows() -> list[Row]:
    return [
        Row("Queue and work", [_work()], HARDWARE, open_when="latency rises while the chip is not slower"),
        Row("Machine", [_machine()], HARDWARE, open_when="CPU, memory or disk may be short"),
    ]


def _work() -> list[Panel]:
    return [
        time_series(
            "Queue and work",
            "Windows that wait, windows that are being computed, and where the sidecar begins to shed.",
            [
                Query(LIVE.gauge(sidecar.QUEUE_DEPTH, by=("instance",)), "waiting {{instance}}"),
                Query(LIVE.gauge(sidecar.IN_FLIGHT, by=("instance",)), "computing {{instance}}"),
                Query(LIVE.gauge(sidecar.QUEUE_CAPACITY, by=("instance",)), "room {{instance}}"),
                Query(LIVE.gauge(sidecar.WORKERS, by=("instance",)), "workers {{instance}}"),
            ],
            FieldConfig(unit=COUNT, decimals=0),
            size=(16, 8),
        ),
        time_series(
            "Windows computed together",
            "How many windows shared the run of an answered window, on average; 1 where the backend does not batch.",
            [Query(finite(LIVE.mean(sidecar.BATCH_SIZE, by=("instance",))), "{{instance}}")],
            FieldConfig(unit="none", decimals=1),
            size=(8, 8),
        ),
    ]


def _machine() -> list[Panel]:
    return [
        time_series(
            "CPU",
            "Share of the CPU time of the sidecar's machine that is used.",
            [Query(LIVE.gauge(system.CPU_USAGE_RATIO, by=("instance",)), "{{instance}}")],
            FieldConfig(unit="percentunit", maximum=1),
            size=(6, 7),
        ),
        time_series(
            "Memory",
            "Memory of the sidecar's process and of its machine.",
            [Query(LIVE.gauge(system.MEMORY_USAGE, by=("memory_type", "instance")), "{{memory_type}} {{instance}}")],
            FieldConfig(unit="bytes"),
            size=(6, 7),
        ),
        time_series(
            "Disk",
            "Space of the disk that holds the root folder of the sidecar's machine: sessions and measurements fill it.",
            [Query(LIVE.gauge(system.DISK_SPACE, by=("space", "instance")), "{{space}} {{instance}}")],
            FieldConfig(unit="bytes"),
            size=(6, 7),
        ),
        time_series(
            "Hottest chip",
            "Temperature of each chip; its limits are on the hardware dashboard.",
            [Query(LIVE.gauge(device.TEMPERATURE, by=("chip_id",)), "{{chip_id}}")],
            FieldConfig(unit="celsius", decimals=0),
            size=(6, 7),
            link=HARDWARE,
        ),
    ]
