"""A moment as people type it: a time of today, a date with a time, or how long ago."""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_CLOCK_TIMES = ("%H:%M", "%H:%M:%S")


class Moment(click.ParamType[float]):
    """Reads seconds since 1970 from '03:10', '2026-11-29 03:10', an RFC 3339 time, '2h' for two hours ago, or a number.

    Args:
        clock: seconds since 1970.
    """

    name = "moment"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds since 1970; a time of day without a date is the last one that has been."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if ago := _AGO.fullmatch(text):
            return self._clock() - int(ago[1]) * _SECONDS[ago[2]]
        try:
            return self._read(text)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is not a moment; write '03:10', '2026-11-29 03:10' or '2h'", param, ctx)

    def _read(self, text: str) -> float:
        if text.isascii() and text.replace(".", "", 1).isdigit():
            return float(text)
        now = datetime.fromtimestamp(self._clock()).astimezone()
        for form in _CLOCK_TIMES:
            try:
                clock = datetime.strptime(text, form)  # noqa: DTZ007 - today's date and zone are put in below
            except ValueError:
                continue
            found = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
            return (found if found <= now else found - timedelta(days=1)).timestamp()
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.astimezone()).timestamp()
