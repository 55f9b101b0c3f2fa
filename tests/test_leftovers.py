"""What a failed test started is ended, whichever way the test went."""

import re
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.running_stack import lives, until

_TESTS = """
import subprocess, sys
PROGRAM = "import signal, time; signal.signal(15, signal.SIG_IGN); print(0, flush=True); time.sleep(600)"

def test_first():
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    print("started", process.pid)
    assert False
"""
_OTHER = """
import os
def test_second(): pass
"""


def test_a_process_of_a_failed_test_is_gone_after_its_module(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(_TESTS)
    (tmp_path / "test_two.py").write_text(_OTHER)
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:randomly", "-p", "no:cacheprovider"]
    ended = subprocess.run([*command, str(tmp_path)], cwd=root, capture_output=True, text=True, check=False, timeout=50)
    assert "1 failed, 1 passed" in ended.stdout, ended.stdout + ended.stderr
    started = re.search(r"started (\d+)", ended.stdout)
    assert started
    assert until(lambda: not lives(int(started[1])), 5)
    assert "left running by test_one.py, and ended" in ended.stderr
