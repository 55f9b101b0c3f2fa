"""A mutant that no test notices is found among many, also where one next to it cannot be evaluated."""

import subprocess
from pathlib import Path

import pytest

from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.monitoring.alerts.alert import Alert
from tools.mutant_trial import unnoticed_mutants
from tools.rule_mutants import Mutant, mutants_of_alert

# One with a hold and short situations.
ALERT = next(alert for alert in all_alerts() if alert.name == "HailoOvercurrent")
SAME = Mutant("nothing is changed", ALERT.expression)
FIRES = Mutant("it always fires", "vector(1)")
# Two series on one side, which promtool finds while it evaluates, where the alert fires: then no other is judged.
NOT_EVALUATED = Mutant(
    "many to many", f'({ALERT.expression}) + on () (vector(1) or label_replace(vector(1), "b", "1", "", ""))'
)
UNREADABLE = Mutant("no duration", ALERT.expression, "soon")


@pytest.mark.parametrize("failing", [FIRES, NOT_EVALUATED], ids=lambda mutant: mutant.what)
def test_what_no_test_notices_is_found_next_to_what_fails(failing: Mutant, promtool: Path, tmp_path: Path) -> None:
    for mutants in ([failing, SAME, failing], [SAME, failing, *mutants_of_alert(ALERT)]):
        assert unnoticed_mutants(promtool, [(ALERT, mutants)], tmp_path) == {ALERT.name: [SAME.what]}


def test_each_alert_has_its_own(promtool: Path, tmp_path: Path) -> None:
    other = next(alert for alert in all_alerts() if alert.negative_cases and alert.name != ALERT.name)
    same = Mutant("still nothing", other.expression)
    changed: list[tuple[Alert, list[Mutant]]] = [(ALERT, mutants_of_alert(ALERT)), (other, [same, FIRES])]
    assert unnoticed_mutants(promtool, changed, tmp_path) == {other.name: [same.what]}


def test_a_file_that_promtool_cannot_read_notices_no_mutant(promtool: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.SubprocessError, match="names no mutant of HailoOvercurrent"):
        unnoticed_mutants(promtool, [(ALERT, [FIRES, UNREADABLE])], tmp_path)
