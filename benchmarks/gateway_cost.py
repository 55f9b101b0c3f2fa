"""What the gateway costs: metrics per request, the durable 202, end to end against the sidecar alone, memory.

Run as `python -m benchmarks.gateway_cost [REQUESTS]`; REQUESTS (100000) is for the memory part.
Times of this process are the fastest of several rounds, those of servers are CPU time from /proc.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from prometheus_client import CollectorRegistry
from starlette.types import Message, Receive, Scope, Send

from benchmarks import load
from benchmarks.processes import cpu_seconds, free_port, resident_megabytes, running
from edgeinfer.gateway.analysis import InferenceService, _InferenceCall
from edgeinfer.gateway.balance import Balancer, SidecarMember
from edgeinfer.gateway.discovery import Discovery
from edgeinfer.gateway.drift import AnswerBuffer
from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.http_client import HttpTransport
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.outputs import OutputReader, check_outputs
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.sessions import MemorySessions, SessionStore, SessionTable
from edgeinfer.gateway.sidecar_client import SidecarAnswer, SidecarClient
from edgeinfer.gateway.store.files import DiskFiles
from edgeinfer.gateway.transport import parse_target
from edgeinfer.metrics.registry import new_registry
from edgeinfer.web.request_metrics import RequestMetrics

_ROUND_SECONDS = 3.0
_MOTIFS = tuple(f"motif {index}" for index in range(12))


def _fastest(action: Callable[[], object], *, rounds: int = 20, times: int = 500) -> float:
    """Microseconds per call, in the fastest repetition."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(times):
            action()
        best = min(best, (time.perf_counter() - started) / times)
    return best * 1e6


def measure_metrics() -> None:
    """What an analysed request adds: the call's metrics, drift and exemplar choice, and the HTTP pair."""
    registry: CollectorRegistry = new_registry()
    instruments = GatewayInstruments(registry, motifs=_MOTIFS, sidecars=("a",))
    reader = OutputReader(64, 12)
    target = parse_target("http://a/infer")
    client = SidecarClient("a", HttpTransport(target), reader, Discovery(target, reader, model="a", encoding="binary"))
    member = SidecarMember(client, instruments.sidecars["a"], failures=5, open_seconds=1.0, clock=time.perf_counter)
    drift = AnswerBuffer(64, clock=time.perf_counter)
    service = InferenceService(
        balancer=Balancer([member]), fallback=None, reader=reader, instruments=instruments, drift=drift
    )
    scores = np.full(12, 1 / 12, np.float32)
    answer = SidecarAnswer(check_outputs(np.full(64, 0.2, np.float32), scores, "cpu"), 0.0003)
    question = _InferenceCall(np.zeros((100, 9), np.float32), "process", "r", instruments.operations["process"])
    per_call = _fastest(lambda: service._count_success(member, question, answer, 0.0007))  # noqa: SLF001 - the part that is measured
    rest = _fastest(question.counted.analyses["sidecar"].inc)
    http = _middleware_microseconds(instruments)
    print(f"metrics of a call {per_call:.1f} us, source {rest:.1f} us, HTTP middleware {http:.1f} us")
    print(f"metrics of a request in all {per_call + rest + http:.1f} us")


def _middleware_microseconds(instruments: GatewayInstruments) -> float:
    class Route:
        path = load.PROCESS

    async def inside(scope: Scope, _: Receive, send: Send) -> None:
        scope["route"] = Route
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_: Message) -> None:
        return None

    counted = RequestMetrics(inside, instruments.http_requests, instruments.http_duration)

    def drive(app: Callable[[Scope, Receive, Send], object]) -> None:
        scope = {"type": "http", "method": "POST"}
        _run_without_loop(app(scope, receive, send))

    return _fastest(lambda: drive(counted)) - _fastest(lambda: drive(inside))


def _run_without_loop(coroutine: object) -> None:
    """Run a coroutine that never waits, without a loop."""
    try:
        coroutine.send(None)  # type: ignore[attr-defined]  # a coroutine, as only this file calls it
    except StopIteration:
        return


def measure_store() -> None:
    """The durable 202 against memory: one phone, and 16 at once."""
    for kind in ("memory", "normal", "bounded", "full"):
        for phones in (1, 16):
            asyncio.run(_measure_appends(kind, phones))


