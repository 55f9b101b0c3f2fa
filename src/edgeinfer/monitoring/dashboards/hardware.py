"""The chips' board: heat against the device's own limits, throttling, use, current, and whether we see at all."""

from edgeinfer.catalog import device, sidecar, system
from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.board import Board
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.panels import Drill, Look, Panel, Query, bars, dial, graph, stat, table, timeline
from edgeinfer.monitoring.dashboards.sources import SCOPE, finite
from edgeinfer.monitoring.dashboards.style import (
    AGE,
    COUNT,
    GREEN,
    HEAT,
    NONE_IS_GOOD,
    ORANGE,
    PER_SECOND,
    RED,
    YELLOW,
    Steps,
)
from edgeinfer.monitoring.promql import Queries, matching
from edgeinfer.monitoring.thresholds import (
    SENSOR_STALE_SECONDS,
    UTILIZATION_SATURATED_RATIO,
)

_Q = Queries("$__rate_interval", SCOPE | {"chip_id": matching("$chip")})
_SERVED = Queries("$__rate_interval", SCOPE)
_CHIP = ("chip_id", "instance")
_LEGEND = "{{chip_id}} {{instance}}"
_SIDECAR = Drill("Inference in detail", "hailo-sidecar-monitoring")
# The firmware's own defaults; what a device really says is drawn beside its temperature.
_USE: Steps = ((None, GREEN), (UTILIZATION_SATURATED_RATIO, YELLOW))
_AGE: Steps = ((None, GREEN), (SENSOR_STALE_SECONDS / 2, YELLOW), (SENSOR_STALE_SECONDS, RED))


def create() -> Board:
    """The board."""
    return Board(
        uid="edgeinfer-hardware",
        file="hailo_hardware_dashboard.json",
        title="Hailo hardware",
        description="Each chip: temperature against its own limits, throttling, use by network, current, and whether "
        "its sensors are read. What cannot be read is absent here, never zero.",
        variables=[variables.datasource(), variables.job(), variables.instance(), variables.chip()],
        rows=[
            Row("Now", [_now()], _SIDECAR),
            Row("Heat and throttling", [_heat(), _throttling(), _board()], _SIDECAR),
            Row("Use", [_use()], _SIDECAR),
            Row("What the device tells", [_events()], _SIDECAR),
            Row("Do we see? Sensors and collectors", [_freshness(), _collectors()], _SIDECAR),
            Row("Identity", [_bus(), _link(), _identity()], _SIDECAR),
        ],
    )


def _now() -> list[Panel]:
    return [
        dial(
            "Hottest chip",
            "The hotter of each chip's two sensors. Around 104 °C the device steps its clock down.",
            [Query(_Q.gauge(device.TEMPERATURE), "°C", instant=True)],
            Look(unit="celsius", decimals=0, minimum=0, maximum=120, steps=HEAT, no_value="not read"),
        ),
        dial(
            "Use",
            "Share of time in which the busiest chip had at least one frame in flight.",
            [Query(_Q.gauge(device.UTILIZATION_RATIO), "use", instant=True)],
            Look(unit="percentunit", decimals=0, minimum=0, maximum=1, steps=_USE, no_value="not read"),
        ),
        stat(
            "HailoRT",
            "Whether HailoRT answers for every device.",
            [Query(_Q.gauge(device.HAILORT_STATUS, how="min"), "HailoRT")],
            Look(
                unit="none",
                steps=((None, RED), (1, GREEN)),
                states=[(0, "refuses", RED), (1, "answers", GREEN)],
                no_value="not asked",
            ),
            size=(4, 6),
            sparkline=False,
        ),
        stat(
            "Devices",
            "Devices that HailoRT's scan finds; there is no scan where HailoRT is not installed or refuses it.",
            [Query(_Q.gauge(device.DEVICES_FOUND, how="sum"), "devices")],
            Look(unit="none", decimals=0, steps=((None, RED), (1, GREEN)), no_value="no scan"),
            size=(4, 6),
            sparkline=False,
        ),
        stat(
            "Power",
            "Power of the chips, where the board has a sensor and EDGEINFER_EXPORTER_MEASURE_POWER asks for it.",
            [Query(_Q.gauge(device.POWER, how="sum"), "power")],
            Look(unit="watt", no_value="not measured"),
            size=(4, 6),
        ),
        stat(
            "Failures of the backend",
            "Failures of the sidecar's backend over the shown range, all classes.",
            [Query(_Q.increase(sidecar.HARDWARE_ERRORS, window="$__range"), "failures", instant=True)],
            Look(unit=COUNT, decimals=0, steps=NONE_IS_GOOD, no_value="no sidecar"),
            size=(4, 6),
            sparkline=False,
            drill=_SIDECAR,
        ),
    ]


