"""The test command of the README, typed on that Debian: what it closes with."""

import re
import time
from collections.abc import Callable

from tools.machine_proof.container import Container, ProofError, say

# As CONTRIBUTING.md has it for a fresh Debian; what the tests need beyond that, `make test` brings itself.
COMMANDS = (
    "sudo apt update",
    "sudo apt install --no-install-recommends git make python3-venv",
    "git clone /srv/edgeinfer.git edgeinfer",
    "cd edgeinfer",
)
_TEST = "cd edgeinfer && make test"
_SECONDS = 5000.0
_CLOSING = re.compile(r"(?m)^(?:=+ )?\d+ (?:passed|failed|error).* in [\d.]+s.*$")


def closing_lines(printed: str) -> list[str]:
    """The last line of each run of pytest."""
    return [line.strip("= ") for line in _CLOSING.findall(printed)]


def run(machine: Container, type_: Callable[[str], str]) -> list[str]:
    """What the suite closes with.

    Raises:
        ProofError: something failed, or no test ran.
    """
    for command in COMMANDS:
        type_(command)
    begin = time.monotonic()
    done = machine.run(_TEST, seconds=_SECONDS)
    lines = closing_lines(done.stdout)
    say(f"  $ make test   [{time.monotonic() - begin:.0f} s]")
    for line in lines:
        say(f"shown: {line}")
    if done.returncode or not lines:
        raise ProofError(f"make test ended with {done.returncode}:\n{done.stdout[-20_000:]}")
    return [f"make test: {'; '.join(lines)}"]