async def _measure_appends(kind: str, phones: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        instruments = GatewayInstruments(new_registry(), motifs=_MOTIFS, sidecars=())
        table = SessionTable(instruments.sessions)
        store: MemorySessions | DurableSessions = MemorySessions(table)
        if kind != "memory":
            store = DurableSessions(table, DiskFiles(Path(folder)), instruments.store, durability=kind)
        store.open()
        waits: list[float] = []
        cpu, started = time.process_time(), time.perf_counter()
        await asyncio.gather(*(_phone(store, waits) for _ in range(phones)))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        store.close()
    shared = f", {store.writer.writes / store.writer.commits:.1f} writes a commit" if kind != "memory" else ""
    waits.sort()
    print(
        f"store {kind:6} {phones:2} phones: p50 {waits[len(waits) // 2] * 1e6:6.0f} us, "
        f"{cpu / len(waits) * 1e6:4.0f} us of CPU, {len(waits) / seconds:6.0f} batches/s{shared}"
    )


async def _phone(store: SessionStore, waits: list[float]) -> None:
    session = await store.start()
    for first in range(0, 25 * 300, 25):
        batch = Batch(np.arange(first, first + 25) / 100, np.zeros((25, 9), np.float32))
        started = time.perf_counter()
        await store.append(session.id, "default", batch)
        waits.append(time.perf_counter() - started)


def measure_end_to_end(requests: int) -> None:
    """The gateway in front of the CPU model against that sidecar alone, then memory after many requests."""
    sidecar_port, port = free_port(), free_port()
    sidecar, gateway = f"http://127.0.0.1:{sidecar_port}", f"http://127.0.0.1:{port}"
    argv = ["-m", "edgeinfer", "gateway", "--port", str(port), "--backend-url", sidecar + "/infer"]
    with (
        running(["-m", "edgeinfer", "sidecar", "--port", str(sidecar_port)], sidecar + "/healthz"),
        running(argv, gateway + "/healthz") as pid,
    ):
        for connections in (1, 16):
            _compare(sidecar, gateway, pid, connections)
        _fill(gateway, pid, requests)


def _compare(sidecar: str, gateway: str, pid: int, connections: int) -> None:
    alone = [_load(sidecar + "/infer", connections, load.body_of(load.JSON)) for _ in range(3)]
    before = cpu_seconds(pid)
    through = [_load(gateway + load.PROCESS, connections, load.samples()) for _ in range(3)]
    cpu = (cpu_seconds(pid) - before) / sum(one.requests for one in through) * 1000
    one, other = min(load.p50_ms for load in alone), min(load.p50_ms for load in through)
    failures = sum(load.failures for load in through)
    print(
        f"{connections:2} connections: sidecar p50 {one:.2f} ms, through the gateway {other:.2f} ms "
        f"({other / one:.2f} times), gateway {cpu:.2f} ms of CPU per request, {failures} failures"
    )


def _load(url: str, connections: int, body: bytes) -> load.Load:
    return load.run_load(url, connections=connections, seconds=_ROUND_SECONDS, content_type=load.JSON, body=body)


def _fill(gateway: str, pid: int, requests: int) -> None:
    sent, next_report = 0, requests // 10
    print(f"memory of the gateway after {sent} requests: {resident_megabytes(pid):.1f} MB")
    while sent < requests:
        sent += _load(gateway + load.PROCESS, 16, load.samples()).requests
        report = f"memory of the gateway after {sent} requests: {resident_megabytes(pid):.1f} MB"
        if sent >= next_report:
            print(report)
            next_report += requests // 10
    for encoding in ("identity", "gzip"):
        with httpx.stream("GET", gateway + "/metrics", headers={"Accept-Encoding": encoding}) as answer:
            size = sum(len(chunk) for chunk in answer.iter_raw())
        print(f"scrape, {encoding}: {size} bytes")


def main() -> None:
    """Measure metrics, store and end to end, in this order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", type=int, nargs="?", default=100_000, help="of the memory part (%(default)s)")
    requests = parser.parse_args().requests
    measure_metrics()
    measure_store()
    measure_end_to_end(requests)


if __name__ == "__main__":
    main()
