"""What each part of the sidecar's fast path is worth: the variants in interleaved rounds, medians.

Run as `python -m benchmarks.fast_path`; needs wrk. Prints a table of server CPU, rate and p99 by connections.
"""

import argparse
import sys
from statistics import median

from benchmarks.load import JSON, run_load
from benchmarks.peer_servers import Server, serving, tree_cpu_seconds
from benchmarks.processes import free_port

_CONNECTIONS = (1, 4, 16)
Cell = tuple[float, float, float]
"""CPU microseconds a request, requests a second, p99 in milliseconds."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of all variants (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3, help="of load in each cell (%(default)s)")
    given = parser.parse_args()
    cells: dict[tuple[str, int], list[Cell]] = {}
    for number in range(1, given.rounds + 1):
        for server in sidecar_variants():
            print(f"round {number} of {given.rounds}: {server.name}", file=sys.stderr)
            for connections, cell in measure(server, given.seconds).items():
                cells.setdefault((server.name, connections), []).append(cell)
    print("| variant | connections | CPU µs | req/s | p99 ms |\n|---|---:|---:|---:|---:|")
    for (name, connections), measured in cells.items():
        cpu, rate, p99 = (median(column) for column in zip(*measured, strict=True))
        print(f"| {name} | {connections} | {cpu:.0f} | {rate:.0f} | {p99:.1f} |")


def sidecar_variants() -> list[Server]:
    """The sidecar without its fast path, with a part of it, and as it is."""
    variant = (sys.executable, "-m", "benchmarks.variants", "PORT")
    return [
        Server("EdgeInfer through ASGI, all on threads", (*variant, "--asgi", "--threads")),
        Server("EdgeInfer past ASGI, all on threads", (*variant, "--threads")),
        Server("EdgeInfer", variant),
    ]


def measure(server: Server, seconds: float) -> dict[int, Cell]:
    """One round of one variant, by connections."""
    port = free_port()
    url = f"http://127.0.0.1:{port}{server.path}"
    with serving(server, port) as pid:
        run_load(url, connections=max(_CONNECTIONS), seconds=1, content_type=JSON)
        return {connections: _cell(url, pid, connections, seconds) for connections in _CONNECTIONS}


def _cell(url: str, pid: int, connections: int, seconds: float) -> Cell:
    before = tree_cpu_seconds(pid)
    load = run_load(url, connections=connections, seconds=seconds, content_type=JSON)
    return 1e6 * (tree_cpu_seconds(pid) - before) / load.requests, load.requests / load.seconds, load.p99_ms


if __name__ == "__main__":
    main()
