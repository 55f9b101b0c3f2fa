"""The suite runs in three lanes at once; a failure of any is the suite's, and Ctrl-C ends all."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.running_stack import lives, until

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools/run_suite.sh"
# Stands for pytest and Python: says which lane it is, and ends as the test wants.
PROGRAM = """#!/usr/bin/env bash
case "$*" in
  *"not end_to_end"*) lane=quick ;;
  *"tools.versions"*) lane=versions ;;
  *"--ignore=tests/end_to_end/test_chaos.py"*) lane=stacks ;;
  *"tests/end_to_end/test_chaos.py"*) lane=longest ;;
esac
echo "$lane: 1 passed"
{body}
"""


def suite(folder: Path, body: str) -> list[str | Path]:
    program = folder / "program"
    program.write_text(PROGRAM.format(body=body))
    program.chmod(0o755)
    return [SCRIPT, program, program]


@pytest.mark.parametrize("failing", ["none", "quick", "versions", "stacks", "longest"])
def test_a_failure_of_any_lane_is_the_suites(tmp_path: Path, failing: str) -> None:
    command = suite(tmp_path, f"[ $lane != {failing} ]")
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert ended.returncode == (failing != "none")
    assert ended.stdout.splitlines() == [
        "quick: 1 passed",
        "versions: 1 passed",
        "--- whole stacks, tested meanwhile",
        "stacks: 1 passed",
        "--- chaos and every panel, tested meanwhile",
        "longest: 1 passed",
    ]


def test_every_test_is_in_one_lane() -> None:
    """What one lane names, another ignores; and it is there."""
    text = SCRIPT.read_text()
    longest = re.findall(r"tests/end_to_end/\w+\.py", text)
    assert len(longest) == 2
    assert all((ROOT / path).exists() for path in longest)
    assert all("pytest.mark.end_to_end" in (ROOT / path).read_text() for path in longest)
    assert '"${LONGEST[@]}"' in text
    assert '"${LONGEST[@]/#/--ignore=}"' in text
    assert '-m "not end_to_end"' in text
    assert "-m end_to_end" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_suite_ends_all_lanes(tmp_path: Path, number: signal.Signals) -> None:
    body = f"echo $$ > {tmp_path}/$lane; exec sleep 600"
    running = subprocess.Popen(suite(tmp_path, body), stdout=subprocess.DEVNULL, start_new_session=True)
    written = [tmp_path / "quick", tmp_path / "stacks", tmp_path / "longest"]
    assert until(lambda: all(path.exists() and path.read_text().strip() for path in written), 30)
    os.killpg(running.pid, number)
    assert running.wait(30) == 130
    lanes = [int(path.read_text()) for path in written]
    assert until(lambda: not any(lives(lane) for lane in lanes), 10)
    assert not (tmp_path / "versions").exists()


def test_every_lane_hears_ctrl_c(tmp_path: Path) -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and every program that a test starts inherits it."""
    body = f"grep SigIgn /proc/self/status > {tmp_path}/$lane"
    subprocess.run(suite(tmp_path, body), stdout=subprocess.DEVNULL, check=True, timeout=50)
    for lane in ("stacks", "longest", "quick"):
        ignored = int((tmp_path / lane).read_text().split()[1], 16)
        assert not ignored & 1 << signal.SIGINT - 1, lane
