"""The chips' dashboard: heat against the device's own limits, throttling, use, current, and whether we see at all."""

from edgeinfer.catalog import device, sidecar, system
from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.dashboard import Dashboard
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.long_range import LongRangeQueries, resolution
from edgeinfer.monitoring.dashboards.panels import (
    DashboardLink,
    FieldConfig,
    Panel,
    Query,
    bar_gauge,
    gauge,
    stat,
    state_timeline,
    table,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import SCOPE, finite
from edgeinfer.monitoring.dashboards.style import (
    AGE,
    COUNT,
    EMPTY,
    GREEN,
    HEAT,
    NONE_IS_GOOD,
    ORANGE,
    PER_SECOND,
    RED,
    YELLOW,
    Thresholds,
)
from edgeinfer.monitoring.promql import matching
from edgeinfer.monitoring.thresholds import (
    SENSOR_STALE_SECONDS,
    UTILIZATION_SATURATED_RATIO,
)

_Q = LongRangeQueries("$__rate_interval", SCOPE | {"chip_id": matching("$chip")})
_SERVED = LongRangeQueries("$__rate_interval", SCOPE)
_CHIP = ("chip_id", "instance")
_LEGEND = "{{chip_id}} {{instance}}"
_SIDECAR = DashboardLink("Inference in detail", "hailo-sidecar-monitoring")
_NO_CHIP = "no chip is read here"
# The firmware's own defaults; what a device reports itself is drawn with its temperature.
_USE: Thresholds = ((None, GREEN), (UTILIZATION_SATURATED_RATIO, YELLOW))
_AGE: Thresholds = ((None, GREEN), (SENSOR_STALE_SECONDS / 2, YELLOW), (SENSOR_STALE_SECONDS, RED))


def create() -> Dashboard:
    return Dashboard(
        uid="edgeinfer-hardware",
        file="hailo_hardware_dashboard.json",
        title="Hailo hardware",
        description="Each chip: temperature against its own limits, throttling, use by network, current, and whether "
        "its sensors are read. What cannot be read is absent here, never zero.",
        variables=[variables.datasource(), variables.job(), variables.instance(), variables.chip(), resolution()],
        rows=[
            Row("Now", [_now()], _SIDECAR),
            Row("Heat and use", [_heat(), _conditions()], _SIDECAR, no_value=_NO_CHIP),
            Row(
                "Throttling",
                [_throttling()],
                _SIDECAR,
                open_when="the clock falls or a zone is not green",
                no_value=_NO_CHIP,
            ),
            Row(
                "Use by model", [_use()], _SIDECAR, open_when="the chip is busy and you ask by whom", no_value=_NO_CHIP
            ),
            Row("Events and power", [_events()], _SIDECAR, open_when="the chip reports alarms", no_value=_NO_CHIP),
            Row("Sensors and collectors", [_freshness(), _collectors()], _SIDECAR, open_when="a value is missing"),
            Row(
                "Bus and link",
                [_bus(), _link()],
                _SIDECAR,
                open_when="HailoRT finds no chip or is slow",
                no_value=_NO_CHIP,
            ),
            Row("Identity", [_identity()], _SIDECAR, open_when="versions may not fit together", no_value=_NO_CHIP),
        ],
    )


def _now() -> list[Panel]:
    return [
        gauge(
            "Hottest chip",
            "The hotter of each chip's two sensors. Around 104 °C the device steps its clock down.",
            [Query(_Q.gauge(device.TEMPERATURE), "°C", instant=True)],
            FieldConfig(unit="celsius", decimals=0, minimum=0, maximum=120, thresholds=HEAT, no_value=_NO_CHIP),
            size=(4, 5),
        ),
        gauge(
            "Use",
            "Share of time in which the busiest chip had at least one frame in flight.",
            [Query(_Q.gauge(device.UTILIZATION_RATIO), "use", instant=True)],
            FieldConfig(unit="percentunit", decimals=0, minimum=0, maximum=1, thresholds=_USE, no_value=EMPTY),
            size=(4, 5),
        ),
        stat(
            "HailoRT",
            "Whether HailoRT answers for every device.",
            [Query(_Q.gauge(device.HAILORT_STATUS, how="min"), "HailoRT")],
            FieldConfig(
                unit="none",
                thresholds=((None, RED), (1, GREEN)),
                value_mappings=[(0, "refuses", RED), (1, "answers", GREEN)],
                no_value="not asked",
            ),
            size=(4, 5),
            sparkline=False,
        ),
        stat(
            "Devices",
            "Devices that HailoRT's scan finds; there is no scan where HailoRT is not installed or refuses it.",
            [Query(_Q.gauge(device.DEVICES_FOUND, how="sum"), "devices")],
            FieldConfig(unit="none", decimals=0, thresholds=((None, RED), (1, GREEN)), no_value="no scan"),
            size=(4, 5),
            sparkline=False,
        ),
        stat(
            "Power",
            "Power of the chips, where the dashboard has a sensor and EDGEINFER_EXPORTER_MEASURE_POWER asks for it.",
            [Query(_Q.gauge(device.POWER, how="sum"), "power")],
            FieldConfig(unit="watt", no_value=EMPTY),
            size=(4, 5),
        ),
        stat(
            "Failures of the backend",
            "Failures of the sidecar's backend over the shown range, all classes.",
            [Query(_Q.increase(sidecar.HARDWARE_ERRORS, window="$__range"), "failures", instant=True)],
            FieldConfig(unit=COUNT, decimals=0, thresholds=NONE_IS_GOOD, no_value="no sidecar"),
            size=(4, 5),
            sparkline=False,
            link=_SIDECAR,
        ),
    ]


def _heat() -> list[Panel]:
    limits = _Q.gauge(device.TEMPERATURE_LIMIT, by=("chip_id", "limit"), where={"limit": matching("orange|red")})
    return [
        time_series(
            "Temperature and limits",
            "The hotter sensor of each chip, and the limits that the device itself names: "
            "at orange it steps its clock down, at red it closes its streams.",
            [
                Query(_Q.gauge(device.TEMPERATURE, by=_CHIP), _LEGEND),
                Query(limits, "limit {{limit}} {{chip_id}}"),
            ],
            FieldConfig(unit="celsius", decimals=0),
            size=(8, 7),
        ),
        time_series(
            "Use of each chip",
            "Share of time in which the chip had at least one frame in flight, from HailoRT's monitor files.",
            [Query(_Q.gauge(device.UTILIZATION_RATIO, by=_CHIP), _LEGEND)],
            FieldConfig(unit="percentunit", maximum=1),
            size=(8, 7),
        ),
        time_series(
            "Clock",
            "Clock of the neural network core, and what each protection asks for. Lower than the clock is throttling.",
            [
                Query(_Q.gauge(device.CLOCK, by=_CHIP), f"clock {_LEGEND}"),
                Query(
                    _Q.gauge(device.REQUESTED_CLOCK, by=("chip_id", "protection")), "{{protection}} asks {{chip_id}}"
                ),
                Query(_Q.gauge(device.ANNOUNCED_CLOCK, by=_CHIP), f"announced {_LEGEND}"),
            ],
            FieldConfig(unit="hertz"),
            size=(8, 7),
        ),
    ]


def _conditions() -> list[Panel]:
    by = ("collector", "job", "instance")
    return [
        state_timeline(
            "Temperature zone",
            "The zone that the device says it is in.",
            [Query(_Q.gauge(device.TEMPERATURE_ZONE, by=_CHIP), _LEGEND)],
            FieldConfig(unit="none", value_mappings=[(0, "green", GREEN), (1, "orange", ORANGE), (2, "red", RED)]),
            size=(8, 5),
        ),
        state_timeline(
            "The Raspberry Pi itself",
            "What its firmware reports: a weak supply or heat slows the processor that feeds the chip.",
            [
                Query(
                    _Q.gauge(device.RASPBERRY_PI_CONDITION, by=("condition", "instance")), "{{condition}} {{instance}}"
                )
            ],
            FieldConfig(unit="none", value_mappings=[(0, "no", GREEN), (1, "yes", RED)]),
            size=(8, 5),
        ),
        state_timeline(
            "Collectors",
            "Whether the last run of each collector read what it is for.",
            [Query(_Q.gauge(system.COLLECTOR_SUCCESS, how="min", by=by), "{{collector}} {{job}} {{instance}}")],
            FieldConfig(unit="none", value_mappings=[(0, "failed", RED), (1, "read", GREEN)]),
            size=(8, 5),
        ),
    ]


def _throttling() -> list[Panel]:
    return [
        time_series(
            "Throttling level",
            "The level that the device reports, and whether its protection is switched on at all.",
            [
                Query(_Q.gauge(device.THROTTLING_LEVEL, by=_CHIP), f"level {_LEGEND}"),
                Query(_Q.gauge(device.THROTTLING_PROTECTION, by=_CHIP), f"protection on {_LEGEND}"),
                Query(_Q.gauge(device.ANNOUNCED_THROTTLING, by=_CHIP), f"announced {_LEGEND}"),
            ],
            FieldConfig(unit=COUNT, decimals=0),
            size=(12, 8),
        ),
        time_series(
            "Each sensor",
            "Every chip has two temperature sensors.",
            [Query(_Q.gauge(device.SENSOR_TEMPERATURE, by=("chip_id", "sensor")), "{{chip_id}} {{sensor}}")],
            FieldConfig(unit="celsius", decimals=1),
            size=(12, 8),
        ),
    ]


def _use() -> list[Panel]:
    return [
        time_series(
            "Use by network",
            "Share of time in which each network had a frame in flight: who takes the chip?",
            [Query(_Q.gauge(device.MODEL_UTILIZATION, by=("model", "instance")), "{{model}} {{instance}}")],
            FieldConfig(unit="percentunit", maximum=1),
            size=(8, 8),
        ),
        time_series(
            "Frames by network",
            "Frames that each network finished per second.",
            [Query(_Q.gauge(device.MODEL_FRAME_RATE, by=("model", "instance")), "{{model}} {{instance}}")],
            FieldConfig(unit="suffix:fps"),
            size=(8, 8),
        ),
        time_series(
            "Frames in flight",
            "Mean number of windows with a chip at once: what keeps a chip busy while its use says that it is not?",
            [Query(finite(_SERVED.mean(sidecar.FRAMES_IN_FLIGHT, by=("instance",))), "{{instance}}")],
            FieldConfig(unit="none", decimals=1),
            size=(8, 8),
        ),
    ]


def _events() -> list[Panel]:
    return [
        time_series(
            "Notifications",
            "What the device reported by itself: alarms, clock changes, memory errors.",
            [Query(_Q.increase(device.NOTIFICATIONS_RECEIVED, by=("notification",)), "{{notification}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
            bars=True,
        ),
        state_timeline(
            "Overcurrent zone",
            "Whether the device says that it draws too much current.",
            [Query(_Q.gauge(device.OVERCURRENT_ZONE, by=_CHIP), _LEGEND)],
            FieldConfig(unit="none", value_mappings=[(0, "green", GREEN), (1, "red", RED)]),
            size=(8, 7),
        ),
        time_series(
            "Power of each chip",
            "Power of each chip, where the dashboard has a sensor for it.",
            [Query(_Q.gauge(device.POWER, by=_CHIP), _LEGEND)],
            FieldConfig(unit="watt"),
            size=(8, 7),
        ),
    ]


def _freshness() -> list[Panel]:
    age = f"time() - {_Q.gauge(device.SENSOR_LAST_SUCCESS, by=('chip_id', 'sensor'))}"
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
            [Query(_Q.rate(device.SENSOR_ERRORS, by=("sensor", "reason")), "{{sensor}}: {{reason}}")],
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
            [Query(_Q.gauge(system.COLLECTOR_DURATION, by=by), legend)],
            FieldConfig(unit="s"),
            size=(8, 7),
        ),
        bar_gauge(
            "Since a collector last read",
            "Seconds since each collector last read what it is for.",
            [Query(f"sort_desc(time() - {_Q.gauge(system.COLLECTOR_LAST_SUCCESS, by=by)})", legend, instant=True)],
            FieldConfig(unit=AGE, minimum=0, maximum=2 * SENSOR_STALE_SECONDS, thresholds=_AGE, no_value="none read"),
            size=(8, 7),
        ),
        time_series(
            "Collectors that failed",
            "Runs that failed, by collector and reason.",
            [Query(_Q.rate(system.COLLECTOR_ERRORS, by=("collector", "reason")), "{{collector}}: {{reason}}")],
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
                Query(_Q.gauge(device.PCI_DEVICES, how="sum"), "chips on the bus"),
                Query(_Q.gauge(device.DEVICE_NODES, how="sum", by=("access",)), "nodes, {{access}}"),
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
                    f"sort({_Q.gauge(device.LEVEL_TEMPERATURE, by=levels)})",
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
                    f"sort_desc({_Q.gauge(device.LEVEL_CLOCK, by=levels)})", "{{chip_id}} level {{level}}", instant=True
                )
            ],
            FieldConfig(unit="hertz", minimum=0, no_value="not read"),
            size=(8, 6),
        ),
    ]


