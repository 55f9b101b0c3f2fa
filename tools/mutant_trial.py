"""The tests of alerts on all their mutants, many at once: which mutants no test notices.

The mutants of an alert stand next to each other as alerts of one rule file, so that each situation is written once.
The shortest situations come first, and a mutant that fails a test takes no part in the next: the situations of days
are computed for those few that need them.
"""

import dataclasses
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeinfer.monitoring.alerts.alert import Alert
from tools.promtool_tests import Case, case_of, run
from tools.rule_mutants import Mutant

# What promtool writes of a test that failed; of a rule that could not be evaluated it writes something else.
_TEST_OF = r'alertname(?:: |=\\?")({name}Mutant\d+)\b'


@dataclass(slots=True)
class _Trial:
    """An alert and those of its mutants that no test has noticed yet."""

    alert: Alert
    unnoticed: dict[str, Mutant]
    cases: dict[str, Case] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    def case(self, stage: int) -> Case:
        """One situation, with every mutant that is left."""
        left = [self.cases[name] for name in self.unnoticed]
        return _together(f"{self.alert.name}-{stage}", left, self.order[stage])

    def take_out(self, failure: str) -> bool:
        """Take out the mutants that a failure is about; returns whether it came before all of them were judged.

        Raises:
            subprocess.SubprocessError: it is about none of them.
        """
        named = set(re.findall(rf"\b{self.alert.name}Mutant\d+\b", failure)) & self.unnoticed.keys()
        if not named:
            raise subprocess.SubprocessError(f"promtool names no mutant of {self.alert.name}: {failure[-2000:]}")
        for name in named:
            del self.unnoticed[name]
        return bool(named - set(re.findall(_TEST_OF.format(name=self.alert.name), failure)))


def unnoticed_mutants(
    promtool: Path, changed: Iterable[tuple[Alert, Sequence[Mutant]]], folder: Path
) -> dict[str, list[str]]:
    """The mutants that pass every test of their alert, in words, by the alert's name.

    Args:
        promtool: the program.
        changed: each alert with its mutants.
        folder: where files are written.
    """
    trials = [_trial(alert, mutants) for alert, mutants in changed]
    for stage in range(max(len(trial.order) for trial in trials)):
        waiting = [trial for trial in trials if stage < len(trial.order) and trial.unnoticed]
        # Once more where not all were judged: a rule that cannot be evaluated ends the test of those next to it.
        while waiting:
            failures = run(promtool, [trial.case(stage) for trial in waiting], folder)
            found = [(trial, failures.get(f"{trial.alert.name}-{stage}")) for trial in waiting]
            waiting = [trial for trial, failure in found if failure and trial.take_out(failure) and trial.unnoticed]
    return {
        trial.alert.name: [mutant.what for mutant in trial.unnoticed.values()] for trial in trials if trial.unnoticed
    }


def _trial(alert: Alert, mutants: Iterable[Mutant]) -> _Trial:
    trial = _Trial(alert, {f"{alert.name}Mutant{number}": mutant for number, mutant in enumerate(mutants)})
    for name, mutant in trial.unnoticed.items():
        renamed = dataclasses.replace(alert, name=name)
        trial.cases[name] = case_of(renamed, expression=mutant.expression, for_=mutant.for_)
    situations = case_of(alert).test["tests"]
    trial.order = sorted(range(len(situations)), key=lambda number: _seconds(situations[number]))
    return trial


def _seconds(situation: dict[str, Any]) -> int:
    """How long a situation is, until its last test."""
    tests = [*situation.get("alert_rule_test", ()), *situation.get("promql_expr_test", ())]
    return max(int(test["eval_time"].removesuffix("s")) for test in tests)


def _together(name: str, cases: list[Case], situation: int) -> Case:
    """One situation of several cases that differ in the alert alone."""
    recorded = {
        rule["record"]: rule for case in cases for group in case.rules[:-1] for rule in group["rules"]
    }  # the needed ones, once
    groups = [{"name": "needed", "rules": list(recorded.values())}] if recorded else []
    groups.append({"name": "alerts", "rules": [rule for case in cases for rule in case.rules[-1]["rules"]]})
    found = [case.test["tests"][situation] for case in cases]
    tests = {
        key: [test for one in found for test in one[key]]
        for key in ("alert_rule_test", "promql_expr_test")
        if key in found[0]
    }
    return Case(name, groups, cases[0].test | {"tests": [found[0] | tests]})
