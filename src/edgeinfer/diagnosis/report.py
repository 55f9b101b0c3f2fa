"""A diagnosis in plain words, for a terminal, a log or a mail."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from edgeinfer.diagnosis.cost import Cost
from edgeinfer.diagnosis.diagnosis import Certainty, Diagnosis, Finding, Verdict

_MARKS = {Certainty.CERTAIN: "", Certainty.LIKELY: " (likely)", Certainty.POSSIBLE: " (possible)"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def as_lines(diagnosis: Diagnosis, zone: tzinfo | None = None) -> list[str]:
    """The whole diagnosis.

    Args:
        diagnosis: what is said.
        zone: in which times are written; None is this machine's.
    """
    lines = [f"{diagnosis.headline}."]
    if diagnosis.since is not None:
        lines.append(f"Since {when(diagnosis.since, zone)}, {span(diagnosis.moment - diagnosis.since)} ago.")
    if diagnosis.verdict in (Verdict.WELL, Verdict.UNSEEN):
        lines += _section("This rests on", diagnosis.rests_on)
    for number, one in enumerate((*diagnosis.findings, *diagnosis.possible), start=1):
        lines += _finding(number, one, zone)
    if diagnosis.unexplained:
        lines += ["", "No cause that is known explains"]
        lines += [f"  - {one.name} ({one.service or 'no service'}): {one.summary}" for one in diagnosis.unexplained]
        lines += _unusual(diagnosis)
    if diagnosis.cost:
        lines += _section("It has cost so far", cost_lines(diagnosis.cost))
    lines += _section("Considered, and not it", [f"{one.title}: {one.reason}" for one in diagnosis.considered])
    lines += _section("Could not be seen", diagnosis.unseen)
    return lines


def _finding(number: int, one: Finding, zone: tzinfo | None) -> list[str]:
    since = f", since {when(one.since, zone)}" if one.since is not None else ""
    over = ["   - it has ended; the alerts that are left look back on it"] if one.is_over else []
    lines = ["", f"{number}. {one.title}{_MARKS[one.certainty]}{since}", f"   cause {one.name}", *over]
    lines += [f"   - {text}" for text in one.evidence]
    if one.explains:
        lines.append(f"   - this explains {', '.join(one.explains)}")
    lines.append("   To do:")
    for step in one.steps:
        lines.append(f"   * {step.says}")
        if step.command:
            lines.append(f"       {step.command}")
    return lines


def _unusual(diagnosis: Diagnosis) -> list[str]:
    lines = ["", "Unusual against the last day, the most unusual first"]
    lines += [
        f"  - {one.signal}{f' of {one.job}' if one.job else ''}: {one.value:.3g}, where it was {one.low:.3g} to "
        f"{one.high:.3g}"
        for one in diagnosis.unusual
    ]
    return lines if diagnosis.unusual else ["", "Nothing that is watched is outside of what it was within the last day"]


def cost_lines(cost: Cost) -> list[str]:
    """The figures that are known, a line each."""
    said = []
    if cost.analyses is not None:
        said.append(f"{cost.failed or 0} of {cost.analyses} analyses failed, {cost.by_fallback or 0} by fallback")
    if cost.failed_calls is not None:
        said.append(f"{cost.failed_calls} calls to the sidecar failed")
    if cost.refused_uploads is not None:
        said.append(f"{cost.refused_uploads} uploads of samples were refused")
    if cost.p95_seconds is not None:
        before = "" if cost.p95_before_seconds is None else f", the day before {cost.p95_before_seconds * 1000:.0f} ms"
        said.append(f"95 % of calls were answered within {cost.p95_seconds * 1000:.0f} ms{before}")
    if cost.budget_spent is not None:
        said.append(f"{cost.budget_spent:.2%} of a month's error budget is spent")
    return said or ["unknown: the counters could not be read"]


def _section(title: str, items: Sequence[str]) -> list[str]:
    return ["", title, *(f"  - {item}" for item in items)] if items else []


def when(seconds: float, zone: tzinfo | None = None) -> str:
    """A time as a person writes it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds:.0f}"


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
