"""Health: looked at in the background now and then, and read from memory by whoever asks."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from edgeinfer.catalog.gateway import HEALTH_DURATION, HEALTH_LAST_RUN
from edgeinfer.catalog.labels import HEALTH_CHECKS, HEALTH_STATUSES
from edgeinfer.gateway.instruments import GatewayInstruments

_log = logging.getLogger(__name__)
HEALTHY, DEGRADED, UNHEALTHY = HEALTH_STATUSES
_REPEAT_SECONDS = 3.0
_TIMEOUT_SECONDS = 5.0
# Without these the gateway cannot serve; without the others it serves worse.
VITAL = ("service", "inference_capability")


@dataclass(frozen=True, slots=True)
class Look:
    """What a check found.

    Args:
        status: "healthy", "degraded" or "unhealthy".
        message: in words.
    """

    status: str
    message: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The newest run of a check."""

    status: str
    message: str
    latency_seconds: float
    last_checked: datetime


Check = Callable[[], Awaitable[Look]]


class HealthMonitor:
    """Runs the checks, and holds what they found.

    Args:
        checks: by name, each of `edgeinfer.catalog.labels.HEALTH_CHECKS`.
        instruments: where status, duration and time of each are shown.
        interval_seconds: between two runs.
        repeat_seconds: the same, after a run that found something.
        timeout_seconds: after which a check counts as unhealthy.
        clock: monotonic seconds.
        wall: seconds since 1970.
    """

    def __init__(  # noqa: PLR0913 - the seams have defaults
        self,
        checks: Mapping[str, Check],
        instruments: GatewayInstruments,
        *,
        interval_seconds: float = 30.0,
        repeat_seconds: float = _REPEAT_SECONDS,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if unknown := set(checks) - set(HEALTH_CHECKS):
            raise ValueError(f"health checks {unknown} are not in the catalog")
        self._checks = checks
        self._instruments = instruments
        self._interval = interval_seconds
        self._repeat = min(repeat_seconds, interval_seconds)
        self._timeout = timeout_seconds
        self._clock = clock
        self._wall = wall
        self._wake = asyncio.Event()
        self.results: dict[str, CheckResult] = {}
        self.is_draining = False

    @property
    def status(self) -> str:
        """The worst that matters: unhealthy only when the gateway cannot serve."""
        if self.is_draining or len(self.results) < len(self._checks):
            return UNHEALTHY
        if any(self.results[name].status == UNHEALTHY for name in VITAL if name in self.results):
            return UNHEALTHY
        if any(result.status != HEALTHY for result in self.results.values()):
            return DEGRADED
        return HEALTHY

    @property
    def why(self) -> str:
        """What keeps the status from healthy, in words."""
        if self.is_draining:
            return "the gateway is draining"
        if len(self.results) < len(self._checks):
            return "the gateway is starting"
        return "; ".join(
            f"{name}: {result.message}" for name, result in self.results.items() if result.status != HEALTHY
        )

    def drain(self) -> None:
        """Answer unhealthy from now on: no new traffic, please."""
        self.is_draining = True

    def wake(self) -> None:
        """Look now: something happened, such as a circuit that opened."""
        self._wake.set()

    async def watch(self) -> None:
        """Run the checks now and then, until cancelled."""
        while True:
            self._wake.clear()
            await self.run_once()
            pause = self._interval if self.status == HEALTHY else self._repeat
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    async def run_once(self) -> None:
        """Run every check, side by side."""
        await asyncio.gather(*(self._run(name, check) for name, check in self._checks.items()))

    async def _run(self, name: str, check: Check) -> None:
        started = self._clock()
        try:
            look = await asyncio.wait_for(check(), self._timeout)
        except TimeoutError:
            look = Look(UNHEALTHY, f"no answer within {self._timeout:g} s")
        except Exception as failure:  # noqa: BLE001 - a check that breaks must not end the others
            _log.exception("unexpected error in a health check", extra={"check": name})
            look = Look(UNHEALTHY, f"the check itself failed: {failure}")
        self._keep(name, look, self._clock() - started)

    def _keep(self, name: str, look: Look, seconds: float) -> None:
        before = self.results.get(name)
        now = self._wall()
        self.results[name] = CheckResult(look.status, look.message, seconds, datetime.fromtimestamp(now, UTC))
        for status in HEALTH_STATUSES:
            self._instruments.health_status.labels(name, status).set(status == look.status)
        self._instruments.readings.publish(HEALTH_DURATION, seconds, name)
        self._instruments.readings.publish(HEALTH_LAST_RUN, now, name)
        if before is not None and before.status != look.status:
            _log.warning(
                "health changed",
                extra={"check": name, "before": before.status, "after": look.status, "found": look.message},
            )
