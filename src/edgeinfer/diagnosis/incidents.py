"""Incidents of the past: alerts that fired one after the other, with their cause, their cost and what changed near."""

import asyncio
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeinfer.catalog import gateway, sidecar
from edgeinfer.diagnosis.cost import Cost, read_cost
from edgeinfer.diagnosis.diagnosis import Diagnosis
from edgeinfer.diagnosis.run import Diagnostician
from edgeinfer.diagnosis.symptoms import urgency
from edgeinfer.diagnosis.view import Asks
from edgeinfer.monitoring.alerts.alert import Severity

DAY = 86_400.0
# Alerts that notify a person; what is only planned for does not make an incident.
_NOTIFIED = f"{Severity.CRITICAL}|{Severity.WARNING}"
FIRING = f'ALERTS{{alertstate="firing", severity=~"{_NOTIFIED}"}}'
_BEGAN = f'ALERTS_FOR_STATE{{severity=~"{_NOTIFIED}"}}'
_STEP_SECONDS = 30.0
# What fires again this soon after the last alert has ended belongs to it.
_GAP_SECONDS = 600.0
# What makes an alert's condition true has been so for a scrape and an evaluation before.
_BEFORE_SECONDS = 30.0
# By then the alerts of the same cause fire as well, and two scrapes have seen it.
_DIAGNOSED_AFTER_SECONDS = 30.0
_NEAR_SECONDS = 3600.0
_CHANGES = {
    "deploy of the gateway": (gateway.BUILD_INFO.name, "version"),
    "deploy of the sidecar": (sidecar.BUILD_INFO.name, "version"),
    "change of the model": (sidecar.MODEL_INFO.name, "version"),
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which one alert fired without a pause.

    Args:
        began: when its condition began to hold, in seconds since 1970.
        first: when it fired first.
        last: when it was seen firing last.
    """

    alert: str
    severity: str
    began: float
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Change:
    """A deploy or a change of the model near an incident.

    Args:
        what: in words.
        to: the new version.
        at: seconds since 1970.
    """

    what: str
    to: str
    at: float


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident.

    Args:
        start: when it began, in seconds since 1970.
        end: when its last alert ended.
        is_open: whether an alert of it still fires.
        alerts: in the order in which they fired.
        severity: of the most urgent.
        diagnosed_at: the moment whose measurements the diagnosis is made from.
        diagnosis: as `edgeinfer diagnose --at` gives it for that moment.
        cost: from start to end.
        changes: deploys and model changes from an hour before it until its end.
    """

    start: float
    end: float
    is_open: bool
    alerts: tuple[str, ...]
    severity: str
    diagnosed_at: float
    diagnosis: Diagnosis
    cost: Cost
    changes: tuple[Change, ...]

    @property
    def id(self) -> str:
        """Names it for good: its start in whole seconds."""
        return f"{self.start:.0f}"

    def as_document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "start": self.start,
            "end": None if self.is_open else self.end,
            "seconds": self.end - self.start,
            "severity": self.severity,
            "alerts": list(self.alerts),
            "headline": self.diagnosis.headline,
            "causes": [one.name for one in (*self.diagnosis.findings, *self.diagnosis.possible)],
            "cost": self.cost.as_document(),
            "changes": [{"what": one.what, "to": one.to, "at": one.at} for one in self.changes],
        }


