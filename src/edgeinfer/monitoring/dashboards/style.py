"""Colors, units and thresholds that all dashboards share, so that one color means one thing everywhere."""

from collections.abc import Mapping

from edgeinfer.monitoring.thresholds import (
    FALLBACK_TEMPERATURE_CELSIUS,
    LATENCY_OBJECTIVE_SECONDS,
    LATENCY_WARNING_SECONDS,
    OBJECTIVE,
)

GREEN = "#56A64B"
YELLOW = "#E0B400"
ORANGE = "#FF780A"
RED = "#E02F44"
BLUE = "#3274D9"
LIGHT_BLUE = "#8AB8FF"
PURPLE = "#A352CC"
TEAL = "#1F9E9E"
GREY = "#8E8E8E"

# A threshold step: from this value on, this color. The first has no value.
Thresholds = tuple[tuple[float | None, str], ...]

PLAIN: Thresholds = ((None, BLUE),)
LATENCY: Thresholds = ((None, GREEN), (LATENCY_WARNING_SECONDS, YELLOW), (LATENCY_OBJECTIVE_SECONDS, RED))
LATENCY_LINE: Thresholds = ((None, GREEN), (LATENCY_OBJECTIVE_SECONDS, RED))
# Yellow in the upper half of what the objective forgives.
SUCCESS: Thresholds = ((None, RED), (OBJECTIVE, YELLOW), (round((1 + OBJECTIVE) / 2, 4), GREEN))
SUCCESS_LINE: Thresholds = ((None, RED), (OBJECTIVE, GREEN))
NONE_IS_GOOD: Thresholds = ((None, GREEN), (1, RED))
HEAT: Thresholds = ((None, GREEN), (FALLBACK_TEMPERATURE_CELSIUS, YELLOW), (104, RED))
ALL_UP: Thresholds = ((None, RED), (1, GREEN))

STATUS_COLORS = {"success": GREEN, "failure": RED}
SOURCE_COLORS = {"sidecar": GREEN, "fallback": YELLOW, "none": RED}
BACKEND_COLORS = {"hailo": GREEN, "cpu": BLUE, "stub": RED}
STAGE_COLORS = {
    "network": LIGHT_BLUE,
    "queue": ORANGE,
    "decode": PURPLE,
    "preprocess": TEAL,
    "execute": GREEN,
    "postprocess": GREY,
}
GROUP_COLORS = {"move": BLUE, "static": GREEN, "transition": ORANGE, "other": GREY}
PERCENTILE_COLORS = {"p50": GREEN, "p90": TEAL, "p95": ORANGE, "p99": PURPLE, "mean": BLUE}
ERROR_COLORS = {
    "timeout": ORANGE,
    "http_4xx": YELLOW,
    "http_5xx": RED,
    "malformed_response": PURPLE,
    "decode_error": LIGHT_BLUE,
    "unknown_error": GREY,
    "connection_error": "#B877D9",
    "circuit_open": TEAL,
}

# For a panel whose row says already why there is nothing.
EMPTY = "\N{EN DASH}"
# Whole numbers, grouped by thousands and never shortened: "1,629" and not "2 K".
COUNT = "locale"
# Hours, minutes, seconds: in the largest fitting unit, everything from 60 to 89 seconds would read "1 min".
AGE = "dthms"
# Units of rates, which the catalog does not name: it names what is counted.
REQUESTS_PER_SECOND = "reqps"
PER_SECOND = "suffix:/s"
BYTES_PER_SECOND = "binBps"


def of(colors: Mapping[str, str], *names: str) -> dict[str, str]:
    """The colors of these series only: a color for a series that is not drawn is a mistake."""
    return {name: colors[name] for name in names}
