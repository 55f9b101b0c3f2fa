"""How the chip is read and reached: sensors, collectors, bus, link and identity."""

from edgeinfer.catalog import device, system
from edgeinfer.monitoring.dashboards.hardware.queries import CHIP, LEGEND, NO_CHIP, Q
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import SIDECAR
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    bar_gauge,
    stat,
    state_timeline,
    table,
    time_series,
)
from edgeinfer.monitoring.dashboards.style import (
    AGE,
    GREEN,
    PER_SECOND,
    RED,
    YELLOW,
    Thresholds,
)
from edgeinfer.monitoring.thresholds import (
    SENSOR_STALE_SECONDS,
)

_AGE: Thresholds = ((None, GREEN), (SENSOR_STALE_SECONDS / 2, YELLOW), (SENSOR_STALE_SECONDS, RED))


def rows() -> list[Row]:
    return [
        Row("Sensors and collectors", [_freshness(), _collectors()], SIDECAR, open_when="a value is missing"),
        Row(
            "Bus and link",
            [_bus(), _link()],
            SIDECAR,
            open_when="HailoRT finds no chip or is slow",
            no_value=NO_CHIP,
        ),
        Row("Identity", [_identity()], SIDECAR, open_when="versions may not fit together", no_value=NO_CHIP),
    ]


def _freshness() -> list[Panel]:
    age = f"time() - {Q.gauge(device.SENSOR_LAST_SUCCESS, by=('chip_id', 'sensor'))}"
    return [
        bar_gauge(
            "Age of each reading",
            "Seconds since each sensor was last read. A reading that has stopped is old here and absent elsewhere.",
            [Query(f"sort_desc({age})", "{{chip_id}} {{sensor}}", instant=True)],
            FieldConfig(unit=AGE, minimum=0, maximum=2 * SENSOR_STALE_SECONDS, thresholds=_AGE, no_value="none read"),
            size=(8, 8),
        ),
        time_series(
            "Readings that failed",
            "By sensor and reason.",
            [Query(Q.rate(device.SENSOR_ERRORS, by=("sensor", "reason")), "{{sensor}}: {{reason}}")],
            FieldConfig(unit=PER_SECOND),
            size=(16, 8),
            bars=True,
        ),
    ]


