"""Sends the first line of the diagnosis to all whom Alertmanager notifies, as an alert of its own.

The alerts themselves do not wait for it: who is paged is paged also without a console, and hears the cause after it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edgeinfer.console.alertmanager import Alertmanager
from edgeinfer.diagnosis.diagnosis import Verdict
from edgeinfer.diagnosis.symptoms import urgency
from edgeinfer.errors import EdgeInferError
from edgeinfer.monitoring.alerts.alert import Severity

_log = logging.getLogger(__name__)
NAME = "EdgeInferDiagnosis"
_NOTIFIED = (Severity.CRITICAL, Severity.WARNING)
# Of the machine; notifications are grouped and inhibited by them.
_SHARED = ("site", "device")
_UNKNOWN = "unknown"
# So often it is sent again while something is wrong; Alertmanager ends it when it was not for three times as long.
_REPEAT_SECONDS = 60.0
_KEPT_TIMES = 3


@dataclass(frozen=True, slots=True)
class _Occasion:
    """What was reported: how urgent it is, when it began, and whose it is."""

    severity: str
    since: str
    shared: Mapping[str, str]


class DiagnosisAlert:
    """Publishes the diagnosis while something is wrong.

    Args:
        alertmanager: who notifies.
        diagnose: the diagnosis of now, as a document.
        console_url: under which people reach the console.
        clock: seconds since 1970.
        repeat_seconds: between two diagnoses while something is wrong.
    """

    def __init__(
        self,
        alertmanager: Alertmanager,
        diagnose: Callable[[], Awaitable[Mapping[str, Any]]],
        console_url: str,
        clock: Callable[[], float],
        repeat_seconds: float = _REPEAT_SECONDS,
    ) -> None:
        self._alertmanager = alertmanager
        self._diagnose = diagnose
        self._console_url = console_url.rstrip("/")
        self._clock = clock
        self._repeat_seconds = repeat_seconds
        self._occasion: _Occasion | None = None
        self._sent: dict[str, Any] | None = None
        self._running: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def hear(self, received: Iterable[Mapping[str, Any]]) -> None:
        """Begin with alerts that were just received, if one of them is of those that notify people."""
        firing = [one for one in received if _is_for_people(one)]
        if not firing or not self._alertmanager.url:
            return
        worst = min(firing, key=lambda one: urgency(one["severity"]))
        shared = {name: value for name, value in worst["labels"].items() if name in _SHARED}
        self._occasion = _Occasion(worst["severity"], min(one["since"] for one in firing), shared)
        self._news.set()
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop; what was sent ends by itself."""
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._news.clear()
            try:
                if not await self._publish():
                    return
            except EdgeInferError as failure:
                _log.warning("the diagnosis was not sent: %s", failure)
            except Exception:  # noqa: BLE001 - the next minute tries again; the alerts themselves have been sent
                _log.exception("unexpected error in the diagnosis that is sent")
            try:
                async with asyncio.timeout(self._repeat_seconds):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _publish(self) -> bool:
        """Send the diagnosis of now; False once nothing is wrong any more."""
        found, occasion = await self._diagnose(), self._occasion
        if occasion is None or found["verdict"] == Verdict.WELL:
            await self._end()
            return False
        if found["verdict"] == Verdict.UNSEEN:
            return True
        alert = self._alert(found, occasion)
        if self._sent and self._sent["labels"] != alert["labels"]:
            await self._end()
        await self._alertmanager.send([alert])
        self._sent = alert
        return True

    async def _end(self) -> None:
        if self._sent:
            await self._alertmanager.send([self._sent | {"endsAt": _written(self._clock())}])
        self._sent = None

    def _alert(self, found: Mapping[str, Any], occasion: _Occasion) -> dict[str, Any]:
        causes = [*found["findings"], *found["possible"]]
        link = f"{self._console_url}/incidents/{_seconds(occasion.since, self._clock()):.0f}"
        return {
            "labels": {
                "alertname": NAME,
                "severity": occasion.severity,
                "cause": causes[0]["name"] if causes else _UNKNOWN,
                **occasion.shared,
            },
            "annotations": {
                "summary": f"{found['headline']}.",
                "description": "; ".join(causes[0]["evidence"])
                if causes
                else "See what is unusual on the incident's page",
                "incident_url": link,
            },
            "generatorURL": link,
            "endsAt": _written(self._clock() + _KEPT_TIMES * self._repeat_seconds),
        }


def _is_for_people(one: Mapping[str, Any]) -> bool:
    return bool(one["status"] == "firing" and one["severity"] in _NOTIFIED and one["alert"] != NAME)


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _seconds(written: str, otherwise: float) -> float:
    """A time as Alertmanager writes it, in seconds since 1970."""
    try:
        return datetime.fromisoformat(written).timestamp()
    except ValueError:
        return otherwise