def _heat() -> list[Panel]:
    limits = _Q.gauge(device.TEMPERATURE_LIMIT, by=("chip_id", "limit"), where={"limit": matching("orange|red")})
    return [
        graph(
            "Temperature and limits",
            "The hotter sensor of each chip, and the limits that the device itself names: "
            "at orange it steps its clock down, at red it closes its streams.",
            [
                Query(_Q.gauge(device.TEMPERATURE, by=_CHIP), _LEGEND),
                Query(limits, "limit {{limit}} {{chip_id}}"),
            ],
            Look(unit="celsius", decimals=0),
        ),
        graph(
            "Each sensor",
            "Every chip has two temperature sensors.",
            [Query(_Q.gauge(device.SENSOR_TEMPERATURE, by=("chip_id", "sensor")), "{{chip_id}} {{sensor}}")],
            Look(unit="celsius", decimals=1),
        ),
    ]


def _throttling() -> list[Panel]:
    return [
        timeline(
            "Temperature zone",
            "The zone that the device says it is in.",
            [Query(_Q.gauge(device.TEMPERATURE_ZONE, by=_CHIP), _LEGEND)],
            Look(unit="none", states=[(0, "green", GREEN), (1, "orange", ORANGE), (2, "red", RED)]),
            size=(8, 7),
        ),
        graph(
            "Clock",
            "Clock of the neural network core, and what each protection asks for. Lower than the clock is throttling.",
            [
                Query(_Q.gauge(device.CLOCK, by=_CHIP), f"clock {_LEGEND}"),
                Query(
                    _Q.gauge(device.REQUESTED_CLOCK, by=("chip_id", "protection")), "{{protection}} asks {{chip_id}}"
                ),
                Query(_Q.gauge(device.ANNOUNCED_CLOCK, by=_CHIP), f"announced {_LEGEND}"),
            ],
            Look(unit="hertz"),
            size=(8, 7),
        ),
        graph(
            "Throttling level",
            "The level that the device reports, and whether its protection is switched on at all.",
            [
                Query(_Q.gauge(device.THROTTLING_LEVEL, by=_CHIP), f"level {_LEGEND}"),
                Query(_Q.gauge(device.THROTTLING_PROTECTION, by=_CHIP), f"protection on {_LEGEND}"),
                Query(_Q.gauge(device.ANNOUNCED_THROTTLING, by=_CHIP), f"announced {_LEGEND}"),
            ],
            Look(unit=COUNT, decimals=0),
            size=(8, 7),
        ),
    ]


def _board() -> list[Panel]:
    return [
        timeline(
            "The Raspberry Pi itself",
            "What its firmware complains of: a weak supply or heat slows the processor that feeds the chip.",
            [Query(_Q.gauge(device.BOARD_COMPLAINT, by=("complaint", "instance")), "{{complaint}} {{instance}}")],
            Look(unit="none", states=[(0, "no", GREEN), (1, "yes", RED)]),
            size=(24, 6),
        ),
    ]


def _use() -> list[Panel]:
    return [
        graph(
            "Use of each chip",
            "Share of time in which the chip had at least one frame in flight, from HailoRT's monitor files.",
            [Query(_Q.gauge(device.UTILIZATION_RATIO, by=_CHIP), _LEGEND)],
            Look(unit="percentunit", maximum=1),
            size=(6, 8),
        ),
        graph(
            "Frames in flight",
            "Mean number of windows with a chip at once: what keeps a chip busy while its use says that it is not?",
            [Query(finite(_SERVED.mean(sidecar.FRAMES_IN_FLIGHT, by=("instance",))), "{{instance}}")],
            Look(unit="none", decimals=1),
            size=(6, 8),
        ),
        graph(
            "Use by network",
            "Share of time in which each network had a frame in flight: who takes the chip?",
            [Query(_Q.gauge(device.NETWORK_UTILIZATION, by=("network", "instance")), "{{network}} {{instance}}")],
            Look(unit="percentunit", maximum=1),
            size=(6, 8),
        ),
        graph(
            "Frames by network",
            "Frames that each network finished per second.",
            [Query(_Q.gauge(device.NETWORK_RATE, by=("network", "instance")), "{{network}} {{instance}}")],
            Look(unit="suffix:fps"),
            size=(6, 8),
        ),
    ]


def _events() -> list[Panel]:
    return [
        graph(
            "Notifications",
            "What the device reported by itself: alarms, clock changes, memory errors.",
            [Query(_Q.increase(device.NOTIFICATIONS_RECEIVED, by=("notification",)), "{{notification}}")],
            Look(unit=COUNT, decimals=0),
            size=(8, 7),
            bars=True,
        ),
        timeline(
            "Overcurrent zone",
            "Whether the device says that it draws too much current.",
            [Query(_Q.gauge(device.OVERCURRENT_ZONE, by=_CHIP), _LEGEND)],
            Look(unit="none", states=[(0, "green", GREEN), (1, "red", RED)]),
            size=(8, 7),
        ),
        graph(
            "Power of each chip",
            "Power of each chip, where the board has a sensor for it.",
            [Query(_Q.gauge(device.POWER, by=_CHIP), _LEGEND)],
            Look(unit="watt"),
            size=(8, 7),
        ),
    ]


