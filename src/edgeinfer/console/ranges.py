"""Time ranges as a person picks them, and the steps and windows that follow, by Grafana's rules."""

import math
import re
from dataclasses import dataclass

from edgeinfer.errors import InvalidBody

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
_RELATIVE = re.compile(r"now(?:-(\d{1,6})([smhdwMy]))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)")
_DURATION_SECONDS = {"ms": 0.001} | {unit: float(seconds) for unit, seconds in _UNIT_SECONDS.items() if unit != "M"}
_EPOCH_MILLISECONDS = re.compile(r"\d{1,14}")
# A step longer than this ends at a whole minute instead of at a multiple of itself.
MAX_LATENESS_SECONDS = 60.0
_MAX_SECONDS = 5 * _UNIT_SECONDS["y"]

# Prometheus refuses more points than this in one series.
_MAX_POINTS = 11_000
# (intervals below this many milliseconds, become this many): the table of Grafana's rangeUtil.roundInterval. Its server
# has another, which takes the bound itself in; but it never asks in shorter steps than the page asked for.
_ROUNDING = (
    (10, 1),
    (15, 10),
    (35, 20),
    (75, 50),
    (150, 100),
    (350, 200),
    (750, 500),
    (1500, 1000),
    (3500, 2000),
    (7500, 5000),
    (12500, 10000),
    (17500, 15000),
    (25000, 20000),
    (45000, 30000),
    (90000, 60000),
    (210000, 120000),
    (450000, 300000),
    (750000, 600000),
    (1050000, 900000),
    (1500000, 1200000),
    (2700000, 1800000),
    (5400000, 3600000),
    (9000000, 7200000),
    (16200000, 10800000),
    (32400000, 21600000),
    (86400000, 43200000),
    (604800000, 86400000),
    (1814400000, 604800000),
    (3628800000, 2592000000),
)
_MAX_STEP = 31536000000


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From start to end, in seconds since 1970."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start

    def aligned(self, step_seconds: float) -> "TimeRange":
        """Both ends moved back to multiples of the step, so that refreshes and viewers ask for the same points.

        A step of hours would leave the newest hours out; there the last point is of the newest whole minute.
        """
        if step_seconds <= MAX_LATENESS_SECONDS:
            return TimeRange(_floor(self.start, step_seconds), _floor(self.end, step_seconds))
        end = _floor(self.end, MAX_LATENESS_SECONDS)
        return TimeRange(end - math.ceil(round((end - self.start) / step_seconds, 6)) * step_seconds, end)


def parse_range(start: str, end: str, now: float) -> TimeRange:
    """A range from "now-1h" or milliseconds since 1970.

    Args:
        start: where it begins.
        end: where it ends.
        now: seconds since 1970.

    Raises:
        InvalidBody: not a time, the wrong way round, or longer than five years.
    """
    found = TimeRange(_moment("from", start, now), _moment("to", end, now))
    if found.seconds <= 0:
        raise InvalidBody("time range", "it ends before it begins", "Choose a 'to' later than 'from'.")
    if found.seconds > _MAX_SECONDS:
        raise InvalidBody("time range", "it is longer than five years", "Choose a shorter one.")
    return found


def _moment(name: str, text: str, now: float) -> float:
    if _EPOCH_MILLISECONDS.fullmatch(text):
        return int(text) / 1000
    relative = _RELATIVE.fullmatch(text)
    if relative is None:
        raise InvalidBody(
            f"time '{name}'", f"{text[:40]!r} is not a time", "Give milliseconds since 1970, or now-1h and the like."
        )
    amount, unit = relative.groups()
    return now - int(amount) * _UNIT_SECONDS[unit] if amount else now


def parse_duration(text: str) -> float | None:
    """Seconds of a duration such as "5s" or "1h"; None where it is none (or a variable)."""
    parsed = _DURATION.fullmatch(text.strip().lstrip(">"))
    return float(parsed.group(1)) * _DURATION_SECONDS[parsed.group(2)] if parsed else None


def format_duration(seconds: float) -> str:
    """The way Prometheus reads it: whole milliseconds, in the largest unit that fits."""
    milliseconds = max(1, round(seconds * 1000))
    for unit, size in (("d", 86400000), ("h", 3600000), ("m", 60000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def round_interval(seconds: float) -> float:
    """The nearest interval that people use."""
    milliseconds = seconds * 1000
    chosen = next((becomes for bound, becomes in _ROUNDING if milliseconds < bound), _MAX_STEP)
    return chosen / 1000


def step_for(range_seconds: float, points: int, min_seconds: float) -> float:
    """Seconds between points, for a panel that can show so many.

    Args:
        range_seconds: length of the range.
        points: what fits, usually the panel's width in pixels.
        min_seconds: the scrape interval, or what the panel asks for.
    """
    wanted = range_seconds / max(1, points)
    step = min_seconds if wanted < min_seconds else round_interval(wanted)
    return max(step, round_interval(range_seconds / _MAX_POINTS) if range_seconds / step > _MAX_POINTS else 0)


def rate_interval(step_seconds: float, scrape_seconds: float) -> float:
    """A window under `rate` that always holds enough scrapes."""
    return max(step_seconds + scrape_seconds, 4 * scrape_seconds)


def _floor(moment: float, step: float) -> float:
    return math.floor(round(moment / step, 6)) * step
