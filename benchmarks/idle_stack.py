"""What the whole stack costs without requests: CPU and memory of each process.

Run as `python -m benchmarks.idle_stack [-- OPTIONS OF edgeinfer up]`; it takes a minute and a half.
Memory is PSS, which counts a page that several processes share once in all.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.peer_servers import tree, tree_megabytes
from benchmarks.processes import cpu_seconds, free_port, resident_megabytes

_SETTLE_SECONDS = 30.0
_PORTS = ("gateway", "sidecar", "console", "prometheus", "alertmanager")


def main() -> None:
    """Start a stack, let it settle, look at it, and end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="to look")
    parser.add_argument("options", nargs="*", help="for edgeinfer up, after --")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ports = [part for name in _PORTS for part in (f"--{name}-port", str(free_port()))]
        start = [sys.executable, "-m", "edgeinfer", "up", "--no-replay", "--data-folder", folder]
        stack = subprocess.Popen([*start, *ports, *given.options], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            time.sleep(_SETTLE_SECONDS)
            _look(stack.pid, given.seconds)
        finally:
            stack.send_signal(signal.SIGINT)
            stack.wait(30)


def _look(pid: int, seconds: float) -> None:
    members = tree(pid)
    before = {member: cpu_seconds(member) for member in members}
    time.sleep(seconds)
    print("| process | PSS MB | RSS MB | % of a core |\n|---|---:|---:|---:|")
    shares = {member: 100 * (cpu_seconds(member) - before[member]) / seconds for member in members}
    for member in members:
        own = tree_megabytes(member) - sum(tree_megabytes(below) for below in tree(member)[1:])
        print(f"| {_name(member)} | {own:.0f} | {resident_megabytes(member):.0f} | {shares[member]:.2f} |")
    resident = sum(resident_megabytes(member) for member in members)
    print(f"| all | {tree_megabytes(pid):.0f} | {resident:.0f} | {sum(shares.values()):.2f} |")


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return words[3] if words[1:3] == ["-m", "edgeinfer"] else Path(words[0]).name


if __name__ == "__main__":
    main()
