"""Symptoms: the alerts that are active at a moment, and since when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgeinfer.diagnosis.view import Series
from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.monitoring.alerts.alert import Alert, Severity

ACTIVE = 'ALERTS{alertstate=~"firing|pending"}'
SINCE = "ALERTS_FOR_STATE"
_OWN_LABELS = ("__name__", "alertname", "alertstate")
# What is only planned for, and what waits long to be sure, is not a symptom before it fires.
_EARLY = (Severity.CRITICAL, Severity.WARNING)
_SHORT_HOLDS = ("30s", "1m", "2m", "5m")
_URGENCY = (Severity.CRITICAL, Severity.WARNING, Severity.TICKET, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Symptom:
    """One active alert.

    Args:
        name: of the alert.
        is_firing: or else pending.
        since: when its condition began to hold, in seconds since 1970; None where that is not known.
        service: the job that it is about.
        severity: as its labels say.
        summary: what its entry says of it.
    """

    name: str
    is_firing: bool
    since: float | None
    service: str
    severity: str
    summary: str


def active_symptoms(active: Iterable[Series], since: Iterable[Series]) -> tuple[Symptom, ...]:
    """One symptom for each alert, the most urgent first; an alert that always fires is none.

    Args:
        active: the series of `ACTIVE`.
        since: the series of `SINCE`.
    """
    entries = {alert.name: alert for alert in all_alerts()}
    began: dict[str, float] = {}
    for one in since:
        name = one.labels.get("alertname", "")
        began[name] = min(one.value, began.get(name, one.value))
    states: dict[str, Series] = {}
    for one in active:
        name = one.labels.get("alertname", "")
        if name not in states or one.labels.get("alertstate") == "firing":
            states[name] = one
    found = [
        _symptom(one, entries.get(name), began.get(name))
        for name, one in states.items()
        if not (name in entries and entries[name].always) and _counts(one, entries.get(name))
    ]
    return tuple(sorted(found, key=lambda one: (not one.is_firing, urgency(one.severity), one.name)))


def _counts(one: Series, entry: Alert | None) -> bool:
    is_short = entry is None or entry.for_ in _SHORT_HOLDS
    return one.labels.get("alertstate") == "firing" or (is_short and one.labels.get("severity") in _EARLY)


def urgency(severity: str) -> int:
    """0 for a page, more for less urgent ones."""
    return next((rank for rank, known in enumerate(_URGENCY) if known == severity), len(_URGENCY))


def _symptom(one: Series, entry: Alert | None, since: float | None) -> Symptom:
    labels = one.labels
    return Symptom(
        name=labels["alertname"],
        is_firing=labels.get("alertstate") == "firing",
        since=since,
        service=labels.get("service", ""),
        severity=labels.get("severity", ""),
        summary=_filled(entry.summary, labels) if entry else "an alert that is not ours",
    )


def _filled(summary: str, labels: Mapping[str, str]) -> str:
    """A summary with its labels in place of the template's words."""
    for name, value in labels.items():
        summary = summary.replace("{{ $labels." + name + " }}", value)
    return summary
