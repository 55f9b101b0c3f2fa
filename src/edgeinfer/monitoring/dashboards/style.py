"""Colors, units and thresholds that all dashboards share, so that one color means one thing everywhere."""

from collections.abc import Mapping

from edgeinfer.monitoring.thresholds import (
    FALLBACK_TEMPERATURE_CELSIUS,
    LATENCY_OBJECTIVE_SECONDS,
    LATENCY_WARNING_SECONDS,
    OBJECTIVE,
)

# Green, yellow, orange and red judge: good, to be watched, serious, failed. Grey is what does not count, blue a number
# that nobody judges. No category wears one of these; the hue of any other color names a family, its shade a member.
GREEN = "#56A64B"
YELLOW = "#E0B400"
ORANGE = "#FF780A"
RED = "#E02F44"
BLUE = "#3274D9"
GREY = "#8E8E8E"
JUDGING = (GREEN, YELLOW, ORANGE, RED)

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
# Blues: how a quantity is spread.
PERCENTILE_COLORS = {
    "p10": "#5FA8E8",
    "p50": "#8AB8FF",
    "p90": "#1F60C4",
    "p95": "#2C7BE0",
    "p99": "#6F5FE0",
    "mean": "#A0B4D0",
}
# Teals: where the time goes.
STAGE_COLORS = {
    "network": "#6ED0E0",
    "queue": "#1F9E9E",
    "decode": "#B0E3DC",
    "preprocess": "#0F7A80",
    "execute": "#37B4C8",
    "postprocess": "#8CCFC6",
}
# Violets: what people do.
GROUP_COLORS = {"move": "#5A6ACF", "static": "#A9B4E8", "transition": "#7A4FBF", "other": GREY}
# Purples and pinks: kinds of failure.
ERROR_COLORS = {
    "timeout": "#8F3BB8",
    "http_4xx": "#DEB6F2",
    "http_5xx": "#E0529C",
    "malformed_response": "#B877D9",
    "decode_error": "#F2A7C3",
    "unknown_error": "#C9B8D6",
    "connection_error": "#A3327F",
    "circuit_open": "#CA95E5",
}
INVALID_OUTPUT = "#D64FC4"
# Browns: over how long.
WINDOW_COLORS = {"5m": "#E3C9A8", "1h": "#C49A6C", "6h": "#96693C", "3d": "#7A5230"}
PROBE = "#7A8FA6"

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
