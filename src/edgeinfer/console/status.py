"""What every page says above its content: whether Prometheus answers, and whether the results are synthetic."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.single_flight import SingleFlightCache
from edgeinfer.errors import MonitoringError

_BACKENDS = "count by (backend, device) (hailo_runtime_info)"
# Those that send a notification, as the tiles of the dashboards and the page of alerts count them.
_FIRING = 'count by (severity) (ALERTS{alertstate="firing", severity=~"critical|warning"})'
_SCRAPED = "count(up)"
# Prometheus looks for targets every 5 s, and a rate needs two scrapes.
_FIRST_DATA_SECONDS = 12
_KEEP_SECONDS = 2.0
_HEARTBEAT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ConsoleStatus:
    """The state of what the console depends on.

    Args:
        prometheus: "ok", "collecting" (it has no data yet), "starting", "unreachable", "timeout" or "refused".
        message: what to do, where it is not ok.
        first_data_seconds: while collecting, how long until there is something to draw.
        backends: what computes the answers, as `{backend, device}`.
        firing: critical alerts and warnings that fire, by severity.
        no_alert_can_fire: why, where none can; the console is outside of Prometheus and so can say it.
    """

    prometheus: str
    message: str = ""
    first_data_seconds: int = 0
    backends: tuple[dict[str, str], ...] = ()
    firing: dict[str, int] | None = None
    no_alert_can_fire: str = ""

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


Heartbeat = Callable[[], Awaitable[str]]


async def not_asked() -> str:
    """The heartbeat where nobody asks for it."""
    return ""


class StatusReader:
    """Reads the status, at most once at a time for all viewers.

    Args:
        prometheus: whom to ask.
        clock: seconds since 1970.
        heartbeat: why no alert can fire, or empty.
    """

    def __init__(self, prometheus: Prometheus, clock: Callable[[], float], heartbeat: Heartbeat = not_asked) -> None:
        self._prometheus = prometheus
        self._heartbeat = heartbeat
        self._clock = clock
        self._shared: SingleFlightCache[str, ConsoleStatus] = SingleFlightCache(_KEEP_SECONDS)

    async def read(self) -> ConsoleStatus:
        return await self._shared.get("status", self._read)

    async def close(self) -> None:
        await self._shared.close()

    async def _read(self) -> ConsoleStatus:
        try:
            return await self._ask()
        except MonitoringError as failure:
            return ConsoleStatus(failure.kind, f"{failure.thing}: {failure.fault}. {failure.remedy}")

    async def _ask(self) -> ConsoleStatus:
        now = self._clock()
        if not await self._prometheus.query(_SCRAPED, now):
            return await self._collecting(now)
        reason = await self._heartbeat()
        if reason:  # not within the seconds after a start, in which rules are first evaluated and sent
            started = _seconds((await self._prometheus.runtime()).get("startTime", ""))
            reason = reason if now - started > _HEARTBEAT_SECONDS else ""
        backends = await self._prometheus.query(_BACKENDS, now)
        firing = await self._prometheus.query(_FIRING, now)
        return ConsoleStatus(
            "ok",
            backends=tuple(
                {"backend": one["metric"].get("backend", ""), "device": one["metric"].get("device", "")}
                for one in backends
            ),
            firing={one["metric"].get("severity", "none"): int(float(one["value"][1])) for one in firing},
            no_alert_can_fire=reason,
        )

    async def _collecting(self, now: float) -> ConsoleStatus:
        started = _seconds((await self._prometheus.runtime()).get("startTime", ""))
        left = math.ceil(started + _FIRST_DATA_SECONDS - now)
        if left > 0:
            return ConsoleStatus("collecting", "Prometheus collects its first measurements.", left)
        if reason := await self._heartbeat():
            return ConsoleStatus("collecting", f"{reason}.", no_alert_can_fire=reason)
        return ConsoleStatus("collecting", "Prometheus answers, but scrapes nothing. Look at the Targets page.")


def _seconds(text: str) -> float:
    """Seconds of an RFC 3339 time, whose nanoseconds Python does not read."""
    try:
        return datetime.fromisoformat(text[:19] + "+00:00").timestamp()
    except ValueError:
        return 0.0
