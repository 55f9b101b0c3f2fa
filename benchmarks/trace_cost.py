"""What traces cost the gateway and the sidecar: CPU time per request with traces off, for 1 % and for all, in one run.

Run as `python -m benchmarks.trace_cost`; three minutes. Pairs of processes with each setting alternate, so that what
else the machine does hits all alike; the collector is a server that takes everything. CPU time is from /proc.
"""

import http.client
import json
import os
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import repeat

from benchmarks.processes import cpu_seconds
from edgeinfer.sidecar.accounting import Call
from edgeinfer.sidecar.exchange import Arrived, request_id_for
from edgeinfer.web.request_id import request_id_of
from edgeinfer.web.trace_context import current_trace
from tests.end_to_end.service_process import ServiceProcess
from tests.web.otlp_receiver import OtlpReceiver
from tools.fuzz_services import samples

_ROUNDS = 12
_REQUESTS = 300
_SHARES = {"off": None, "1 %": "0.01", "all": "1"}
_BODY = json.dumps({"samples": samples(100)}).encode()


def main() -> None:
    """Print both tables."""
    switched_off()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        receiver = stack.enter_context(OtlpReceiver())
        pairs = {name: _pair(stack, folder, receiver.url, share) for name, share in _SHARES.items()}
        costs = measure(pairs)
        exported = len(receiver.spans)
    print("\n| traces | gateway, CPU µs per request | sidecar, CPU µs per window |\n|---|---:|---:|")
    for name, (gateway, sidecar) in costs.items():
        print(f"| {name} | {gateway:.0f} | {sidecar:.0f} |")
    print(f"{exported} spans exported")


def switched_off() -> None:
    """Nanoseconds that a request pays for the possibility of traces, where they are off."""
    request = Arrived(0.0, {b"x-request-id": b"phone-1", b"content-type": b"application/json"}, b"", lambda: False)
    before = _nanoseconds(lambda: request_id_of(request.headers.get(b"x-request-id", b"")))
    now = _nanoseconds(lambda: Call(request, "/infer", request_id_for(request.headers)))
    looks = _nanoseconds(lambda: current_trace.get() is None)
    print(f"off, sidecar: {now - before:.0f} ns a request; gateway: {4 * looks:.0f} ns for four looks at the context")


def _nanoseconds(action: Callable[[], object]) -> float:
    return min(repeat(action, number=2000, repeat=60)) / 2000 * 1e9  # short runs: some find the core free


def _pair(stack: ExitStack, folder: Path, collector: str, share: str | None) -> tuple[ServiceProcess, ServiceProcess]:
    environment = {"PATH": os.environ["PATH"]}
    if share is not None:
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
        environment |= {"OTEL_TRACES_SAMPLER_ARG": share}
    log = folder / "services.log"
    sidecar = stack.enter_context(ServiceProcess("sidecar", log=log, environment=environment))
    url = f"{sidecar.url}/infer"
    gateway = stack.enter_context(ServiceProcess("gateway", "--backend-url", url, log=log, environment=environment))
    return gateway, sidecar


def measure(pairs: dict[str, tuple[ServiceProcess, ServiceProcess]]) -> dict[str, tuple[float, float]]:
    """Microseconds of gateway and sidecar per request, the median of all rounds."""
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in pairs}
    connections = {name: http.client.HTTPConnection("127.0.0.1", gateway.port) for name, (gateway, _) in pairs.items()}
    for _ in range(_ROUNDS):
        for name, processes in pairs.items():
            before = [cpu_seconds(process.pid) for process in processes]
            for _ in range(_REQUESTS):
                _ask(connections[name])
            used = [cpu_seconds(process.pid) - one for process, one in zip(processes, before, strict=True)]
            rounds[name].append((used[0] / _REQUESTS * 1e6, used[1] / _REQUESTS * 1e6))
    return {
        name: (statistics.median(one for one, _ in values), statistics.median(other for _, other in values))
        for name, values in rounds.items()
    }


def _ask(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/api/v1/analysis/process", _BODY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(content[:300])


if __name__ == "__main__":
    main()
