"""The result of a scenario, its verdict, and the table of all results."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.examination import GradedAnswer, Question
from chaos.scenario import Scenario

_Row = tuple[str, str, str, str, str, str, str]
_TITLES: _Row = ("scenario", "counted", "alert at the webhook", "requests lost", "samples lost", "recovery", "")


@dataclass(slots=True)
class ScenarioOutcome:
    """Measurements and verdict of one scenario."""

    scenario: Scenario
    errors: dict[str, int] = field(default_factory=dict)
    """Failed calls to the sidecar by class."""
    counted: dict[str, int] = field(default_factory=dict)
    """Growth of each counter that had to grow."""
    alert: str = ""
    """The one that arrived."""
    fault_seconds: float = 0.0
    alert_seconds: float | None = None
    """From the fault's beginning until the alert was at the webhook."""
    further_seconds: dict[str, float | None] = field(default_factory=dict)
    """The same of each further alert."""
    others: tuple[str, ...] = ()
    """Other alerts that arrived during the scenario; where nothing was done, each is a false alarm."""
    alert_limit_seconds: float = 0.0
    requests: int = 0
    requests_lost: int = 0
    lost_by_class: dict[str, int] = field(default_factory=dict)
    """Lost requests by what the client saw."""
    samples: int = 0
    samples_lost: int = 0
    recovery_seconds: float | None = None
    answers: dict[Question, GradedAnswer] = field(default_factory=dict)
    """What `diagnose` named, where it was asked."""
    violations: list[str] = field(default_factory=list)
    """What was not as the scenario demands; empty means passed."""

    @property
    def passed(self) -> bool:
        """Whether every condition of the scenario was met."""
        return not self.violations

    def as_document(self) -> dict[str, Any]:
        """The outcome as a JSON object."""
        return {
            "scenario": self.scenario.name,
            "does": self.scenario.does,
            "errors": self.errors,
            "counted": self.counted,
            "fault_seconds": _rounded(self.fault_seconds),
            "alert": self.alert or self.scenario.alert,
            "alert_seconds": _rounded(self.alert_seconds),
            "further_alert_seconds": {name: _rounded(at) for name, at in self.further_seconds.items()},
            "seen_in_prometheus": self.scenario.seen_in_prometheus,
            "other_alerts": list(self.others),
            "alert_limit_seconds": _rounded(self.alert_limit_seconds),
            "requests": self.requests,
            "requests_lost": self.requests_lost,
            "lost_by_class": self.lost_by_class,
            "samples": self.samples,
            "samples_lost": self.samples_lost,
            "recovery_seconds": _rounded(self.recovery_seconds),
            "recovery_limit_seconds": self.scenario.recovery_seconds,
            "diagnosed": {str(question): one.as_document() for question, one in self.answers.items()},
            "passed": self.passed,
            "violations": self.violations,
        }


def judge(outcome: ScenarioOutcome) -> None:
    """Write down every way in which an outcome is not what its scenario demands."""
    scenario, violations = outcome.scenario, outcome.violations
    violations += [f"{title} was not counted" for title, growth in outcome.counted.items() if growth <= 0]
    if scenario.alert and outcome.alert_seconds is None:
        instead = f" (arrived: {', '.join(outcome.others)})" if outcome.others else ""
        violations.append(f"{scenario.alert} did not arrive within {outcome.alert_limit_seconds:.0f} s{instead}")
    violations += [
        f"{name} did not arrive within {outcome.alert_limit_seconds:.0f} s"
        for name, seconds in outcome.further_seconds.items()
        if seconds is None
    ]
    if scenario.is_steady_state:
        violations += [f"{name} arrived although nothing was wrong" for name in outcome.others]
    if outcome.requests_lost > scenario.lost_requests * outcome.requests:
        classes = ", ".join(f"{name} {count}" for name, count in outcome.lost_by_class.items()) or "no class"
        violations.append(f"{outcome.requests_lost} of {outcome.requests} requests were lost ({classes})")
    if outcome.samples_lost and not scenario.may_lose_samples:
        violations.append(f"{outcome.samples_lost} samples were lost")
    if outcome.recovery_seconds is None:
        violations.append(f"sidecars did not answer again within {scenario.recovery_seconds:.0f} s")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def as_table(outcomes: Sequence[ScenarioOutcome]) -> str:
    """The outcomes as lines: scenario, class counted, alert and when, lost requests and samples, recovery."""
    rows = [_TITLES, *(_row(outcome) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    violations = [f"{one.scenario.name}: {violation}" for one in outcomes for violation in one.violations]
    passed = sum(outcome.passed for outcome in outcomes)
    return "\n".join([*lines, "", *violations, f"{passed} of {len(outcomes)} scenarios passed"])


def _reported(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


def _row(outcome: ScenarioOutcome) -> _Row:
    counts = {**outcome.errors, **outcome.counted}
    counted = ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "-"
    alerts = [(outcome.alert or outcome.scenario.alert, outcome.alert_seconds), *outcome.further_seconds.items()]
    alert = ", ".join(f"{name} {_reported(seconds)}" for name, seconds in alerts if name) or "-"
    alert += " (in Prometheus)" if outcome.scenario.seen_in_prometheus else ""
    recovery = "never" if outcome.recovery_seconds is None else f"{outcome.recovery_seconds:.1f} s"
    lost = f"{outcome.requests_lost} of {outcome.requests}"
    samples = f"{outcome.samples_lost} of {outcome.samples}"
    return outcome.scenario.name, counted, alert, lost, samples, recovery, "ok" if outcome.passed else "BROKEN"
