"""Odd but real machines, each in namespaces of its own: a right picture, or one true sentence.

Run as `python -m tools.odd_machines [CASE...]` (root, Linux); prints for each what was said, and ends with 1 if one
showed neither. Nothing outside of the namespaces is touched; Prometheus and Alertmanager come from the cache.
The last cases are `make run` in a fresh checkout of another user, who fetches everything: see `tools.odd_checkout`.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeinfer.settings import StackSettings
from tools import odd_checkout

ROOT = Path(__file__).parents[1]
PICTURE = "a picture"
_DEAD = "http://127.0.0.1:9"
# What `ip link set lo up` does, which is not on every machine.
_LOOPBACK_UP = (
    "import fcntl, socket, struct;"
    'fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP'
)
_PICTURE_SECONDS = 120.0
_ENOUGH_SECONDS = 600.0
# Root without its rights over other users' files: a folder of another user stays closed.
_AS_ANY_USER = "setpriv --bounding-set=-dac_override,-dac_read_search,-fowner --inh-caps=-all"


@dataclass(frozen=True, slots=True)
class Case:
    """One machine.

    Args:
        name: of the case.
        what: is odd about it.
        expected: PICTURE, or a pattern that one line must match.
        prepare: shell words, in namespaces of network and mounts, with $scratch and $data.
        folder: name of the data folder.
        before: words before the command.
        options: of `edgeinfer up`.
        environment: in addition to HOME and PATH.
    """

    name: str
    what: str
    expected: str = PICTURE
    prepare: str = ""
    folder: str = "data"
    before: str = ""
    options: str = '--data-folder "$data"'
    environment: Mapping[str, str] = field(default_factory=dict)


CASES = (
    Case("path", "a path with spaces and umlauts", folder="Übung mit Leerzeichen/Meßdaten & mehr"),
    Case("no-network", "no network; the servers were fetched before"),
    Case(
        "nothing-fetched",
        "no network, and nothing fetched before",
        r"^running without monitoring: prometheus and alertmanager: could not be fetched by apt-get: Failed to fetch",
        environment={"XDG_CACHE_HOME": "$scratch/empty"},
    ),
    Case(
        "dead-proxy",
        "a proxy that does not answer",
        environment=dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"), _DEAD),
    ),
    Case("home-read-only", "HOME cannot be written, the data is elsewhere", prepare='mount -o remount,ro,bind "$HOME"'),
    Case(
        "home-read-only-no-folder",
        "HOME cannot be written, and no other folder is named",
        r"^error: data folder .*: cannot be created \(Read-only file system\)",
        prepare='mount -o remount,ro,bind "$HOME"',
        options="",
    ),
    Case("dumb-terminal", "TERM=dumb", before="script -qec", environment={"TERM": "dumb"}),
    Case(
        "locale-c",
        "locale C without UTF-8",
        folder="Meßdaten",
        environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ),
    Case(
        "another-users-folder",
        "another user's folder is in the way",
        r"^error: data folder .*: cannot be (created|written|locked) \(Permission denied\)",
        prepare='mkdir -m 700 "$data" && chown 4711:4711 "$data"',
        before=_AS_ANY_USER,
    ),
    Case("no-curl-no-git", "neither curl nor git", prepare='rm -f "$scratch"/bin/{curl,git}'),
)


def run(case: Case) -> tuple[bool, str]:
    """Whether the case ended as expected, and what it showed."""
    with tempfile.TemporaryDirectory(prefix="odd-machine-") as scratch:
        script = Path(scratch, "script")
        script.write_text("\n".join(_script(case, Path(scratch))), encoding="utf-8")
        command = [
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "bash",
            str(script),
        ]
        try:
            ended = subprocess.run(command, capture_output=True, check=False, timeout=_ENOUGH_SECONDS)
        except subprocess.TimeoutExpired:  # what it started ends with its namespace
            return False, f"not within {_ENOUGH_SECONDS:g} s"
    said = ended.stdout.decode("utf-8", "replace") + ended.stderr.decode("utf-8", "replace")
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    if case.expected == PICTURE:
        shown = [line for line in lines if line.startswith("PICTURE ")]
        return bool(shown) and "\x1b" not in said, shown[0] if shown else " / ".join(lines[-4:])
    found = [line for line in lines if re.search(case.expected, line)]
    return len(found) == 1 and "Traceback" not in said, found[0] if found else " / ".join(lines[-4:])


def _script(case: Case, scratch: Path) -> Iterator[str]:
    python = sys.executable
    cache = StackSettings.from_environment().cache_home.expanduser()
    yield f"set -e; '{python}' -c '{_LOOPBACK_UP}'"
    yield f'export scratch="{scratch}" data="{scratch}/{case.folder}" HOME="{scratch}/home"; unset XDG_DATA_HOME'
    yield 'mkdir -p "$HOME" "$scratch/bin"; mount --bind "$HOME" "$HOME"'
    yield 'ln -sf -t "$scratch/bin" /usr/sbin/*; ln -sf -t "$scratch/bin" /usr/bin/*'
    yield 'export PATH="$scratch/bin"'
    yield f'export XDG_CACHE_HOME="{cache}" TERM=xterm'
    yield from (f'export {name}="{value}"' for name, value in case.environment.items())
    yield case.prepare
    up = f"'{python}' -m edgeinfer up --background {case.options}"
    yield f"{case.before} {_quoted(up)}" if case.before.startswith("script") else f"{case.before} {up}"
    if case.expected == PICTURE:
        yield f"PYTHONUTF8=1 '{python}' -m tools.odd_machines --look \"$data\""
    yield f"'{python}' -m edgeinfer down {case.options} >/dev/null"


def _quoted(command: str) -> str:
    return '"' + command.replace("\\", "\\\\").replace('"', '\\"') + '" /dev/null'


def look(folder: str) -> int:
    """Wait for figures in the overview, as `edgeinfer top` shows it, and print them on one line."""
    command = [sys.executable, "-m", "edgeinfer", "top", "--once", "--json", "--data-folder", folder]
    deadline = time.monotonic() + _PICTURE_SECONDS
    shown = ""
    while time.monotonic() < deadline:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        shown = ended.stdout or ended.stderr
        figures = _figures(shown) if ended.returncode == 0 else {}
        if figures:
            print("PICTURE " + ", ".join(f"{name} {value}" for name, value in figures.items()))
            return 0
        time.sleep(1)
    print(f"no picture: {shown[-600:]}")
    return 1


def _figures(shown: str) -> dict[str, str]:
    """What the overview shows of the service, where Prometheus answers and no row is without a value."""
    document = json.loads(shown)
    rows = document["sections"]["Service"]
    is_whole = document["status"]["prometheus"] == "ok" and all(row["value"] is not None for row in rows[:4])
    return {row["name"]: row["text"] for row in rows[:4]} if is_whole else {}


def main() -> int:
    """Run the cases; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*(case.name for case in CASES), odd_checkout.NAME]
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(names))
    parser.add_argument("--look", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.look:
        return look(arguments.look)
    if os.geteuid() != 0:
        print("NOT TESTED: namespaces of network and mounts need root.")
        return 0
    failed = 0
    for case in CASES:
        if arguments.cases and case.name not in arguments.cases:
            continue
        failed += not _say(case.what, *run(case))
    if not arguments.cases or odd_checkout.NAME in arguments.cases:
        failed += sum(not _say(what, is_well, shown) for what, is_well, shown in odd_checkout.run(ROOT))
    return int(failed > 0)


def _say(what: str, is_well: bool, shown: str) -> bool:  # noqa: FBT001 - what a case ended with
    print(f"{'ok    ' if is_well else 'BROKEN'} {what}: {shown}", flush=True)
    return is_well


if __name__ == "__main__":
    sys.exit(main())
