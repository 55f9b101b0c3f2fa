"""The sidecar compared with other model servers on the same window, in interleaved rounds, each with a baseline.

Run as `python -m benchmarks.compare`, or `make bench`. Peers run in environments of their own, which
`benchmarks/peers/setup.sh` makes; a peer without one is left out, and the report says so.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.load import BINARY, JSON, body_of, run_load
from benchmarks.open_loop import Question, run_open_loop
from benchmarks.peer_servers import PEERS, Server, servers, serving, tree_cpu_seconds, tree_megabytes
from benchmarks.processes import free_port
from benchmarks.report import as_chart, as_page
from benchmarks.sidecar_cost import bare
from edgeinfer.model.card import default_folder

CONNECTIONS = (1, 16, 64)
RATES = (100, 250, 500, 800)
Cell = dict[str, float]
Key = tuple[str, str, str, int]
"""Server, "closed" or "open", content type, connections or requests a second."""


_DOCS = Path("docs")


def main() -> None:
    """Measure everything, print it, and write JSON, a page and a chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3, help="of load in each cell (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of the whole table; medians count (%(default)s)")
    parser.add_argument(
        "--short", action="store_true", help="three rounds of a second, no constants and no given rates"
    )
    parser.add_argument("--model-folder", type=Path, help="with a card.json; the shipped model if not given")
    parser.add_argument("--only", default="", help="names of servers to run, separated by semicolons; all if not given")
    parser.add_argument(
        "--report", type=Path, default=Path(".benchmarks"), help="folder for compare.json, .md and .svg"
    )
    parser.add_argument("--publish", action="store_true", help="write the page and the chart of docs as well")
    given = parser.parse_args()
    found = servers(given.model_folder or default_folder(), is_shipped=given.model_folder is None)
    wanted = {name.strip() for name in given.only.split(";")} - {""}
    chosen = [server for server in found if not wanted or server.name in wanted]
    if given.short:
        chosen = [server for server in chosen if server.has_network]
    rounds, seconds = (3, 1) if given.short else (given.rounds, given.seconds)
    report = compare(chosen, rounds, seconds, rates=() if given.short else RATES)
    page, chart = as_page(report), as_chart(report)
    _write(
        given.report, {"compare.json": json.dumps(report, indent=2) + "\n", "compare.md": page, "compare.svg": chart}
    )
    if given.publish:
        _write(_DOCS, {"reports/benchmark.md": page, "pictures/benchmark.svg": chart})
    print(page)


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)


def compare(found: list[Server], rounds: int, seconds: int, rates: tuple[int, ...] = RATES) -> dict[str, Any]:
    """Every server in every round, the bare session before and after each."""
    cells: dict[Key, list[Cell]] = {}
    baselines, missing, loads = [], set(), [os.getloadavg()[0]]
    for number in range(rounds):
        baselines.append(bare(1)["cpu_ms_per_window"])
        for place, server in enumerate(found, start=1):
            print(f"round {number + 1} of {rounds}, server {place} of {len(found)}: {server.name}", file=sys.stderr)
            try:
                for key, cell in _measure(server, seconds, rates):
                    cells.setdefault(key, []).append(cell)
            except (RuntimeError, OSError) as failure:
                missing.add(f"{server.name}: {failure}")
        baselines.append(bare(1)["cpu_ms_per_window"])
        loads.append(os.getloadavg()[0])
    rows = [
        {"server": name, "loop": loop, "encoding": kind, "load": load, **summary(seen)}
        for (name, loop, kind, load), seen in cells.items()
    ]
    return {
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "rounds": rounds,
        "seconds": seconds,
        "bare_cpu_ms": baselines,
        "load_averages": loads,
        "missing": sorted(missing),
        "peers": [{"name": peer.name, "version": peer.version, "given": peer.given} for peer in PEERS],
        "rows": rows,
    }


def _measure(server: Server, seconds: int, rates: tuple[int, ...]) -> Iterator[tuple[Key, Cell]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}{server.path}"
    with serving(server, port) as pid:
        run_load(url, connections=4, seconds=1, content_type=JSON, body=server.body)
        for kind in (JSON, BINARY) if server.takes_binary else (JSON,):
            question = Question(url, kind, server.body if kind == JSON else body_of(BINARY))
            for connections in CONNECTIONS:
                yield (server.name, "closed", kind, connections), _closed(pid, question, connections, seconds)
        if server.has_network:
            for rate in rates:
                yield (server.name, "open", JSON, rate), _open(pid, Question(url, JSON, server.body), rate, seconds)


def _closed(pid: int, question: Question, connections: int, seconds: float) -> Cell:
    before = tree_cpu_seconds(pid)
    load = run_load(
        question.url,
        connections=connections,
        seconds=seconds,
        content_type=question.content_type,
        body=question.body,
    )
    return {
        "cpu_ms": 1e3 * (tree_cpu_seconds(pid) - before) / max(load.requests, 1),
        "rate": load.rate,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "failures": load.failures,
        "megabytes": tree_megabytes(pid),
    }


def _open(pid: int, question: Question, rate: int, seconds: float) -> Cell:
    before = tree_cpu_seconds(pid)
    arrivals = run_open_loop(question, rate=rate, seconds=seconds)
    return {
        "cpu_ms": 1e3 * (tree_cpu_seconds(pid) - before) / max(arrivals.answered, 1),
        "rate": arrivals.goodput,
        "p50_ms": arrivals.p50_ms,
        "p99_ms": arrivals.p99_ms,
        "failures": arrivals.offered - arrivals.answered,
        "megabytes": tree_megabytes(pid),
        "late_ms": arrivals.late_ms,
    }


def summary(seen: list[Cell]) -> Cell:
    """Medians of the rounds, and how far the CPU time moved between them: (largest - smallest) / median."""
    medians = {name: statistics.median(cell[name] for cell in seen) for name in seen[0]}
    costs = [cell["cpu_ms"] for cell in seen]
    return {**medians, "spread": (max(costs) - min(costs)) / medians["cpu_ms"] if medians["cpu_ms"] else 0.0}


if __name__ == "__main__":
    main()
