"""The services that are fuzzed: each as a real process, with valid requests to mutate, and its memory monitored."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from edgeinfer.model.card import default_folder, load_card
from tests.end_to_end.service_process import ServiceProcess
from tools.fuzz_inputs import Good

_CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
_PREFIX = "/api/v1/analysis"
_NOWHERE = "http://127.0.0.1:1"
INFER = Good("POST", "/infer", {"x": [[0.1] * 9] * 100})
_TENSOR = {"name": "window", "shape": [2, 100, 9], "datatype": "FP32", "data": [0.1] * 1800}
_OPEN_INFERENCE_BODY = {"inputs": [_TENSOR], "parameters": {"binary_data_output": True}}
OPEN_INFERENCE = Good("POST", f"/v2/models/{load_card(default_folder()).name}/infer", _OPEN_INFERENCE_BODY)


@dataclass(slots=True)
class Service:
    """One of them.

    Args:
        name: of the command.
        port: on loopback.
        pid: of its process.
        goods: requests that it takes.
        posts: a route that takes a body.
        gets: a route with a large answer.
    """

    name: str
    port: int
    pid: int
    goods: list[Good]
    posts: str
    gets: str
    started_bytes: int = 0
    max_bytes: int = 0

    def begin_watching(self) -> None:
        """What it holds now is its start; the kernel keeps its peak from here on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # proc(5): resets the peak of the resident memory
        self.started_bytes = self.max_bytes = psutil.Process(self.pid).memory_info().rss

    def watch(self) -> None:
        """Update its peak; a process that has exited keeps the last one."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return
        peak = next((line for line in lines if line.startswith("VmHWM:")), None)
        if peak is not None:
            self.max_bytes = max(self.max_bytes, int(peak.split()[1]) * 1024)

    @property
    def grown_bytes(self) -> int:
        """Its peak memory minus its memory at start."""
        return self.max_bytes - self.started_bytes

    @property
    def is_alive(self) -> bool:
        """Whether its process runs; a zombie does not."""
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@contextmanager
def running_services(folder: Path) -> Iterator[dict[str, Service]]:
    """All four, started and ready; the gateway calls the sidecar; the console's Prometheus does not answer."""
    with ExitStack() as stack:

        def start(*words: str) -> ServiceProcess:
            process = ServiceProcess(*words, log=folder / f"{words[0]}.log")
            return stack.enter_context(process)

        sidecar = start("sidecar")
        gateway = start("gateway", "--backend-url", f"{sidecar.url}/infer", "--data-folder", str(folder / "data"))
        console = start("console", "--prometheus", _NOWHERE, "--alertmanager", _NOWHERE)
        exporter = start("exporter")
        services = [
            Service("sidecar", sidecar.port, sidecar.pid, [INFER, OPEN_INFERENCE], "/infer", "/metrics"),
            Service("gateway", gateway.port, gateway.pid, [], f"{_PREFIX}/process", "/openapi.json"),
            Service("console", console.port, console.pid, _CONSOLE, "/hooks/alerts", "/api/dashboards"),
            Service("exporter", exporter.port, exporter.pid, _EXPORTER, "/metrics", "/metrics"),
        ]
        for service in services:
            service.begin_watching()
        yield {service.name: service for service in services}


def samples(count: int) -> list[dict[str, float]]:
    """Constant samples at 100 Hz in the format of the stream API."""
    return [{"t": index / 100, **dict.fromkeys(_CHANNELS, 0.5)} for index in range(count)]


def gateway_goods(session: str) -> list[Good]:
    """What the gateway takes, for a session that is under way."""
    stream: dict[str, Any] = {"sessionId": session, "samples": samples(25), "windowStart": 0, "windowEnd": 1}
    return [
        Good("PUT", f"{_PREFIX}/stream", stream),
        Good("POST", f"{_PREFIX}/process", {"samples": samples(100)}),
        Good("POST", f"{_PREFIX}/stop", {"sessionId": "00000000-0000-4000-8000-000000000000"}),
        Good("POST", f"{_PREFIX}/start", {}),
    ]


_ALERT = {"status": "firing", "labels": {"alertname": "A", "severity": "warning"}, "annotations": {"summary": "s"}}
_CONSOLE = [
    Good("POST", "/hooks/alerts", {"alerts": [_ALERT], "receiver": "console"}),
    Good("POST", "/api/dashboards/edgeinfer-slo/refresh", {"from": "now-1h", "to": "now", "panels": [{"id": 1}]}),
    Good("POST", "/api/silences", {"labels": {"alertname": "A"}, "hours": 1, "comment": "c", "author": "a"}),
    Good("GET", "/api/status"),
    Good("GET", "/api/dashboards"),
]
_EXPORTER = [Good("GET", "/metrics"), Good("GET", "/healthz"), Good("POST", "/metrics", {"x": [1, 2]})]


def process_request() -> bytes:
    """The body of a good analysis."""
    return json.dumps({"samples": samples(100)}).encode()
