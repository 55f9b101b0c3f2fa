"""CPU time of one request by function: sampled under load, before and after the fast path, next to a tutorial server.

Run as `python -m benchmarks.profile_request`; needs wrk, and py-spy in an environment of its own, which
`benchmarks/peers/setup.sh` makes.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.fast_path import sidecar_variants
from benchmarks.flame import Stacks, as_bars, as_flame, read_stacks, shares
from benchmarks.load import JSON, Load, run_load
from benchmarks.peer_servers import ENVIRONMENTS, Server, serving, tree_cpu_seconds
from benchmarks.processes import free_port
from edgeinfer.model.card import default_folder, load_card

_CONNECTIONS = 16
_SAMPLES_PER_SECOND = 400


def main() -> None:
    """Profile each server and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of load on each server")
    parser.add_argument("--report", type=Path, default=Path(".benchmarks"), help="folder for the pictures")
    given = parser.parse_args()
    given.report.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, float]] = {}
    for place, server in enumerate(_servers(), start=1):
        print(f"server {place}: {server.name}", file=sys.stderr)
        microseconds, stacks = profile(server, given.seconds)
        rows[server.name] = {part: share * microseconds for part, share in shares(stacks).items()}
        flame = as_flame(stacks, f"{server.name}: {microseconds:.0f} µs of CPU per request")
        (given.report / f"flame-{place}.svg").write_text(flame)
    (given.report / "request.svg").write_text(as_bars(rows))
    print(json.dumps(rows, indent=2))


def _servers() -> list[Server]:
    model = str(load_card(default_folder()).file("cpu").path)
    tutorial = (str((ENVIRONMENTS / "tutorial/bin/python").absolute()), "benchmarks/peers/tutorial.py", model, "PORT")
    return [Server("tutorial FastAPI with metrics", (*tutorial, "--metrics")), *sidecar_variants()]


def profile(server: Server, seconds: int) -> tuple[float, Stacks]:
    """CPU microseconds per request without the profiler, and the stacks with it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}{server.path}"
    with serving(server, port) as pid:
        _load(url, 1)
        before = tree_cpu_seconds(pid)
        requests = _load(url, seconds).requests
        microseconds = 1e6 * (tree_cpu_seconds(pid) - before) / requests
        return microseconds, _sample(pid, url, seconds)


def _sample(pid: int, url: str, seconds: int) -> Stacks:
    spy = ENVIRONMENTS / "profiler/bin/py-spy"
    raw = Path(f".benchmarks/stacks-{pid}.txt")
    options = [
        "--format",
        "raw",
        "--rate",
        str(_SAMPLES_PER_SECOND),
        "--duration",
        str(seconds),
        "--nonblocking",
        "--function",
    ]
    argv = [str(spy), "record", *options, "--pid", str(pid), "--output", str(raw)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as recorder:
        time.sleep(0.5)
        _load(url, seconds)
        recorder.wait(30)
    stacks = read_stacks(raw.read_text())
    raw.unlink()
    return stacks


def _load(url: str, seconds: float) -> Load:
    return run_load(url, connections=_CONNECTIONS, seconds=seconds, content_type=JSON)


if __name__ == "__main__":
    main()
