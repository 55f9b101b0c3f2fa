"""`make run` and `make test` set up what is missing, and report progress."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.install_packages import Line, Progress, count_installed, count_pins, install

ROOT = Path(__file__).parents[2]
FAKE_PIP = """
import sys
print("Collecting click==8.5.1 (from -r a.lock (line 3))")
print("  Downloading click-8.5.1-py3-none-any.whl (5 kB)")
print("Installing collected packages: click")
print("WARNING: an index is slow", file=sys.stderr)
sys.exit(3)
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_shows_what_is_fetched_and_then_what_is_installed() -> None:
    there = 7
    progress = Progress(pins=3, installed=lambda: there)
    assert str(progress) == "fetching packages: 0 of 3"
    for line in (
        "Collecting click==8.5.1 (from -r a.lock (line 3))",
        "  Downloading click-8.5.1-py3-none-any.whl (5 kB)",
        "Requirement already satisfied: idna==3.20 in ./lib (from -r a.lock (line 9)) (3.20)",
    ):
        progress.hear(line)
    assert str(progress) == "fetching packages: 2 of 3"
    progress.hear("Installing collected packages: click, attrs")
    assert str(progress) == "installing packages: 0 of 2"
    there = 8
    assert str(progress) == "installing packages: 1 of 2"


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "file"])
async def test_a_failure_of_pip_and_what_it_warned_of_are_passed_on(stream: io.StringIO) -> None:
    progress = Progress(pins=1, installed=lambda: 0)
    code = await install([sys.executable, "-c", FAKE_PIP], progress, Line(stream))
    assert code == 3
    assert "WARNING: an index is slow\n" in stream.getvalue()
    assert stream.getvalue().endswith("\r\033[K" if stream.isatty() else "slow\n")
    assert str(progress) == "installing packages: 0 of 1"


def test_packages_that_cannot_be_had_end_it_with_the_reason_and_what_to_do(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text(f"there-is-no-such-package==1.0 --hash=sha256:{'0' * 64}\n")
    nowhere = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "tools/install_packages.py", str(lock)],
        cwd=ROOT,
        env=nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    said = result.stdout.splitlines()
    assert any("No matching distribution found for there-is-no-such-package==1.0" in line for line in said)
    assert said[-2] == f"error: {lock}: pip ended with exit code 1; it says why above."
    assert said[-1].startswith("hint: ")


def test_a_terminal_shows_one_line_that_is_rewritten() -> None:
    terminal = Terminal()
    line = Line(terminal)
    line.show("fetching packages: 1 of 3")
    line.show("fetching packages: 2 of 3")
    assert terminal.getvalue() == "\r\033[K  fetching packages: 1 of 3\r\033[K  fetching packages: 2 of 3"


def test_pins_are_counted_and_hashes_and_comments_are_not(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text("# click==1\nclick==8.5.1 \\\n    --hash=sha256:aa\n    # via -c b.lock\nattrs==26.1.0\n")
    assert count_pins([lock, lock]) == 4


def test_this_environment_has_the_packages_that_it_was_set_up_with() -> None:
    assert count_installed() >= count_pins([ROOT / "requirements-runtime.lock"])


@pytest.mark.parametrize("part", ["requirements-runtime.lock", "requirements-build.lock"])
def test_what_make_run_installs_is_a_part_of_what_make_test_installs(part: str) -> None:
    assert _pins(part) <= _pins("requirements.lock")
    assert _pins(part)


def _pins(lock: str) -> set[str]:
    return set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))