class Incidents:
    """Reads incidents of one Prometheus; what has ended is read once.

    Args:
        diagnostician: makes the diagnoses, of the past.
    """

    def __init__(self, diagnostician: Diagnostician) -> None:
        self._diagnostician = diagnostician
        self._ended: dict[tuple[float, float], Incident] = {}

    async def read(self, days: float = 30.0) -> list[Incident]:
        """Incidents of so many days, the newest first.

        Raises:
            MonitoringError: Prometheus does not answer.
        """
        now = self._diagnostician.clock()
        stretches = await read_stretches(self._diagnostician.prometheus, now - days * DAY, now)
        return [await self._incident(group, now) for group in reversed(grouped(stretches))]

    async def _incident(self, group: Sequence[Stretch], now: float) -> Incident:
        start = min(one.began for one in group) - _BEFORE_SECONDS
        end = max(one.last for one in group) + _STEP_SECONDS
        if (start, end) in self._ended:
            return self._ended[start, end]
        first = min(one.first for one in group)
        at = min(first + _DIAGNOSED_AFTER_SECONDS, max(one.last for one in group), now)
        prometheus = self._diagnostician.prometheus
        diagnosis, cost, changes = await asyncio.gather(
            self._diagnostician.diagnose(at),
            read_cost(prometheus, start, min(end, now)),
            _changes(prometheus, start, end),
        )
        incident = Incident(
            start=start,
            end=min(end, now),
            is_open=end >= now,
            alerts=tuple(dict.fromkeys(one.alert for one in sorted(group, key=lambda one: one.first))),
            severity=min((one.severity for one in group), key=urgency),
            diagnosed_at=at,
            diagnosis=diagnosis,
            cost=cost,
            changes=changes,
        )
        if not incident.is_open:
            self._ended[start, end] = incident
        return incident


async def read_stretches(prometheus: Asks, start: float, end: float) -> list[Stretch]:
    """Every time in which an alert fired, day by day: a longer range would have too many points."""
    days = [(begin, min(begin + DAY, end)) for begin in _steps(start, end)]
    firing = await asyncio.gather(
        *(prometheus.query_range(f"max by (alertname, severity) ({FIRING})", *day, _STEP_SECONDS) for day in days)
    )
    began = await asyncio.gather(
        *(prometheus.query_range(f"min by (alertname) ({_BEGAN})", *day, _STEP_SECONDS) for day in days)
    )
    since: dict[tuple[str, float], float] = {
        (one["metric"]["alertname"], float(moment)): float(value)
        for answer in began
        for one in answer
        for moment, value in one["values"]
    }
    moments: dict[tuple[str, str], list[float]] = {}
    for one in itertools.chain.from_iterable(firing):
        key = (one["metric"]["alertname"], one["metric"].get("severity", ""))
        moments.setdefault(key, []).extend(float(moment) for moment, _ in one["values"])
    return [
        Stretch(alert, severity, since.get((alert, run[0]), run[0]), run[0], run[-1])
        for (alert, severity), seen in moments.items()
        for run in _runs(sorted(set(seen)))
    ]


def grouped(stretches: Iterable[Stretch]) -> list[list[Stretch]]:
    """Stretches that overlap or follow each other soon, the oldest group first."""
    groups: list[list[Stretch]] = []
    until = float("-inf")
    for one in sorted(stretches, key=lambda one: one.first):
        if one.first - until > _GAP_SECONDS:
            groups.append([])
        groups[-1].append(one)
        until = max(until, one.last)
    return groups


def _steps(start: float, end: float) -> list[float]:
    return [start + day * DAY for day in range(int((end - start) // DAY) + 1) if start + day * DAY < end]


def _runs(moments: Sequence[float]) -> list[list[float]]:
    """Moments without a pause between them; a day's last and the next one's first may lie closer than a step."""
    runs: list[list[float]] = []
    for moment in moments:
        if runs and moment - runs[-1][-1] <= _STEP_SECONDS * 1.5:
            runs[-1].append(moment)
        else:
            runs.append([moment])
    return runs


async def _changes(prometheus: Asks, start: float, end: float) -> tuple[Change, ...]:
    """Versions that appeared from an hour before until the end; the first that is known is not a change."""
    begin = start - _NEAR_SECONDS
    answers = await asyncio.gather(
        *(
            prometheus.query_range(f"max by ({label}) ({name})", begin, end, _STEP_SECONDS)
            for name, label in _CHANGES.values()
        )
    )
    found = [
        Change(what, _label(one), first)
        for (what, _), answer in zip(_CHANGES.items(), answers, strict=True)
        for one in answer
        if len(answer) > 1 and (first := float(one["values"][0][0])) > min(_firsts(answer))
    ]
    return tuple(sorted(found, key=lambda one: one.at))


def _firsts(answer: Iterable[Mapping[str, Any]]) -> list[float]:
    return [float(one["values"][0][0]) for one in answer]


def _label(one: Mapping[str, Any]) -> str:
    return next(iter(one["metric"].values()), "")
