"""Structured log lines: one JSON object each, on a given stream."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import IO

# The last is uvicorn's: its message once more, for a terminal.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """Time, level, logger and message, then the fields of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON; what JSON cannot express becomes its `str`."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(level: str, stream: IO[str] | None = None) -> None:
    """Send all log lines to one stream, standard error by default."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True


class LogLimiter:
    """Lets a line about a subject through when its message is new, and then once in ten minutes.

    Args:
        clock: monotonic seconds.
    """

    _REPEAT_SECONDS = 600.0

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._last: dict[str, tuple[str, float]] = {}

    def is_due(self, subject: str, what: str) -> bool:
        """Whether this is to be logged now; if so, it counts as logged."""
        said, at = self._last.get(subject, ("", 0.0))
        now = self._clock()
        if said == what and now - at < self._REPEAT_SECONDS:
            return False
        self._last[subject] = (what, now)
        return True

    def forget(self, subject: str) -> bool:
        """The subject has recovered: the next line about it is new. Returns whether anything had been logged."""
        return self._last.pop(subject, None) is not None
