"""The shape of an alert: expression, labels, texts, runbook and rule test in one place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest

_NAME = re.compile(r"[A-Z][A-Za-z0-9]+")


class Severity(StrEnum):
    """Who is notified, and when."""

    CRITICAL = "critical"  # page
    WARNING = "warning"  # ticket, for today
    TICKET = "ticket"  # for planning; no notification is sent
    INFO = "info"  # context, shown next to other alerts
    NONE = "none"  # the heartbeat


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """One check, and what each outcome means.

    Args:
        look: a question, or the dashboard and panel to open.
        outcomes: what one may find, to what to do then.
        command: the shell command on a machine with systemd; empty if there is nothing to run.
    """

    look: str
    outcomes: Mapping[str, str]
    command: str = ""

    def __post_init__(self) -> None:
        if not self.outcomes or not all(self.outcomes) or not all(self.outcomes.values()):
            raise ValueError(f"the runbook's step {self.look!r}: say what each outcome means and what to do then")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """The runbook of an alert, as the on-call person reads it.

    Args:
        meaning: what has happened.
        impact: impact on users until it is resolved.
        diagnosis: what to check and to do, in this order.
    """

    meaning: str
    impact: str
    diagnosis: tuple[RunbookStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert; rules file, runbook page and promtool tests come from it.

    Args:
        name: in words without spaces.
        expression: PromQL that has a series for each thing that is wrong.
        for_: how long it must be wrong before the alert fires, such as "2m"; empty for at once.
        keep_firing_for: how long the alert stays after the expression has ended, against flapping.
        service: the job it is about; when that is known to be down, the alert is held back.
        signal: availability, latency, traffic, health, hardware, output or monitoring.
        objective: for burn-rate alerts, the objective in percent.
        summary: one line, may name labels.
        description: a sentence with the value.
        dashboard_uid: uid of the dashboard to open first.
        positive_cases: further situations in which it must fire, one for each `or` of the expression.
        always: the heartbeat, which never is silent.
        provoked_by: the chaos scenario that makes it fire on a whole stack; `python -m chaos --list` has their names.
        unprovoked_because: why no scenario can; only where `provoked_by` is empty.
    """

    name: str
    expression: str
    severity: Severity
    service: str
    signal: str
    summary: str
    description: str
    runbook: Runbook
    rule_test: RuleTest
    negative_cases: tuple[RuleCase, ...]
    for_: str = ""
    keep_firing_for: str = ""
    objective: str = ""
    dashboard_uid: str = "hailo-sidecar-monitoring"
    positive_cases: tuple[RuleCase, ...] = ()
    always: bool = False
    provoked_by: str = ""
    unprovoked_because: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not an alert name: write words in capitals, without spaces")
        if not self.negative_cases and not self.always:
            raise ValueError(f"{self.name}: add a negative case, in which the alert must not fire")
        book = self.runbook
        if not (book.meaning and book.impact and book.diagnosis):
            raise ValueError(f"{self.name}: fill meaning, impact and diagnosis of its runbook")
        if not any(step.command for step in book.diagnosis):
            raise ValueError(f"{self.name}: give one step of its runbook a command to type")
        if bool(self.provoked_by) == bool(self.unprovoked_because):
            raise ValueError(
                f"{self.name}: name the chaos scenario that provokes it (provoked_by), or why none can "
                "(unprovoked_because); `python -m chaos --list` has the scenarios"
            )
        if bool(self.for_) != (self.rule_test.pending_at is not None):
            raise ValueError(f"{self.name}: set pending_at of its rule_test exactly if it has `for_`")

    @property
    def labels(self) -> dict[str, str]:
        """The static labels of the rule, by name."""
        fixed = {"severity": str(self.severity), "service": self.service, "signal": self.signal}
        return fixed | ({"objective": self.objective} if self.objective else {})

    @property
    def runbook_path(self) -> str:
        """Path of its runbook page, from the root of the repository."""
        return f"docs/runbooks/{self.name}.md"

    @property
    def annotations(self) -> dict[str, str]:
        """Texts that go out with the alert."""
        return {
            "summary": self.summary,
            "description": self.description,
            "runbook": self.runbook_path,
            "dashboard": self.dashboard_uid,
        }
