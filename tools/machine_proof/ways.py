"""The ways without a set-up of the machine: `make run` in a checkout, and the wheel in an empty environment."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.machine_proof.checks import query, until
from tools.machine_proof.container import Container, ProofError, say

_SHARED = "/srv/wheel"
_ANSWERED = 'sum(increase(hailo_inference_requests_total{status="success"}[20s]))'
_SECONDS = 300.0
# What each takes from nothing; packages of Python and Prometheus are fetched.
MAKE_RUN = (
    "sudo apt update",
    "sudo apt install --no-install-recommends git make python3-venv",
    "git clone /srv/edgeinfer.git edgeinfer",
    "cd edgeinfer",
    "make run ARGS=--background",
)
WHEEL = (
    "cd",
    "python3 -m venv ~/wheel",
    f"~/wheel/bin/pip install --quiet --require-hashes -r {_SHARED}/requirements-runtime.lock",
    f"~/wheel/bin/pip install --quiet --no-deps --no-index {_SHARED}/edgeinfer-*.whl",
    "~/wheel/bin/edgeinfer up --background",
)


def run(machine: Container, checkout: Path, type_: Callable[[str], str]) -> list[str]:
    """Both ways, one after the other; what to say of each in the end."""
    _share_wheel(machine, checkout)
    shown = [_first_figures(machine, "make run", MAKE_RUN, type_)]
    type_("make stack-down")
    shown.append(_first_figures(machine, "wheel", WHEEL, type_))
    type_("~/wheel/bin/edgeinfer down")
    left = machine.run("pgrep --full 'edgeinfer|prometheus' --list-full", user="root").stdout
    # pgrep finds the shell that runs it.
    alive = [line for line in left.splitlines() if "pgrep" not in line]
    if alive:
        raise ProofError(f"these still run: {alive}")
    return shown


def _first_figures(machine: Container, way: str, commands: Sequence[str], type_: Callable[[str], str]) -> str:
    begin = time.monotonic()
    for command in commands:
        type_(command)
    until(lambda: sum(value for _, value in query(machine, _ANSWERED)) > 0, f"{way}: windows are answered", _SECONDS)
    words = f"{way}: {time.monotonic() - begin:.0f} s to first figures, {len(commands)} commands"
    say(f"shown: {words}")
    return words


def _share_wheel(machine: Container, checkout: Path) -> None:
    """What a user without a checkout is given: the wheel, and the lock with the hash of each package."""
    place = Path(f"/proc/{machine.leader}/root{_SHARED}")
    with tempfile.TemporaryDirectory() as folder:
        build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
        subprocess.run(build, cwd=checkout, check=True, capture_output=True)
        place.mkdir()
        place.chmod(0o755)
        for file in (*Path(folder).glob("*.whl"), checkout / "requirements-runtime.lock"):
            (place / file.name).write_bytes(file.read_bytes())
            (place / file.name).chmod(0o644)
