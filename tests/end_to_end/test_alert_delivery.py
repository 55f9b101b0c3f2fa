"""The real Alertmanager notifies the people whom the settings name, and holds back what a cause explains."""

import asyncio
import json
import quopri
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer, ThreadingTCPServer
from threading import Thread
from typing import Any

import aiohttp
import pytest

from chaos.time_compression import compress_notification_times
from edgeinfer.cli._config_alertmanager import outside
from edgeinfer.console.alertmanager import Alertmanager
from edgeinfer.console.diagnosis_alert import DiagnosisAlert
from edgeinfer.monitoring.alerting import alertmanager_configuration
from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.settings import AlertingSettings, StackSettings
from edgeinfer.stack.binaries import Program, cache_folder, find_all, require
from edgeinfer.stack.ports import PortPool
from tests.end_to_end.running_stack import until

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

_HURRIED = 20
_MACHINE = {"site": "local", "device": "local"}


@dataclass(slots=True)
class Heard:
    """What arrived: mails as text, notifications by path with their authorization."""

    mails: list[str] = field(default_factory=list)
    posts: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def names(self, path: str) -> set[str]:
        """Alerts that were reported at a path."""
        return {one["labels"]["alertname"] for at, _, body in self.posts if at == path for one in body["alerts"]}


def _mail_handler(heard: Heard) -> type[StreamRequestHandler]:
    class Mail(StreamRequestHandler):
        """As much of SMTP as one mail needs."""

        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while word := self.rfile.readline().strip().upper():
                if word == b"DATA":
                    self.wfile.write(b"354 continue\r\n")
                    heard.mails.append(self._text())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")

        def _text(self) -> str:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line.decode())
            return "".join(lines)

    return Mail


