"""`make run` as a user types it who is not root, in a fresh checkout: each step shows a picture or says why not.

The checkout is in a path with spaces and umlauts; the terminal is dumb, the locale is C, and there is no curl and no
git. Only Python, make and the system's commands are there: packages and servers are fetched.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeinfer.stack.ports import PortPool

NAME = "make-run"
PICTURE = "PICTURE "
_FOLDER = "Übung mit Leerzeichen/Edge & Infer"
_USER = 4711
_MAX_SECONDS = 1500.0
_PORTS = ("gateway", "sidecar", "console", "prometheus", "alertmanager", "exporter")
_STEP = "STEP "


@dataclass(frozen=True, slots=True)
class Step:
    """One time that the user types `make run`.

    Args:
        what: is odd about it.
        expected: begin of the line, or a pattern of it, that says how it ended.
        before: shell words of root, before it.
        looks: whether figures are waited for, and the stack is ended.
    """

    what: str
    expected: str
    before: str = ""
    looks: bool = False


STEPS = (
    Step(
        "make run, fresh checkout, another user, HOME read-only",
        r"running without monitoring: cache .*: cannot be kept there \(Read-only file system\)",
        'mount -o remount,ro,bind "$HOME"',
    ),
    Step("make run, the same, HOME writable, dumb terminal, locale C, no curl, no git", PICTURE, looks=True,
         before='mount -o remount,rw,bind "$HOME"'),
    Step(
        "make run, measurements of root in the way",
        r"error: data folder .*: cannot be (created|written|locked) \(Permission denied\)",
        "chown -R 0:0 .edgeinfer; chmod 700 .edgeinfer",
    ),
    Step(
        "make run, an environment of root in the way, and a newer lock file",
        r"error: \.venv belongs to root, and is to be changed",
        "chown -R 0:0 .venv; touch requirements-runtime.lock",
    ),
)  # fmt: skip


def run(root: Path) -> Iterator[tuple[str, bool, str]]:
    """Of each step: what is odd, whether it ended as expected, and what it showed."""
    with tempfile.TemporaryDirectory(prefix="odd-checkout-") as scratch:
        Path(scratch).chmod(0o711)
        checkout = Path(scratch, _FOLDER)
        checkout.mkdir(parents=True)
        archive = subprocess.run(["git", "-C", str(root), "archive", "HEAD"], capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(checkout)], input=archive.stdout, check=True)
        script = Path(scratch, "script")
        script.write_text("\n".join(_script(Path(scratch), checkout)), encoding="utf-8")
        command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", str(script)]
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=_MAX_SECONDS
        )
    yield from judged(ended.stdout.decode("utf-8", "replace"))


def judged(said: str) -> Iterator[tuple[str, bool, str]]:
    """What a run printed, step by step."""
    parts = said.split(_STEP)[1:]
    for number, step in enumerate(STEPS):
        lines = [line for line in parts[number].splitlines()[1:] if line.strip()] if number < len(parts) else []
        found = [line for line in lines if re.match(step.expected, line)]
        is_plain = not any("Traceback" in line or "\x1b" in line for line in lines)
        yield step.what, bool(found) and is_plain, found[0] if found else " / ".join(lines[-4:])


def _script(scratch: Path, checkout: Path) -> Iterator[str]:
    ports = " ".join(f"--{name}-port {port}" for name, port in zip(_PORTS, PortPool().take(len(_PORTS)), strict=True))
    passed = " ".join(f"{name}='{value}'" for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_")))
    yield f"export scratch='{scratch}' HOME='{scratch}/home'; cd '{checkout}'"
    yield 'mkdir -p "$HOME" "$scratch/bin"; mount --bind "$HOME" "$HOME"'
    yield 'ln -sf -t "$scratch/bin" /usr/sbin/*; ln -sf -t "$scratch/bin" /usr/bin/*'
    yield 'rm -f "$scratch"/bin/{curl,git}'
    for database, line in (("passwd", f"visitor:x:{_USER}:{_USER}::$HOME:/bin/sh"), ("group", f"visitor:x:{_USER}:")):
        yield f'{{ cat /etc/{database}; echo "{line}"; }} > "$scratch/{database}"'
        yield f'mount --bind "$scratch/{database}" /etc/{database}'
    yield f'chown -R {_USER}:{_USER} "$HOME" .'
    yield "visitor() {"
    yield f"  setpriv --reuid {_USER} --regid {_USER} --clear-groups --inh-caps=-all --bounding-set=-all \\"
    yield f'    env -i HOME="$HOME" PATH="$scratch/bin" TERM=dumb LC_ALL=C {passed} "$@" </dev/null 2>&1; }}'
    for step in STEPS:
        yield f"echo '{_STEP}'"
        yield step.before
        yield f"visitor make run ARGS='--background {ports}'"
        if step.looks:
            yield "visitor .venv/bin/python -m tools.odd_machines --look .edgeinfer"
        yield "visitor .venv/bin/edgeinfer down --data-folder .edgeinfer >/dev/null"
