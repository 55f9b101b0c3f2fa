"""What the sidecar costs: against the bare session, serving alone, its metrics, its memory, its scrape.

Run as `python -m benchmarks.sidecar_cost`; it takes about three minutes and writes text and, with --json, a file.
CPU time is the server's own, from /proc, so that it says something on a busy machine too; rates do only on a
quiet one.
"""

import argparse
import asyncio
import json
import platform
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from benchmarks.load import BINARY, JSON, run_load
from benchmarks.processes import cpu_seconds, free_port, resident_megabytes, running
from edgeinfer.catalog import sidecar
from edgeinfer.metrics.instruments import counter, histogram
from edgeinfer.metrics.registry import new_registry
from edgeinfer.sidecar.instruments import SidecarInstruments
from edgeinfer.web.request_metrics import RequestMetrics

SERVERS = {
    "the shipped model": ["-m", "edgeinfer", "sidecar", "--port"],
    "constants in its place": ["-m", "benchmarks.constant_sidecar"],
}
CONNECTIONS = (1, 16, 64)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round of load")
    parser.add_argument("--rounds", type=int, default=3, help="of each combination; the median counts")
    parser.add_argument("--requests", type=int, default=100_000, help="over which memory is watched")
    parser.add_argument("--json", type=Path, help="where to write the report as JSON")
    given = parser.parse_args()
    report: dict[str, Any] = {"machine": platform.machine(), "python": platform.python_version()}
    report["bare session"] = [bare(1), bare(2)]
    report["serving"] = serving(given.seconds, given.rounds)
    report["bare session"] += [bare(1), bare(2)]
    report["metrics"] = metrics_cost()
    report["memory"] = memory(given.requests)
    report["scrape"] = scrape()
    print(as_text(report))
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n")


