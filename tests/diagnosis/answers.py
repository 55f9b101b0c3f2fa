"""A Prometheus whose answers a test writes down: by expression, and nothing for every other."""

from collections.abc import Mapping
from typing import Any

from edgeinfer.diagnosis.symptoms import ACTIVE, SINCE
from edgeinfer.errors import MonitoringError
from edgeinfer.monitoring.alerts import all_alerts

NOW = 1_790_000_000.0
WATCHDOG = "count(ALERTS{alertname='Watchdog', alertstate='firing'})"


def one(value: float, **labels: str) -> dict[str, Any]:
    """One series of an instant vector."""
    return {"metric": labels, "value": [NOW, str(value)]}


class Answers:
    """Answers what it was given, as a Prometheus that has scraped a moment ago."""

    def __init__(self, series: Mapping[str, list[dict[str, Any]]], newest: float | None = NOW - 2) -> None:
        self.series = dict(series)
        if newest is not None:
            self.series.setdefault("max(timestamp(up))", [one(newest)])
        self.stored = newest
        self.asked: list[tuple[str, float]] = []

    async def query(self, expression: str, moment: float) -> list[dict[str, Any]]:
        self.asked.append((expression, moment))
        return self.series.get(expression, [])

    async def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        return []

    async def samples(self, selector: str, seconds: float, moment: float) -> list[dict[str, Any]]:
        return self.series.get(f"samples of {selector}", [])

    async def newest_stored(self) -> float | None:
        return self.stored


class Dead:
    """A Prometheus that does not answer."""

    def _fail(self) -> MonitoringError:
        return MonitoringError("Prometheus", "it cannot be reached", "Start it.", kind="unreachable")

    async def query(self, expression: str, moment: float) -> list[dict[str, Any]]:
        raise self._fail()

    async def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        raise self._fail()

    async def samples(self, selector: str, seconds: float, moment: float) -> list[dict[str, Any]]:
        raise self._fail()

    async def newest_stored(self) -> float | None:
        raise self._fail()


def firing(*names: str, since: float = NOW - 300, state: str = "firing") -> dict[str, list[dict[str, Any]]]:
    """Alerts that are active, as Prometheus shows them."""
    entries = {alert.name: alert for alert in all_alerts()}
    active = [one(1, alertname=name, alertstate=state, **entries[name].labels) for name in names]
    return {
        ACTIVE: [*active, one(1, alertname="Watchdog", alertstate="firing", severity="none")],
        SINCE: [one(since, alertname=name) for name in names],
        WATCHDOG: [one(1)],
    }
