"""The picture of an incident: when each alert fired and when each piece of evidence held, on one time axis."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeinfer.diagnosis.incidents import FIRING, Incident
from edgeinfer.diagnosis.view import Asks
from edgeinfer.monitoring.causes import all_causes

_AROUND_SHARE, _MIN_AROUND_SECONDS = 0.5, 300.0
_POINTS = 240
_MIN_STEP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the picture.

    Args:
        kind: "alert" or "evidence".
        label: of the alert, or the evidence as a sentence.
        cause: whose evidence it is; empty for an alert.
        stretches: beginnings and ends, in seconds since 1970.
    """

    kind: str
    label: str
    cause: str
    stretches: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that is drawn.

    Args:
        start: of the time axis, in seconds since 1970.
        end: of the time axis.
        rows: alerts first.
    """

    start: float
    end: float
    rows: tuple[Row, ...]

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


async def read_picture(prometheus: Asks, incident: Incident, now: float) -> Picture:
    """The picture, with some time before and after the incident.

    Raises:
        MonitoringError: Prometheus does not answer.
    """
    around = max(_MIN_AROUND_SECONDS, (incident.end - incident.start) * _AROUND_SHARE)
    start, end = incident.start - around, min(now, incident.end + around)
    step = max(_MIN_STEP_SECONDS, (end - start) / _POINTS)
    named = {one.name for one in (*incident.diagnosis.findings, *incident.diagnosis.possible)}
    wanted = [("alert", name, "", f'{FIRING[:-1]}, alertname="{name}"}}') for name in incident.alerts]
    wanted += [
        ("evidence", evidence.says, cause.title, evidence.expression)
        for cause in all_causes()
        if cause.name in named
        for evidence in cause.evidence
        if evidence.expression
    ]
    answers = await asyncio.gather(*(prometheus.query_range(one[3], start, end, step) for one in wanted))
    rows = [
        Row(kind, _plain(label), cause, _stretches(answer, step))
        for (kind, label, cause, _), answer in zip(wanted, answers, strict=True)
    ]
    return Picture(start, end, tuple(rows))


def _stretches(answer: Sequence[dict[str, Any]], step: float) -> tuple[tuple[float, float], ...]:
    moments = sorted({float(moment) for one in answer for moment, _ in one["values"]})
    found: list[list[float]] = []
    for moment in moments:
        if found and moment - found[-1][1] <= step * 1.5:
            found[-1][1] = moment
        else:
            found.append([moment, moment])
    return tuple((begin, last + step) for begin, last in found)


def _plain(says: str) -> str:
    """The sentence without its values, which change over the time."""
    return says.partition(", {")[0].replace("{value} ", "").replace("{job}", "a service").replace("{found}", "")
