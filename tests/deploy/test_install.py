"""The one command of the Pi's guide gets the numpy that the installed HailoRT reads, on each Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME = "install --require-hashes -r requirements-build.lock -r requirements-runtime.lock"
OURS = "install --no-deps --no-index --no-build-isolation --force-reinstall ."
NUMPY_1 = "install --require-hashes -r requirements-hailo4.lock"
PYTHON = """#!/bin/sh
case "$1 $2" in
  "-m venv")
    mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && cp "{home}/edgeinfer" "$4/bin/edgeinfer" ;;
  "-m pip") shift 4; echo "$@" >> "{home}/said" ;;
  "-c "*"Python.h"*) echo "{home}/Python.h" ;;
  "-c "*"(3, 13)"*) {is_new} ;;
  *) exec {python} "$@" ;;
esac
"""
DOCTOR = """#!/bin/sh
case "$*" in
  *--json) echo '[{{"subject": "numpy", "verdict": "{verdict}"}}]'; exit 1 ;;
  *) echo "the doctor's words" ;;
esac
"""


def install(home: Path, *, verdict: str, is_new: bool, tools: tuple[str, ...] = ("c++",)) -> tuple[int, list[str], str]:
    """Its exit code, what pip was asked for, and what was printed, on a machine that is made up."""
    for name, text in (
        ("python3", PYTHON.format(home=home, python=sys.executable, is_new="true" if is_new else "false")),
        ("edgeinfer", DOCTOR.format(verdict=verdict)),
        *((tool, "#!/bin/sh\n") for tool in tools),
    ):
        (home / name).write_text(text)
        (home / name).chmod(0o755)
    for tool in ("dirname", "mkdir", "cp", "sh", "env", "bash", "printf"):
        (home / tool).symlink_to(f"/usr/bin/{tool}")
    environment = {"PATH": str(home), "VENV": str(home / "venv"), "PYTHON": str(home / "python3")}
    done = subprocess.run(
        ["/usr/bin/bash", ROOT / "deploy/install.sh"], env=environment, capture_output=True, text=True, check=False
    )
    said = home / "said"
    return done.returncode, said.read_text().splitlines() if said.exists() else [], done.stdout + done.stderr


@pytest.mark.parametrize("is_new", [False, True])
def test_numpy_stays_as_locked_where_hailort_reads_it(tmp_path: Path, *, is_new: bool) -> None:
    code, said, printed = install(tmp_path, verdict="ok", is_new=is_new)
    assert (code, said) == (0, [RUNTIME, OURS])
    assert "the doctor's words" in printed


def test_on_bookworm_an_older_hailort_gets_the_wheel_of_numpy_1(tmp_path: Path) -> None:
    code, said, _ = install(tmp_path, verdict="broken", is_new=False, tools=())
    assert (code, said) == (0, [RUNTIME, OURS, NUMPY_1])


def test_on_trixie_an_older_hailort_gets_numpy_1_compiled(tmp_path: Path) -> None:
    (tmp_path / "Python.h").touch()
    code, said, printed = install(tmp_path, verdict="broken", is_new=True)
    assert (code, said) == (0, [RUNTIME, OURS, NUMPY_1])
    assert "is compiled for this Python now" in printed


@pytest.mark.parametrize(("tools", "header"), [((), True), (("c++",), False)])
def test_on_trixie_without_a_compiler_it_says_what_to_install(
    tmp_path: Path, tools: tuple[str, ...], *, header: bool
) -> None:
    if header:
        (tmp_path / "Python.h").touch()
    code, said, printed = install(tmp_path, verdict="broken", is_new=True, tools=tools)
    assert (code, said) == (78, [RUNTIME, OURS])
    assert "sudo apt install build-essential python3-dev" in printed


def test_the_lock_for_older_libraries_names_numpy_1_and_its_source() -> None:
    """Without the hash of the source, pip could not compile it where there is no wheel."""
    lock = (ROOT / "requirements-hailo4.lock").read_text()
    assert "numpy==1.26.4" in lock
    assert "2a02aba9ed12e4ac4eb3ea9421c420301a0c6460d9830d74a9df87efa4912010" in lock  # numpy-1.26.4.tar.gz


def test_it_is_bash_that_parses() -> None:
    assert subprocess.run(["bash", "-n", ROOT / "deploy/install.sh"], check=False).returncode == 0
    assert os.access(ROOT / "deploy/install.sh", os.X_OK)
