"""A fleet on loopback: Debian's VictoriaMetrics and vmalert at the centre, a real Prometheus on each device."""

import http.client
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from edgeinfer.cli._config_fleet_device import without_rules
from edgeinfer.monitoring.fleet import rules
from edgeinfer.monitoring.fleet.identity import Identity
from edgeinfer.monitoring.fleet.sending import AGENT_KEEPS, SERVER_KEEPS, Certificates, remote_write
from edgeinfer.monitoring.scrape import prometheus_configuration
from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder, find_all, require
from edgeinfer.stack.ports import PortPool
from tests.end_to_end.running_stack import until

_FETCHED = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "edgeinfer" / "fleet" / "usr"
_PLACES = os.pathsep.join(("/usr/sbin", str(_FETCHED / "bin"), str(_FETCHED / "sbin")))


def program(name: str) -> str | None:
    """On PATH, or where tools/setup_fleet.sh left it."""
    return shutil.which(name) or shutil.which(name, path=_PLACES)


def _knows(command: str, setting: str) -> bool:
    said = subprocess.run([command, "-help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return setting in said.stdout


class Services(BaseHTTPRequestHandler):
    """Stands for gateway and sidecar: 20 requests a second, and two hundred series that nobody keeps."""

    began = time.monotonic()

    def do_GET(self) -> None:
        done = int((time.monotonic() - self.began) * 20)
        lines = [
            f'hailo_inference_requests_total{{operation="process",status="success"}} {done}',
            f'hailo_inference_duration_seconds_bucket{{operation="process",le="0.05"}} {done // 2}',
            f'hailo_inference_duration_seconds_bucket{{operation="process",le="0.1"}} {done}',
            f'hailo_inference_duration_seconds_bucket{{operation="process",le="+Inf"}} {done}',
            'edgeinfer_build_info{version="0.1.0"} 1',
            *(f'chatter{{number="{number}"}} 1' for number in range(200)),
        ]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Say nothing."""


class Fleet:
    """The centre and its devices; `close` ends every process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        port, alert_port = PortPool().take(2)
        self._port = port
        self.centre, self.vmalert = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{alert_port}"
        server = self._stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Services))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._stack.callback(server.shutdown)
        self._services = f"127.0.0.1:{server.server_port}"
        self.start_centre()
        path = folder / "centre.yml"
        path.write_text(rules.centre_file(silent="8s", clash="15s", hold="2s", interval_seconds=1), encoding="utf-8")
        addresses = (f"-{kind}={self.centre}" for kind in ("datasource.url", "remoteWrite.url", "remoteRead.url"))
        options = (
            f"-rule={path}",
            *addresses,
            "-notifier.url=http://127.0.0.1:9",
            f"-httpListenAddr=127.0.0.1:{alert_port}",
        )
        vmalert = str(program("vmalert"))
        # What compose ships, in proportion; 1.79 has neither the setting nor the delay.
        delay = ("-rule.evalDelay=1s",) if _knows(vmalert, "-rule.evalDelay") else ()
        self._start("vmalert", vmalert, *options, "-evaluationInterval=1s", *delay)

    def start_centre(self) -> None:
        """VictoriaMetrics on the same data and port as before."""
        options = (f"-storageDataPath={self._folder / 'centre'}", f"-httpListenAddr=127.0.0.1:{self._port}")
        self._start("centre", str(program("victoria-metrics")), *options, "-search.latencyOffset=1s")
        assert until(lambda: _answers(f"{self.centre}/health"), 15)

    def start_device(
        self,
        name: str,
        *,
        called: str = "",
        agent: bool = False,
        centre: str = "",
        certificates: Certificates | None = None,
    ) -> str:
        """A Prometheus that scrapes the services each second and sends, to the centre itself or to another address.

        Returns its own address.
        """
        port = PortPool().take(1)[0]
        folder = self._folder / name
        folder.mkdir()
        (folder / "device.yml").write_text(yaml.safe_dump({"groups": rules.device_rules(interval_seconds=1)}), "utf-8")
        written = prometheus_configuration(
            targets={"edge-infer": [self._services], "prometheus": [f"127.0.0.1:{port}"]},
            alertmanagers=[],
            rule_files=[str(folder / "device.yml")],
            scrape_interval_seconds=1,
            external_labels=Identity("lab", called or name).labels,
            remote_write=remote_write(
                f"{centre or self.centre}/api/v1/write",
                certificates=certificates,
                keep=AGENT_KEEPS if agent else SERVER_KEEPS,
                deadline="1s",
                backoff="1s",
            ),
        )
        # On a device it always has this address, so nothing but the name distinguishes two agents.
        written = written.replace(
            f"- 127.0.0.1:{port}\n", f"- 127.0.0.1:{port}\n    labels: {{instance: 'localhost:9090'}}\n"
        )
        (folder / "prometheus.yml").write_text(without_rules(written) if agent else written, encoding="utf-8")
        binary = require(find_all(cache_folder(StackSettings.from_environment().cache_home)), Program.PROMETHEUS)
        # Prometheus 3 has made a flag of the feature.
        mode = "--enable-feature=agent" if binary.version.startswith("2.") else "--agent"
        storage = (mode, f"--storage.agent.path={folder / 'data'}")
        self._start(
            name,
            str(binary.path),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.remote.flush-deadline=2s",
            *(storage if agent else (f"--storage.tsdb.path={folder / 'data'}",)),
        )
        return f"http://127.0.0.1:{port}"

    def start_proxy(self, configuration: Path) -> None:
        """nginx, in the foreground."""
        options = ("-c", str(configuration), "-e", "stderr", "-g", "daemon off;")
        self._start("proxy", str(program("nginx")), *options)

    def stop(self, name: str) -> None:
        """End one process and wait for it."""
        process = self._processes.pop(name)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """What the centre says."""
        found: list[dict[str, Any]] = _json(f"{self.centre}/api/v1/query", query=expression)["data"]["result"]
        return found

    def times(self, selector: str, since: float) -> list[float]:
        """When each sample of a series was taken, in seconds."""
        lines = _get(f"{self.centre}/api/v1/export", **{"match[]": selector, "start": str(since)}).decode().splitlines()
        return sorted(moment / 1000 for line in lines for moment in json.loads(line)["timestamps"])

    def firing(self, name: str) -> set[str]:
        """Devices for which vmalert fires this alert."""
        alerts = _json(f"{self.vmalert}/api/v1/alerts")["data"]["alerts"] or []
        return {one["labels"]["device"] for one in alerts if one["name"] == name and one["state"] == "firing"}

    def close(self) -> None:
        """End everything; the centre last, for a Prometheus that ends first sends what it has."""
        for name in sorted(self._processes, key=lambda name: name in {"centre", "vmalert", "proxy"}):
            self.stop(name)
        self._stack.close()

    def _start(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log)


def _get(url: str, **parameters: str) -> bytes:
    """The body of an answer of 200."""
    asked = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(asked.netloc, timeout=10)
    try:
        connection.request("GET", f"{asked.path}?{urllib.parse.urlencode(parameters)}")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ConnectionError(f"{url}: {answer.status} {body[:200]!r}")
    return body


def _json(url: str, **parameters: str) -> Any:
    return json.loads(_get(url, **parameters))


def _answers(url: str) -> bool:
    try:
        return bool(_get(url))
    except OSError:
        return False


def eventually(condition: Callable[[], object], seconds: float = 30) -> bool:
    """Whether it becomes true in time."""
    return bool(until(lambda: bool(condition()), seconds))
