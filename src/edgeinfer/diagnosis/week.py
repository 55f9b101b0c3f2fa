"""Incidents as text: a list, and a summary of a week that can be mailed as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from edgeinfer.diagnosis.cost import Cost
from edgeinfer.diagnosis.incidents import Incident
from edgeinfer.diagnosis.report import cost_lines, span, when

_COUNTED = ("failed", "by_fallback", "failed_calls", "refused_uploads")


@dataclass(frozen=True, slots=True)
class Total:
    """The costs of several incidents, added up; None where one of them is not known."""

    failed: int | None
    by_fallback: int | None
    failed_calls: int | None
    refused_uploads: int | None


def total(costs: Sequence[Cost]) -> Total:
    """The sum of each figure that can be added."""
    return Total(*(_sum([getattr(cost, name) for cost in costs]) for name in _COUNTED))


def list_lines(incidents: Sequence[Incident], zone: tzinfo | None = None) -> list[str]:
    """One incident a paragraph, the newest first."""
    if not incidents:
        return ["No incident: no critical alert and no warning has fired."]
    return [line for one in incidents for line in (*_incident(one, zone), "")][:-1]


def week_lines(incidents: Sequence[Incident], start: float, end: float, zone: tzinfo | None = None) -> list[str]:
    """The summary of a time: how many incidents, what they cost together, and each of them.

    Args:
        incidents: of that time.
        start: of it, in seconds since 1970.
        end: of it.
        zone: in which times are written; None is this machine's.
    """
    lasted = sum(one.end - one.start for one in incidents)
    lines = [
        f"EdgeInfer from {when(start, zone)} to {when(end, zone)}",
        "",
        f"{len(incidents)} incidents that lasted {span(lasted)} together" if incidents else "No incident",
    ]
    if incidents:
        all_of_them = total([one.cost for one in incidents])
        lines += [
            f"  - {_known(all_of_them.failed)} analyses failed, {_known(all_of_them.by_fallback)} were by fallback",
            f"  - {_known(all_of_them.failed_calls)} calls to the sidecar failed",
            f"  - {_known(all_of_them.refused_uploads)} uploads of samples were refused",
        ]
    return [*lines, "", *(line for one in incidents for line in (*_incident(one, zone), ""))]


def _incident(one: Incident, zone: tzinfo | None) -> list[str]:
    lasts = f"lasts since {span(one.end - one.start)}" if one.is_open else f"lasted {span(one.end - one.start)}"
    return [
        f"{when(one.start, zone)}, {lasts}, {one.severity}",
        f"  {one.diagnosis.headline}",
        f"  alerts: {', '.join(one.alerts)}",
        *(f"  - {line}" for line in cost_lines(one.cost)),
        *(f"  - {change.what} to {change.to} at {when(change.at, zone)}" for change in one.changes),
    ]


def _sum(figures: Sequence[int | None]) -> int | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if len(known) == len(figures) else None


def _known(figure: int | None) -> str:
    return "an unknown number of" if figure is None else str(figure)
