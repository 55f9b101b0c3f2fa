"""What the chip itself reports: heat, throttling, use, events and power."""

from edgeinfer.catalog import device, sidecar, system
from edgeinfer.monitoring.dashboards.hardware.queries import CHIP, LEGEND, NO_CHIP, SERVED, Q
from edgeinfer.monitoring.dashboards.layout import Row
from edgeinfer.monitoring.dashboards.links import SIDECAR
from edgeinfer.monitoring.dashboards.panels import (
    FieldConfig,
    Panel,
    Query,
    gauge,
    stat,
    state_timeline,
    time_series,
)
from edgeinfer.monitoring.dashboards.sources import finite
from edgeinfer.monitoring.dashboards.style import (
    COUNT,
    EMPTY,
    GREEN,
    HEAT,
    NONE_IS_GOOD,
    ORANGE,
    RED,
    YELLOW,
    Thresholds,
)
from edgeinfer.monitoring.promql import matching
from edgeinfer.monitoring.thresholds import (
    SENSOR_STALE_SECONDS,
    UTILIZATION_SATURATED_RATIO,
)

# The firmware's own defaults; what a device reports itself is drawn with its temperature.
_USE: Thresholds = ((None, GREEN), (UTILIZATION_SATURATED_RATIO, YELLOW))
_AGE: Thresholds = ((None, GREEN), (SENSOR_STALE_SECONDS / 2, YELLOW), (SENSOR_STALE_SECONDS, RED))


def rows() -> list[Row]:
    """What the chip reports; where there is none, each row says so once."""
    return [
        Row("Now", [_now()], SIDECAR),
        Row("Heat and use", [_heat(), _conditions()], SIDECAR, no_value=NO_CHIP),
        Row(
            "Throttling",
            [_throttling()],
            SIDECAR,
            open_when="the clock falls or a zone is not green",
            no_value=NO_CHIP,
        ),
        Row("Use by model", [_use()], SIDECAR, open_when="the chip is busy and you ask by whom", no_value=NO_CHIP),
        Row("Events and power", [_events()], SIDECAR, open_when="the chip reports alarms", no_value=NO_CHIP),
    ]


def _now() -> list[Panel]:
    return [
        gauge(
            "Hottest chip",
            "The hotter of each chip's two sensors. Around 104 °C the device steps its clock down.",
            [Query(Q.gauge(device.TEMPERATURE), "°C", instant=True)],
            FieldConfig(unit="celsius", decimals=0, minimum=0, maximum=120, thresholds=HEAT, no_value=NO_CHIP),
            size=(4, 5),
        ),
        gauge(
            "Use",
            "Share of time in which the busiest chip had at least one frame in flight.",
            [Query(Q.gauge(device.UTILIZATION_RATIO), "use", instant=True)],
            FieldConfig(unit="percentunit", decimals=0, minimum=0, maximum=1, thresholds=_USE, no_value=EMPTY),
            size=(4, 5),
        ),
        stat(
            "HailoRT",
            "Whether HailoRT answers for every device.",
            [Query(Q.gauge(device.HAILORT_STATUS, how="min"), "HailoRT")],
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
            [Query(Q.gauge(device.DEVICES_FOUND, how="sum"), "devices")],
            FieldConfig(unit="none", decimals=0, thresholds=((None, RED), (1, GREEN)), no_value="no scan"),
            size=(4, 5),
            sparkline=False,
        ),
        stat(
            "Power",
            "Power of the chips, where the dashboard has a sensor and EDGEINFER_EXPORTER_MEASURE_POWER asks for it.",
            [Query(Q.gauge(device.POWER, how="sum"), "power")],
            FieldConfig(unit="watt", no_value=EMPTY),
            size=(4, 5),
        ),
        stat(
            "Failures of the backend",
            "Failures of the sidecar's backend over the shown range, all classes.",
            [Query(Q.increase(sidecar.HARDWARE_ERRORS, window="$__range"), "failures", instant=True)],
            FieldConfig(unit=COUNT, decimals=0, thresholds=NONE_IS_GOOD, no_value="no sidecar"),
            size=(4, 5),
            sparkline=False,
            link=SIDECAR,
        ),
    ]


