"""The matrix of failures, played with shortened rules on stacks of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaos.scenarios import SCENARIOS

# Four stacks side by side need some three minutes on two cores; five times that is a hang.
pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

# A machine that other tests keep busy is named itself, and puts true causes in doubt.
MIN_FIRST_SHARE = 0.8
ROOT = Path(__file__).parents[2]


def clock() -> str:
    """The library that sets clocks off, or nothing where it cannot be had."""
    found = subprocess.run([ROOT / "tools/setup_clock.sh"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def play(*words: str, library: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "chaos", *words, "--json"]
    command += ["--libfaketime", library] if library else []
    ended = subprocess.run(command, capture_output=True, text=True, timeout=880, check=False)
    assert ended.stdout, ended.stderr
    outcomes: list[dict[str, Any]] = json.loads(ended.stdout)
    assert ended.returncode == (0 if all(outcome["passed"] for outcome in outcomes) else 1), ended.stderr
    return outcomes


def played_again(outcomes: list[dict[str, Any]], *, library: str) -> list[dict[str, Any]]:
    """The outcomes, with what did not pass played once more and alone: an alert has seconds to arrive here."""
    failed = [outcome["scenario"] for outcome in outcomes if not outcome["passed"] or is_mistaken(outcome)]
    if not failed:
        return outcomes
    again = play("--quick", "--examine", *failed, library=library)
    return [outcome for outcome in outcomes if outcome["scenario"] not in failed] + again


def at_the_alert(outcome: dict[str, Any]) -> dict[str, Any]:
    """What was diagnosed while the failure lasted."""
    answer: dict[str, Any] = outcome["diagnosed"]["at the alert"]
    return answer


def is_mistaken(outcome: dict[str, Any]) -> bool:
    """Whether another cause than the true one was named, and said to be certain."""
    return bool(at_the_alert(outcome)["is_wrong_with_certainty"])


def test_every_failure_is_counted_reported_and_diagnosed_and_loses_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    library = clock()
    first = play("--quick", "--examine", "--parallel", "4", library=library)
    outcomes = played_again(first, library=library)
    with capsys.disabled():
        for outcome in first:
            if not outcome["passed"]:
                sys.stderr.write(
                    f"\nflaky: {outcome['scenario']} was played again: {'; '.join(outcome['violations'])}\n"
                )

    assert [outcome["violations"] for outcome in outcomes if not outcome["passed"]] == []
    assert {outcome["scenario"] for outcome in outcomes} == {
        one.name for one in SCENARIOS if not one.is_slow and (library or not one.needs_clock)
    }
    assert sum(outcome["samples_lost"] for outcome in outcomes) == 0
    assert sum(outcome["samples"] for outcome in outcomes) > 0
    # The quick form of the examination: docs/reports/diagnosis.md has the whole.
    assert [outcome["scenario"] for outcome in outcomes if is_mistaken(outcome)] == []
    first_named = sum(at_the_alert(outcome)["grade"] == "first" for outcome in outcomes)
    assert first_named >= MIN_FIRST_SHARE * len(outcomes), {
        outcome["scenario"]: at_the_alert(outcome)["named"]
        for outcome in outcomes
        if at_the_alert(outcome)["grade"] != "first"
    }
