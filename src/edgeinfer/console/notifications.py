"""What Alertmanager sent to the console: one log line each, the newest kept for the Alerts page."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from edgeinfer.console.diagnosis_alert import NAME
from edgeinfer.errors import InvalidBody
from edgeinfer.web.json_errors import UNDECODABLE

_log = logging.getLogger(__name__)
_KEPT = 200
_LEVELS = {"critical": logging.ERROR, "warning": logging.WARNING}


class _Alert(msgspec.Struct, frozen=True):
    """One alert of a webhook message, version 4."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: str = ""  # noqa: N815 - as Alertmanager writes it
    endsAt: str = ""  # noqa: N815 - as Alertmanager writes it


class _Message(msgspec.Struct, frozen=True):
    """A webhook message."""

    alerts: list[_Alert]
    receiver: str = ""


class Inbox:
    """The newest notifications, in memory only.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def receive(self, body: bytes) -> int:
        """Take a message; returns how many alerts were in it.

        Raises:
            InvalidBody: not a webhook message.
        """
        try:
            message = msgspec.json.decode(body, type=_Message)
        except UNDECODABLE as failure:
            raise InvalidBody("notification", str(failure), "Send Alertmanager's webhook JSON.") from failure
        for alert in message.alerts:
            self._take(alert, message.receiver)
        return len(message.alerts)

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The newest so many alerts, in the order in which they came."""
        return list(self._kept)[-count:] if count else []

    def has_firing(self, count: int) -> bool:
        """Whether one of the newest so many alerts fires; the one that always does is none, nor is a diagnosis."""
        return any(_is_firing(one) for one in self.newest(count))

    def annotate(self, count: int, diagnosis: str) -> None:
        """Put the first line of a diagnosis to the newest so many alerts that fire, and log it once."""
        newest = [one for one in self.newest(count) if _is_firing(one)]
        for one in newest:
            one["diagnosis"] = diagnosis
        if newest and diagnosis:
            names = ", ".join(dict.fromkeys(one["alert"] for one in newest))
            _log.warning("diagnosis of %s: %s", names, diagnosis, extra={"diagnosis": diagnosis, "alerts": names})

    def newest_first(self) -> list[dict[str, Any]]:
        return list(reversed(self._kept))

    def _take(self, alert: _Alert, receiver: str) -> None:
        name = alert.labels.get("alertname", "")
        summary = alert.annotations.get("summary", "")
        severity = alert.labels.get("severity", "")
        level = logging.INFO if alert.status == "resolved" else _LEVELS.get(severity, logging.INFO)
        fields = {"alert": name, "status": alert.status, "severity": severity, "labels": alert.labels}
        _log.log(level, "alert %s %s: %s", name, alert.status, summary, extra=fields | {"receiver": receiver})
        self._kept.append(
            fields | {"summary": summary, "since": alert.startsAt, "until": alert.endsAt, "received": self._clock()}
        )


def _is_firing(one: Mapping[str, Any]) -> bool:
    return bool(one["status"] == "firing" and one["severity"] != "none" and one["alert"] != NAME)