def _heat() -> list[Panel]:
    limits = Q.gauge(device.TEMPERATURE_LIMIT, by=("chip_id", "limit"), where={"limit": matching("orange|red")})
    return [
        time_series(
            "Temperature and limits",
            "The hotter sensor of each chip, and the limits that the device itself names: "
            "at orange it steps its clock down, at red it closes its streams.",
            [
                Query(Q.gauge(device.TEMPERATURE, by=CHIP), LEGEND),
                Query(limits, "limit {{limit}} {{chip_id}}"),
            ],
            FieldConfig(unit="celsius", decimals=0),
            size=(8, 7),
        ),
        time_series(
            "Use of each chip",
            "Share of time in which the chip had at least one frame in flight, from HailoRT's monitor files.",
            [Query(Q.gauge(device.UTILIZATION_RATIO, by=CHIP), LEGEND)],
            FieldConfig(unit="percentunit", maximum=1),
            size=(8, 7),
        ),
        time_series(
            "Clock",
            "Clock of the neural network core, and what each protection asks for. Lower than the clock is throttling.",
            [
                Query(Q.gauge(device.CLOCK, by=CHIP), f"clock {LEGEND}"),
                Query(Q.gauge(device.REQUESTED_CLOCK, by=("chip_id", "protection")), "{{protection}} asks {{chip_id}}"),
                Query(Q.gauge(device.ANNOUNCED_CLOCK, by=CHIP), f"announced {LEGEND}"),
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
            [Query(Q.gauge(device.TEMPERATURE_ZONE, by=CHIP), LEGEND)],
            FieldConfig(unit="none", value_mappings=[(0, "green", GREEN), (1, "orange", ORANGE), (2, "red", RED)]),
            size=(8, 5),
        ),
        state_timeline(
            "The Raspberry Pi itself",
            "What its firmware reports: a weak supply or heat slows the processor that feeds the chip.",
            [Query(Q.gauge(device.RASPBERRY_PI_CONDITION, by=("condition", "instance")), "{{condition}} {{instance}}")],
            FieldConfig(unit="none", value_mappings=[(0, "no", GREEN), (1, "yes", RED)]),
            size=(8, 5),
        ),
        state_timeline(
            "Collectors",
            "Whether the last run of each collector read what it is for.",
            [Query(Q.gauge(system.COLLECTOR_SUCCESS, how="min", by=by), "{{collector}} {{job}} {{instance}}")],
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
                Query(Q.gauge(device.THROTTLING_LEVEL, by=CHIP), f"level {LEGEND}"),
                Query(Q.gauge(device.THROTTLING_PROTECTION, by=CHIP), f"protection on {LEGEND}"),
                Query(Q.gauge(device.ANNOUNCED_THROTTLING, by=CHIP), f"announced {LEGEND}"),
            ],
            FieldConfig(unit=COUNT, decimals=0),
            size=(12, 8),
        ),
        time_series(
            "Each sensor",
            "Every chip has two temperature sensors.",
            [Query(Q.gauge(device.SENSOR_TEMPERATURE, by=("chip_id", "sensor")), "{{chip_id}} {{sensor}}")],
            FieldConfig(unit="celsius", decimals=1),
            size=(12, 8),
        ),
    ]


def _use() -> list[Panel]:
    return [
        time_series(
            "Use by model",
            "Share of time in which each network had a frame in flight: who takes the chip?",
            [Query(Q.gauge(device.MODEL_UTILIZATION, by=("model", "instance")), "{{model}} {{instance}}")],
            FieldConfig(unit="percentunit", maximum=1),
            size=(8, 8),
        ),
        time_series(
            "Frames by model",
            "Frames that each network finished per second.",
            [Query(Q.gauge(device.MODEL_FRAME_RATE, by=("model", "instance")), "{{model}} {{instance}}")],
            FieldConfig(unit="suffix:fps"),
            size=(8, 8),
        ),
        time_series(
            "Frames in flight",
            "Mean number of windows with a chip at once: what keeps a chip busy while its use says that it is not?",
            [Query(finite(SERVED.mean(sidecar.FRAMES_IN_FLIGHT, by=("instance",))), "{{instance}}")],
            FieldConfig(unit="none", decimals=1),
            size=(8, 8),
        ),
    ]


def _events() -> list[Panel]:
    return [
        time_series(
            "Notifications",
            "What the device reported by itself: alarms, clock changes, memory errors.",
            [Query(Q.increase(device.NOTIFICATIONS_RECEIVED, by=("notification",)), "{{notification}}")],
            FieldConfig(unit=COUNT, decimals=0),
            size=(8, 7),
            bars=True,
        ),
        state_timeline(
            "Overcurrent zone",
            "Whether the device says that it draws too much current.",
            [Query(Q.gauge(device.OVERCURRENT_ZONE, by=CHIP), LEGEND)],
            FieldConfig(unit="none", value_mappings=[(0, "green", GREEN), (1, "red", RED)]),
            size=(8, 7),
        ),
        time_series(
            "Power of each chip",
            "Power of each chip, where the dashboard has a sensor for it.",
            [Query(Q.gauge(device.POWER, by=CHIP), LEGEND)],
            FieldConfig(unit="watt"),
            size=(8, 7),
        ),
    ]