def bare(threads: int) -> dict[str, float]:
    """The bare session on so many threads."""
    argv = [sys.executable, "-m", "benchmarks.bare_session", str(threads), "3"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {"threads": threads, **json.loads(said)}


def serving(seconds: float, rounds: int) -> list[dict[str, Any]]:
    """CPU, rate and latency of each server, encoding and number of connections; rounds interleaved."""
    seen: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    for number in range(rounds):
        for name, argv in SERVERS.items():
            _progress(f"round {number + 1} of {rounds}: {name}")
            port = free_port()
            with running([*argv, str(port)], f"http://127.0.0.1:{port}/healthz") as pid:
                run_load(_infer(port), connections=4, seconds=1, content_type=JSON)
                for kind in (JSON, BINARY):
                    for connections in CONNECTIONS:
                        round_ = one_round(pid, port, kind, connections, seconds)
                        seen.setdefault((name, kind, connections), []).append(round_)
    return [
        {"server": name, "encoding": kind, "connections": connections, **_medians(found)}
        for (name, kind, connections), found in seen.items()
    ]


def one_round(pid: int, port: int, kind: str, connections: int, seconds: float) -> dict[str, float]:
    """One round of load and what it cost the server."""
    before = cpu_seconds(pid)
    load = run_load(_infer(port), connections=connections, seconds=seconds, content_type=kind)
    return {
        "cpu_ms": 1e3 * (cpu_seconds(pid) - before) / load.requests,
        "rate": load.rate,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "failures": load.failures,
    }


def metrics_cost() -> dict[str, float]:
    """Microseconds that metrics add to a request, each paired with the same code without them."""
    registry = new_registry()
    requests, duration = counter(sidecar.HTTP_REQUESTS, registry), histogram(sidecar.HTTP_DURATION, registry)
    watched = RequestMetrics(_empty, requests, duration)
    inside = SidecarInstruments(new_registry())
    http = [_microseconds_of(watched) - _microseconds_of(_empty) for _ in range(7)]
    stages = [_microseconds(lambda: _observe(inside)) - _microseconds(lambda: None) for _ in range(7)]
    return {"http_middleware_us": statistics.median(http), "inside_us": statistics.median(stages)}


def memory(requests: int) -> dict[str, Any]:
    """Megabytes of the sidecar as requests add up."""
    port, done, seen = free_port(), 0, []
    with running([*SERVERS["the shipped model"], str(port)], f"http://127.0.0.1:{port}/healthz") as pid:
        while done < requests:
            for kind in (JSON, BINARY):
                done += run_load(_infer(port), connections=16, seconds=8, content_type=kind).requests
            seen.append({"requests": done, "megabytes": round(resident_megabytes(pid), 1)})
            _progress(f"{done} requests, {seen[-1]['megabytes']} MB")
    return {"after_first_rounds": seen[0], "at_the_end": seen[-1]}


def scrape() -> dict[str, float]:
    """Bytes and time of a scrape."""
    port = free_port()
    with running([*SERVERS["the shipped model"], str(port)], f"http://127.0.0.1:{port}/healthz"):
        for kind in (JSON, BINARY):
            run_load(_infer(port), connections=4, seconds=1, content_type=kind)
        plain, packed = _get(port, "identity"), _get(port, "gzip")
        times = [_seconds(lambda: _get(port, "gzip")) for _ in range(50)]
    return {"plain_bytes": len(plain), "gzip_bytes": len(packed), "median_ms": 1e3 * statistics.median(times)}


def as_text(report: dict[str, Any]) -> str:
    """The report as plain text, each figure with its unit."""
    bare_ms = statistics.median(row["cpu_ms_per_window"] for row in report["bare session"] if row["threads"] == 1)
    lines = [f"bare session: {bare_ms:.3f} ms of CPU a window"]
    lines += [
        f"  {row['threads']} threads: {row['windows_per_second']:.0f} windows/s" for row in report["bare session"]
    ]
    lines.append(f"{'server':24} {'encoding':26} conns  CPU ms  share of bare  req/s   p50 ms  p99 ms  failed")
    for row in report["serving"]:
        share = f"{bare_ms / row['cpu_ms']:.2f}" if row["server"] == "the shipped model" else "-"
        lines.append(
            f"{row['server']:24} {row['encoding']:26} {row['connections']:5}  {row['cpu_ms']:6.3f}  {share:>13}"
            f"  {row['rate']:6.0f}  {row['p50_ms']:6.2f}  {row['p99_ms']:6.2f}  {row['failures']:6.0f}"
        )
    metrics, memory_, scraped = report["metrics"], report["memory"], report["scrape"]
    lines.append(f"metrics: {metrics['http_middleware_us']:.1f} µs around HTTP, {metrics['inside_us']:.1f} µs inside")
    first, last = memory_["after_first_rounds"], memory_["at_the_end"]
    lines.append(
        f"memory: {first['megabytes']} MB after {first['requests']} requests, "
        f"{last['megabytes']} MB after {last['requests']}"
    )
    lines.append(
        f"scrape: {scraped['plain_bytes']} bytes, {scraped['gzip_bytes']} packed, {scraped['median_ms']:.1f} ms"
    )
    return "\n".join(lines)


async def _empty(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class _Route:
    path = "/infer"


def _microseconds_of(app: Callable[[Scope, Receive, Send], Any], count: int = 20_000) -> float:
    async def nothing() -> Message:
        raise AssertionError

    async def swallow(message: Message) -> None:
        del message

    async def ask() -> float:
        started = time.thread_time()
        for _ in range(count):
            await app({"type": "http", "method": "POST", "path": "/infer", "route": _Route}, nothing, swallow)
        return time.thread_time() - started

    return 1e6 * asyncio.run(ask()) / count


def _observe(inside: SidecarInstruments) -> None:
    """The metrics that one answered window updates."""
    inside.observe_queue(0.00003)
    inside.observe_decode(0.00004)
    inside.observe_preprocess(0.00001)
    inside.observe_execute(0.0002)
    inside.observe_postprocess(0.00005)
    inside.batch_size.observe(1)
    inside.count_inference["success"]()


def _microseconds(action: Callable[[], object], count: int = 20_000) -> float:
    started = time.thread_time()
    for _ in range(count):
        action()
    return 1e6 * (time.thread_time() - started) / count


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def _infer(port: int) -> str:
    return f"http://127.0.0.1:{port}/infer"


def _get(port: int, encoding: str) -> bytes:
    headers = {"Accept-Encoding": encoding, "Accept": "application/openmetrics-text;version=1.0.0,text/plain"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        body: bytes = answer.read()
        return body


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