def _link() -> list[Panel]:
    ends = ("end", *_CHIP)
    return [
        stat(
            "PCIe generation",
            "At which generation the chip's link runs now, and what each end can do: 1 is 2.5 GT/s a lane, 2 is 5, 3 "
            "is 8. A Raspberry Pi 5 runs at 2 unless dtparam=pciex1_gen=3 is set.",
            [
                Query(_Q.gauge(device.PCIE_GENERATION, by=_CHIP), f"now {_LEGEND}"),
                Query(_Q.gauge(device.PCIE_MAX_GENERATION, by=ends), f"{{{{end}}}} can {_LEGEND}"),
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
                Query(_Q.gauge(device.PCIE_LANES, by=_CHIP), f"now {_LEGEND}"),
                Query(_Q.gauge(device.PCIE_MAX_LANES, by=ends), f"{{{{end}}}} has {_LEGEND}"),
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
                    _Q.gauge(device.RESTART_REASON, by=("processor", *_CHIP)),
                    f"{{{{processor}}}} {_LEGEND}",
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
            Query(_Q.info(device.DEVICE_INFO, by=chip_labels)),
            FieldConfig(unit="none"),
            columns={
                "chip_id": "Chip",
                "architecture": "Architecture",
                "board_name": "Dashboard",
                "firmware_version": "Firmware",
                "product_name": "Product",
            },
        ),
        table(
            "Driver and library",
            "Both must have the same version as the firmware.",
            Query(_Q.info(device.DRIVER_INFO, by=driver_labels)),
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
            Query(_Q.info(device.EXPORTER_BUILD_INFO, by=("instance", "version", "python"))),
            FieldConfig(unit="none"),
            columns={"instance": "Machine", "version": "Version", "python": "Python"},
            size=(4, 8),
        ),
    ]
