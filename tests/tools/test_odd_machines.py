"""The quick form of `make odd-machines`: the machines that end in a sentence, and what is made of what they print."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tools import odd_checkout
from tools.odd_machines import CASES, PICTURE, Case, run

ROOT = Path(__file__).parents[2]
# The others start a whole stack.
QUICK = [case for case in CASES if case.expected != PICTURE and case.name != "nothing-fetched"]


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of mounts need root")
@pytest.mark.parametrize("case", QUICK, ids=[case.name for case in QUICK])
def test_a_machine_that_cannot_run_the_stack_says_why_in_one_sentence(case: Case) -> None:
    is_well, shown = run(case)
    assert is_well, shown


def test_the_cases_are_those_of_the_docs() -> None:
    guide = (ROOT / "docs/guides/run-the-stack.md").read_text()
    for case in CASES:
        assert case.what in guide
    for step in odd_checkout.STEPS:
        assert step.what.removeprefix("make run, ") in guide


def test_the_script_of_a_fresh_checkout_is_one_that_bash_can_read(tmp_path: Path) -> None:
    script = "\n".join(odd_checkout._script(tmp_path, tmp_path / "Übung & mehr"))
    subprocess.run(["bash", "-n"], input=script.encode(), check=True)
    assert script.count("make run") == len(odd_checkout.STEPS)


def test_each_step_of_a_fresh_checkout_is_judged_by_what_it_printed() -> None:
    said = [
        "running without monitoring: cache /h/.cache: cannot be kept there (Read-only file system)",
        "PICTURE Requests/s 4",
        "error: data folder /c: cannot be written (Permission denied)",
        "make: *** Error 1",
    ]
    printed = "".join(f"STEP \nSetting up\n{line}\n" for line in said)
    assert [is_well for _, is_well, _ in odd_checkout.judged(printed)] == [True, True, True, False]
    assert [shown for _, _, shown in odd_checkout.judged(printed)][3] == "Setting up / make: *** Error 1"
    assert not any(is_well for _, is_well, _ in odd_checkout.judged(""))
    assert not list(odd_checkout.judged(printed.replace("PICTURE", "Traceback\nPICTURE")))[1][1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_an_environment_of_another_user_is_said_by_make() -> None:
    as_other = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups", "--inh-caps=-all"]
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        folder.chmod(0o777)
        shutil.copy(ROOT / "Makefile", folder)
        for lock in ("requirements-runtime.lock", "requirements-build.lock", "pyproject.toml"):
            (folder / lock).touch()
        (folder / "python").write_text("#!/bin/sh\n")
        (folder / "python").chmod(0o755)
        (folder / ".venv").mkdir()
        make = [*as_other, "make", "--directory", name, "run", f"PYTHON={folder / 'python'}"]
        done = subprocess.run(make, capture_output=True, text=True, check=False)
        (folder / ".venv").rmdir()
        folder.chmod(0o755)
        closed = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "error: .venv belongs to root, and is to be changed. Run: sudo chown -R" in done.stdout
    assert closed.returncode
    assert "error: this folder belongs to root, and .venv is made in it." in closed.stdout