def _hook_handler(heard: Heard) -> type[BaseHTTPRequestHandler]:
    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.posts.append((self.path, self.headers.get("Authorization", ""), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Hook


@contextmanager
def _serving(make: Callable[[], TCPServer]) -> Iterator[int]:
    with make() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@dataclass(frozen=True, slots=True)
class Station:
    """Alertmanager and those who hear of it."""

    address: str
    heard: Heard

    def fire(self, *names: str) -> None:
        """As Prometheus would, with the labels of the entries."""
        entries = {alert.name: alert for alert in all_alerts()}
        body = [
            {"labels": entries[name].labels | _MACHINE | {"alertname": name}, "annotations": entries[name].annotations}
            for name in names
        ]
        self._ask("/api/v2/alerts", json.dumps(body).encode())

    def states(self) -> dict[str, str]:
        """Each alert's state: active, or suppressed by another."""
        return {one["labels"]["alertname"]: one["status"]["state"] for one in self._ask("/api/v2/alerts")}

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            self._ask("/api/v2/status")
        except OSError:
            return False
        return True

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.address + path, body, {"Content-Type": "application/json"})  # noqa: S310  # loopback
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # loopback
            return json.loads(answer.read() or b"null")


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    folder, heard = tmp_path, Heard()
    (folder / "token").write_text("tk_secret", encoding="utf-8")
    with ExitStack() as opened:
        hooks = opened.enter_context(_serving(lambda: ThreadingHTTPServer(("127.0.0.1", 0), _hook_handler(heard))))
        mails = opened.enter_context(_serving(lambda: ThreadingTCPServer(("127.0.0.1", 0), _mail_handler(heard))))
        environment = {
            "EDGEINFER_ALERT_WEBHOOK_URL": f"http://127.0.0.1:{hooks}/mine",
            "EDGEINFER_ALERT_NTFY_URL": f"http://127.0.0.1:{hooks}/topic",
            "EDGEINFER_ALERT_NTFY_TOKEN_FILE": str(folder / "token"),
            "EDGEINFER_ALERT_EMAIL_TO": "you@example.org",
            "EDGEINFER_ALERT_EMAIL_FROM": "edge@example.org",
            "EDGEINFER_ALERT_SMTP_SMARTHOST": f"127.0.0.1:{mails}",
            "EDGEINFER_ALERT_SMTP_TLS": "false",
        }
        text = alertmanager_configuration(
            local_url=f"http://127.0.0.1:{hooks}/local",
            outside=outside(AlertingSettings.from_environment(environment)),
        )
        with _alertmanager(folder, compress_notification_times(text, _HURRIED)) as address:
            running = Station(address, heard)
            assert until(running.is_ready, 30)
            yield running


@contextmanager
def _alertmanager(folder: Path, configuration: str) -> Iterator[str]:
    path, port = folder / "alertmanager.yml", PortPool().take(1)[0]
    path.write_text(configuration, encoding="utf-8")
    binaries = find_all(cache_folder(StackSettings.from_environment({}).cache_home.expanduser()))
    binary = require(binaries, Program.ALERTMANAGER)
    command = [
        str(binary.path),
        f"--config.file={path}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, cwd=binary.folder, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()
            running.wait(20)


def test_a_page_arrives_by_webhook_ntfy_and_mail_and_a_ticket_stays_here(station: Station) -> None:
    station.fire("HailoThermalStreamAbort", "HailoCpuBusy")
    heard = station.heard
    assert until(lambda: {"HailoThermalStreamAbort", "HailoCpuBusy"} <= heard.names("/local"), 30)
    assert until(lambda: bool(heard.mails) and bool(heard.names("/mine")), 30)
    assert until(lambda: "HailoThermalStreamAbort" in heard.names("/topic?template=alertmanager"), 30)
    assert "HailoThermalStreamAbort" in heard.mails[0]
    assert "To: you@example.org" in heard.mails[0]
    assert {token for path, token, _ in heard.posts if path.startswith("/topic")} == {"Bearer tk_secret"}
    # By now a ticket would have been sent as well.
    time.sleep(2)
    reported = " ".join(heard.mails) + str([body for path, _, body in heard.posts if path != "/local"])
    assert "HailoCpuBusy" not in reported


def test_the_diagnosis_arrives_by_every_way_with_a_link_to_the_incident(station: Station) -> None:
    diagnosis = {
        "verdict": "found",
        "headline": "The sidecar does not get the memory that it needs",
        "findings": [{"name": "sidecar-out-of-memory", "evidence": ["its log says 'MemoryError'"]}],
        "possible": [],
    }

    async def diagnose() -> dict[str, Any]:
        return diagnosis

    async def publish() -> None:
        async with aiohttp.ClientSession() as http:
            alert = DiagnosisAlert(Alertmanager(http, station.address), diagnose, "http://pi.local:8088", time.time, 1)
            labels = {"alertname": "HailoSidecarDown", **_MACHINE}
            since = "2026-11-30T03:10:00.000Z"
            alert.hear([{"alert": "", "status": "firing", "severity": "critical", "labels": labels, "since": since}])
            while not all(arrived()):  # noqa: ASYNC110 - the receivers set no Event
                await asyncio.sleep(0.1)
            await alert.close()

    def arrived() -> tuple[bool, ...]:
        names = (station.heard.names(path) for path in ("/local", "/mine", "/topic?template=alertmanager"))
        return (*("EdgeInferDiagnosis" in one for one in names), any("EdgeInferDiagnosis" in m for m in mails()))

    def mails() -> list[str]:
        return [quopri.decodestring(one.encode()).decode("utf-8", "replace") for one in station.heard.mails]

    asyncio.run(asyncio.wait_for(publish(), 60))
    [mine] = [one for at, _, body in station.heard.posts if at == "/mine" for one in body["alerts"]][:1]
    assert mine["annotations"]["summary"] == "The sidecar does not get the memory that it needs."
    assert mine["annotations"]["incident_url"].startswith("http://pi.local:8088/incidents/")
    mail = next(one for one in mails() if "EdgeInferDiagnosis" in one)
    assert "The sidecar does not get the memory that it needs." in mail
    assert mine["annotations"]["incident_url"] in mail


def test_a_cause_holds_back_its_symptom(station: Station) -> None:
    station.fire("HailoSidecarDown", "EdgeInferFallingBack", "HailoTemperatureHigh")
    assert until(lambda: station.states().get("EdgeInferFallingBack") == "suppressed", 30)
    states = station.states()
    assert (states["HailoSidecarDown"], states["HailoTemperatureHigh"]) == ("active", "active")
