"""One request's trace across phone, gateway and sidecar, through a real collector, checked and drawn.

`python -m tools.trace_proof` starts the sidecar and the gateway, both exporting to Rotel (its environment is made by
benchmarks/peers/setup.sh rotel), which forwards to this program; a phone's request carries `traceparent`. It ends with
1 where the spans of a request are not one tree, or parts of the shortest do not add up. `--picture FILE` draws it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

from edgeinfer.stack.ports import PortPool
from edgeinfer.web.trace_context import new_span_id, new_trace_id
from tests.end_to_end.service_process import ServiceProcess
from tests.web.otlp_receiver import OtlpReceiver
from tools.fuzz_services import samples

_ROOT = Path(__file__).parents[1]
_ROTEL = ".benchmarks/peers/rotel/lib/python3.11/site-packages/rotel/rotel-agent"
_WAIT_SECONDS = 30.0
_SPANS = 12  # six of the gateway, six of the sidecar
_REQUESTS = 20
_TOLERANCE_SECONDS = 20e-6
_PATH = "/api/v1/analysis/process"
_COLORS = {"gateway": "#3274d9", "sidecar": "#37872d", "network": "#b877d9"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One span, as the collector passed it on.

    Args:
        name: of it.
        service: that made it.
        depth: below the phone's span.
        begin: in seconds after the phone's request began at the gateway.
        seconds: that it took.
        below: seconds of the spans below it; None where there are none.
    """

    name: str
    service: str
    depth: int
    begin: float
    seconds: float
    below: float | None


@contextmanager
def rotel(forward_to: str, log: Path) -> Iterator[str]:
    """A collector that passes everything on; gives its address."""
    binary = _ROOT / _ROTEL
    if not binary.exists():
        raise SystemExit("no Rotel here: run benchmarks/peers/setup.sh rotel")
    http, grpc = PortPool().take(2)
    command = [str(binary), "start", "--otlp-http-endpoint", f"127.0.0.1:{http}"]
    command += ["--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--exporter", "otlp", "--otlp-exporter-protocol", "http"]
    command += ["--otlp-exporter-endpoint", forward_to, "--batch-timeout", "200ms"]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=log.parent)
    try:
        yield f"http://127.0.0.1:{http}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def ask(gateway: ServiceProcess, trace_id: str, span_id: str) -> None:
    """Put one window to the gateway, as a phone that wants to be traced."""
    request = urllib.request.Request(gateway.url + _PATH, json.dumps({"samples": samples(100)}).encode())  # noqa: S310 - loopback
    request.add_header("Content-Type", "application/json")
    request.add_header("traceparent", f"00-{trace_id}-{span_id}-01")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        document = json.load(answer)
    if document["source"] != "sidecar" or document["requestId"] != trace_id:
        raise SystemExit(f"the sidecar did not answer, or the request id is not the trace's: {document}")


def read(receiver: OtlpReceiver, trace_id: str, phone: str) -> list[Seen]:
    """The tree below the phone's span, depth first."""
    tree = receiver.tree(trace_id)
    spans = sum(map(len, tree.values()))
    (root,) = tree[phone]
    found: list[Seen] = []

    def visit(span: Any, depth: int, service: str) -> None:
        service = "sidecar" if span.name == "POST /infer" else service
        children = sorted(tree.get(span.span_id.hex(), []), key=lambda child: child.start_time_unix_nano)
        below = sum(map(_seconds, children)) if children else None
        begin = (span.start_time_unix_nano - root.start_time_unix_nano) / 1e9
        found.append(Seen(span.name, service, depth, begin, _seconds(span), below))
        for child in children:
            visit(child, depth + 1, service)

    visit(root, 0, "gateway")
    if len(found) != spans:
        raise SystemExit(f"{spans} spans, of which {len(found)} are one tree")
    return found


def _seconds(span: Any) -> float:
    return float(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9


def draw(spans: list[Seen]) -> str:
    """The trace as a picture."""
    row, left, width = 26, 250, 640
    scale = width / spans[0].seconds
    height = row * len(spans) + 60
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 90} {height}">',
        "<style>text {font: 13px sans-serif}</style>",
        f'<rect width="{left + width + 90}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="24" font-size="15">One request of a phone: gateway, network, sidecar</text>',
    ]
    for number, span in enumerate(spans):
        y = 42 + number * row
        color = _COLORS["network" if span.name == "network" else span.service]
        x, size = left + span.begin * scale, max(1.5, span.seconds * scale)
        lines += [
            f'<text x="{12 + 16 * span.depth}" y="{y + 15}" fill="#222">{span.name}</text>',
            f'<rect x="{x:.1f}" y="{y + 2}" width="{size:.1f}" height="{row - 8}" rx="2" fill="{color}"/>',
            f'<text x="{x + size + 5:.1f}" y="{y + 15}" fill="#444">{span.seconds * 1e3:.3f} ms</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def run(folder: Path) -> list[Seen]:
    """Have one request traced, and read what came out of the collector."""
    asked = [(new_trace_id(), new_span_id()) for _ in range(_REQUESTS)]
    with OtlpReceiver() as receiver, rotel(receiver.url, folder / "rotel.log") as collector:
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        sampled = {"OTEL_TRACES_SAMPLER": "parentbased_always_off", "PATH": os.environ["PATH"]}
        environment = traced | sampled
        with (
            ServiceProcess("sidecar", log=folder / "sidecar.log", environment=environment) as sidecar,
            ServiceProcess(
                "gateway", "--backend-url", f"{sidecar.url}/infer", log=folder / "gateway.log", environment=environment
            ) as gateway,
        ):
            for trace_id, phone in asked:
                ask(gateway, trace_id, phone)
            until = monotonic() + _WAIT_SECONDS
            while len(receiver.spans) < _SPANS * _REQUESTS:
                if monotonic() > until:
                    raise SystemExit(f"{len(receiver.spans)} spans came: {(folder / 'rotel.log').read_text()[-1500:]}")
                sleep(0.05)
        traces = [read(receiver, trace_id, phone) for trace_id, phone in asked]
    # A busy machine stretches the shortest of them least.
    return min(traces, key=lambda spans: spans[0].seconds)


def main() -> None:
    """Print the tree; the exit code says whether its parts add up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="Draw the trace into this SVG file.")
    picture: Path | None = parser.parse_args().picture
    with TemporaryDirectory() as folder:
        spans = run(Path(folder))
    failed = False
    for span in spans:
        # A call is the network and the sidecar's own span, whose clock is read by another process.
        differs = span.below is not None and abs(span.below - span.seconds) > _TOLERANCE_SECONDS + 0.01 * span.seconds
        failed |= differs
        note = "" if span.below is None else f"   parts {span.below * 1e3:.3f} ms" + (" DIFFERS" if differs else "")
        print(f"{'  ' * span.depth}{span.name:<{44 - 2 * span.depth}}{span.seconds * 1e3:8.3f} ms{note}")
    if picture is not None:
        picture.write_text(draw(spans))
    sys.exit(failed)


if __name__ == "__main__":
    main()
