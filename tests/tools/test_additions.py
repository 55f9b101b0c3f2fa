"""The examples of the guides fit the code as it is; `make additions` tries all of them, with each step forgotten."""

import shutil
from pathlib import Path

import pytest

from tools.addition import Addition, Step
from tools.addition_examples import ADDITIONS
from tools.additions import ROOT, Result, outcome_of, results


@pytest.mark.parametrize("addition", ADDITIONS, ids=lambda addition: addition.name)
def test_every_step_and_omission_of_an_example_can_be_made(addition: Addition, tmp_path: Path) -> None:
    for step in (step for step in addition.steps if step.path):
        target = tmp_path / step.path
        target.parent.mkdir(parents=True, exist_ok=True)
        for omission in (None, *step.omissions):
            if (ROOT / step.path).exists():
                shutil.copy(ROOT / step.path, target)
            else:
                target.unlink(missing_ok=True)
            before = target.read_text() if target.exists() else ""
            step.apply(tmp_path, omission)
            assert target.read_text() != before


def test_an_example_whose_place_is_gone_says_what_to_change(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(LookupError, match=r"a\.py has no line 'y = 2'; change the example in"):
        Step("it", "a.py", "z = 3\n", before="y = 2").apply(tmp_path)


def test_the_seven_additions_of_the_guides_are_tried() -> None:
    names = ["a metric", "a panel", "an alert", "a backend", "a collector", "a setting", "a command"]
    assert [addition.name for addition in ADDITIONS] == names


@pytest.mark.parametrize(
    ("says", "violation"),
    [
        ("", "nothing is said"),
        ("Traceback (most recent call last)", "a traceback"),
        ("error: a.py: it is not there", "it does not name b.py"),
        ("error: b.py: it is not there", ""),
    ],
)
def test_what_is_said_must_name_the_file_and_be_no_traceback(says: str, violation: str) -> None:
    assert outcome_of(says, Step("it", named=("b.py",))) == violation


@pytest.mark.timeout(600)  # a clone and three runs of the checks: twenty seconds on a quiet machine
def test_a_command_is_added_with_one_file_and_its_missing_part_is_named(tmp_path: Path) -> None:
    commands = [addition for addition in ADDITIONS if addition.name == "a command"]
    found: list[Result] = list(results(commands, tmp_path, with_linters=False))
    assert [(result.title, result.violation) for result in found] == [
        ("a command", ""),
        ("a command, without create", ""),
        ("a command, without make generate", ""),
    ]
    assert found[0].files == ("src/edgeinfer/cli/yawn.py",)
