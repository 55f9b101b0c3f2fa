"""The suite runs in two lanes at once; a failure of either is the suite's, and Ctrl-C ends both."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.running_stack import lives, until

SCRIPT = Path(__file__).parents[2] / "tools/run_suite.sh"
# Stands for pytest: says which lane it is, and ends as the test wants.
PYTEST = """#!/usr/bin/env bash
case "$*" in *"not end_to_end"*) lane=quick ;; *) lane=stacks ;; esac
echo "$lane: 1 passed"
{body}
"""


def fake_pytest(folder: Path, body: str) -> Path:
    program = folder / "pytest"
    program.write_text(PYTEST.format(body=body))
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(("body", "expected"), [("exit 0", 0), ("[ $lane = quick ]", 1), ("[ $lane = stacks ]", 1)])
def test_a_failure_of_either_lane_is_the_suites(tmp_path: Path, body: str, expected: int) -> None:
    ended = subprocess.run(
        [SCRIPT, fake_pytest(tmp_path, body)], check=False, capture_output=True, text=True, timeout=50
    )
    assert ended.returncode == expected
    assert ended.stdout.splitlines() == [
        "quick: 1 passed",
        "--- whole stacks, tested meanwhile",
        "stacks: 1 passed",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_suite_ends_both_lanes(tmp_path: Path, number: signal.Signals) -> None:
    body = f"echo $$ > {tmp_path}/$lane; exec sleep 600"
    suite = subprocess.Popen([SCRIPT, fake_pytest(tmp_path, body)], stdout=subprocess.DEVNULL, start_new_session=True)
    written = [tmp_path / "quick", tmp_path / "stacks"]
    assert until(lambda: all(path.exists() and path.read_text().strip() for path in written), 30)
    os.killpg(suite.pid, number)
    assert suite.wait(30) == 130
    lanes = [int(path.read_text()) for path in written]
    assert until(lambda: not any(lives(lane) for lane in lanes), 10)


def test_the_lane_of_whole_stacks_hears_ctrl_c(tmp_path: Path) -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and every program that a test starts inherits it."""
    body = f"grep SigIgn /proc/self/status > {tmp_path}/$lane"
    subprocess.run([SCRIPT, fake_pytest(tmp_path, body)], stdout=subprocess.DEVNULL, check=True, timeout=50)
    ignored = int((tmp_path / "stacks").read_text().split()[1], 16)
    assert not ignored & 1 << signal.SIGINT - 1