def _collectors() -> list[Panel]:
    by = ("collector", "job", "instance")
    legend = "{{collector}} {{job}} {{instance}}"
    return [
        time_series(
            "Time of a collector's run",
            "Collectors run in the background: a slow one delays no scrape, only its own readings.",
            [Query(Q.gauge(system.COLLECTOR_DURATION, by=by), legend)],
            FieldConfig(unit="s"),
            size=(8, 7),
        ),
        bar_gauge(
            "Since a collector last read",
            "Seconds since each collector last read what it is for.",
            [Query(f"sort_desc(time() - {Q.gauge(system.COLLECTOR_LAST_SUCCESS, by=by)})", legend, instant=True)],
            FieldConfig(unit=AGE, minimum=0, maximum=2 * SENSOR_STALE_SECONDS, thresholds=_AGE, no_value="none read"),
            size=(8, 7),
        ),
        time_series(
            "Collectors that failed",
            "Runs that failed, by collector and reason.",
            [Query(Q.rate(system.COLLECTOR_ERRORS, by=("collector", "reason")), "{{collector}}: {{reason}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 7),
            bars=True,
        ),
    ]


def _bus() -> list[Panel]:
    levels = ("chip_id", "level")
    return [
        stat(
            "On the bus",
            "Hailo chips on the PCI bus, and device nodes by whether the exporter may open them. "
            "More on the bus than HailoRT finds indicates a fault of the driver or its permissions.",
            [
                Query(Q.gauge(device.PCI_DEVICES, how="sum"), "chips on the bus"),
                Query(Q.gauge(device.DEVICE_NODES, how="sum", by=("access",)), "nodes, {{access}}"),
            ],
            FieldConfig(unit="none", decimals=0, no_value="no bus"),
            size=(8, 6),
            shows="value_and_name",
            sparkline=False,
        ),
        bar_gauge(
            "Temperature of each throttling level",
            "Where the device enters each level, as it says itself.",
            [
                Query(
                    f"sort({Q.gauge(device.LEVEL_TEMPERATURE, by=levels)})",
                    "{{chip_id}} level {{level}}",
                    instant=True,
                )
            ],
            FieldConfig(unit="celsius", decimals=0, minimum=0, maximum=130, no_value="not read"),
            size=(8, 6),
        ),
        bar_gauge(
            "Clock of each throttling level",
            "How fast the device runs in each level.",
            [
                Query(
                    f"sort_desc({Q.gauge(device.LEVEL_CLOCK, by=levels)})", "{{chip_id}} level {{level}}", instant=True
                )
            ],
            FieldConfig(unit="hertz", minimum=0, no_value="not read"),
            size=(8, 6),
        ),
    ]


def _link() -> list[Panel]:
    ends = ("end", *CHIP)
    return [
        stat(
            "PCIe generation",
            "At which generation the chip's link runs now, and what each end can do: 1 is 2.5 GT/s a lane, 2 is 5, 3 "
            "is 8. A Raspberry Pi 5 runs at 2 unless dtparam=pciex1_gen=3 is set.",
            [
                Query(Q.gauge(device.PCIE_GENERATION, by=CHIP), f"now {LEGEND}"),
                Query(Q.gauge(device.PCIE_MAX_GENERATION, by=ends), f"{{{{end}}}} can {LEGEND}"),
            ],
            FieldConfig(unit="locale", decimals=0, no_value="not read"),
            size=(8, 6),
            shows="value_and_name",
            sparkline=False,
        ),
        stat(
            "PCIe lanes",
            "Over how many lanes the chip's link runs now, and how many each end has.",
            [
                Query(Q.gauge(device.PCIE_LANES, by=CHIP), f"now {LEGEND}"),
                Query(Q.gauge(device.PCIE_MAX_LANES, by=ends), f"{{{{end}}}} has {LEGEND}"),
            ],
            FieldConfig(unit="locale", decimals=0, no_value="not read"),
            size=(8, 6),
            shows="value_and_name",
            sparkline=False,
        ),
        state_timeline(
            "Why the firmware started",
            "Why the firmware on each processor of the chip started last; a watchdog means that it had hung.",
            [
                Query(
                    Q.gauge(device.RESTART_REASON, by=("processor", *CHIP)),
                    f"{{{{processor}}}} {LEGEND}",
                )
            ],
            FieldConfig(
                unit="none",
                value_mappings=[
                    (0, "power-up", GREEN),
                    (1, "hardware watchdog", RED),
                    (2, "software watchdog", RED),
                    (3, "software", YELLOW),
                ],
            ),
            size=(8, 6),
        ),
    ]


def _identity() -> list[Panel]:
    chip_labels = ("chip_id", "architecture", "board_name", "firmware_version", "product_name")
    driver_labels = ("instance", "module", "driver_version", "library_version")
    return [
        table(
            "Chips",
            "What each device says it is.",
            Query(Q.info(device.DEVICE_INFO, by=chip_labels)),
            FieldConfig(unit="none"),
            columns={
                "chip_id": "Chip",
                "architecture": "Architecture",
                "board_name": "Chip board",
                "firmware_version": "Firmware",
                "product_name": "Product",
            },
        ),
        table(
            "Driver and library",
            "Both must have the same version as the firmware.",
            Query(Q.info(device.DRIVER_INFO, by=driver_labels)),
            FieldConfig(unit="none"),
            columns={
                "instance": "Machine",
                "module": "Module",
                "driver_version": "Driver",
                "library_version": "HailoRT library",
            },
            size=(8, 8),
        ),
        table(
            "Exporter",
            "Version of each exporter that runs.",
            Query(Q.info(device.EXPORTER_BUILD_INFO, by=("instance", "version", "python"))),
            FieldConfig(unit="none"),
            columns={"instance": "Machine", "version": "Version", "python": "Python"},
            size=(4, 8),
        ),
    ]