def _freshness() -> list[Panel]:
    age = f"time() - {_Q.gauge(device.SENSOR_LAST_SUCCESS, by=('chip_id', 'sensor'))}"
    return [
        bars(
            "Age of each reading",
            "Seconds since each sensor was last read. A reading that has stopped is old here and absent elsewhere.",
            [Query(f"sort_desc({age})", "{{chip_id}} {{sensor}}", instant=True)],
            Look(unit=AGE, minimum=0, maximum=2 * SENSOR_STALE_SECONDS, steps=_AGE, no_value="none read"),
            size=(8, 8),
        ),
        graph(
            "Readings that failed",
            "By sensor and reason.",
            [Query(_Q.rate(device.SENSOR_ERRORS, by=("sensor", "reason")), "{{sensor}}: {{reason}}")],
            Look(unit=PER_SECOND),
            size=(16, 8),
            bars=True,
        ),
    ]


def _collectors() -> list[Panel]:
    by = ("collector", "job", "instance")
    legend = "{{collector}} {{job}} {{instance}}"
    return [
        timeline(
            "Collectors",
            "Whether the last run of each collector read what it is for.",
            [Query(_Q.gauge(system.COLLECTOR_SUCCESS, how="min", by=by), legend)],
            Look(unit="none", states=[(0, "failed", RED), (1, "read", GREEN)]),
            size=(8, 7),
        ),
        graph(
            "Time of a collector's run",
            "Collectors run in the background: a slow one delays no scrape, only its own readings.",
            [Query(_Q.gauge(system.COLLECTOR_DURATION, by=by), legend)],
            Look(unit="s"),
            size=(5, 7),
        ),
        bars(
            "Since a collector last read",
            "Seconds since each collector last read what it is for.",
            [Query(f"sort_desc(time() - {_Q.gauge(system.COLLECTOR_LAST_SUCCESS, by=by)})", legend, instant=True)],
            Look(unit=AGE, minimum=0, maximum=2 * SENSOR_STALE_SECONDS, steps=_AGE, no_value="none read"),
            size=(5, 7),
        ),
        graph(
            "Collectors that failed",
            "Runs that failed, by collector and reason.",
            [Query(_Q.rate(system.COLLECTOR_ERRORS, by=("collector", "reason")), "{{collector}}: {{reason}}")],
            Look(unit=PER_SECOND),
            size=(6, 7),
            bars=True,
        ),
    ]


def _bus() -> list[Panel]:
    levels = ("chip_id", "level")
    return [
        stat(
            "On the bus",
            "Hailo chips on the PCI bus, and device nodes by whether the exporter may open them. "
            "More on the bus than HailoRT finds means trouble with driver or rights.",
            [
                Query(_Q.gauge(device.PCI_DEVICES, how="sum"), "chips on the bus"),
                Query(_Q.gauge(device.DEVICE_NODES, how="sum", by=("access",)), "nodes, {{access}}"),
            ],
            Look(unit="none", decimals=0, no_value="no bus"),
            size=(8, 6),
            shows="value_and_name",
            sparkline=False,
        ),
        bars(
            "Temperature of each throttling level",
            "Where the device enters each level, as it says itself.",
            [
                Query(
                    f"sort({_Q.gauge(device.LEVEL_TEMPERATURE, by=levels)})",
                    "{{chip_id}} level {{level}}",
                    instant=True,
                )
            ],
            Look(unit="celsius", decimals=0, minimum=0, maximum=130, no_value="not read"),
            size=(8, 6),
        ),
        bars(
            "Clock of each throttling level",
            "How fast the device runs in each level.",
            [
                Query(
                    f"sort_desc({_Q.gauge(device.LEVEL_CLOCK, by=levels)})", "{{chip_id}} level {{level}}", instant=True
                )
            ],
            Look(unit="hertz", minimum=0, no_value="not read"),
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
            Look(unit="locale", decimals=0, no_value="not read"),
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
            Look(unit="locale", decimals=0, no_value="not read"),
            size=(8, 6),
            shows="value_and_name",
            sparkline=False,
        ),
        timeline(
            "Why the firmware started",
            "Why the firmware on each processor of the chip started last; a watchdog means that it had hung.",
            [
                Query(
                    _Q.gauge(device.RESTART_REASON, by=("processor", *_CHIP)),
                    f"{{{{processor}}}} {_LEGEND}",
                )
            ],
            Look(
                unit="none",
                states=[
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
            Look(unit="none"),
            columns={
                "chip_id": "Chip",
                "architecture": "Architecture",
                "board_name": "Board",
                "firmware_version": "Firmware",
                "product_name": "Product",
            },
        ),
        table(
            "Driver and library",
            "Both must have the same version as the firmware.",
            Query(_Q.info(device.DRIVER_INFO, by=driver_labels)),
            Look(unit="none"),
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
            Look(unit="none"),
            columns={"instance": "Machine", "version": "Version", "python": "Python"},
            size=(4, 8),
        ),
    ]
