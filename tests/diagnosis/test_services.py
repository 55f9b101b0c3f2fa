"""What doctor says of services that no record names: systemd's, and those of another user."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgeinfer.diagnosis.services import Services, look_at_services
from edgeinfer.diagnostics import Verdict
from edgeinfer.monitoring.causes.commands import Way
from edgeinfer.settings import StackSettings
from edgeinfer.stack.ports import PortPool

# What a gateway, a sidecar and an exporter export of themselves, a console, a Prometheus and an Alertmanager answer.
OURS = {
    "/metrics": b"edgeinfer_build_info 1\nhailo_sidecar_build_info 1\nhailo_exporter_build_info 1\n",
    "/healthz": b"OK",
    "/api/v1/status/buildinfo": b'{"goVersion": ""}',
    "/api/v2/status": b'{"versionInfo": {}}',
}
PROCESSES = ("gateway", "sidecar", "exporter", "console", "prometheus", "alertmanager")


@contextmanager
def answering(pages: dict[str, bytes]) -> Iterator[int]:
    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path, b"another program")
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the original
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def settings(ports: dict[str, int]) -> StackSettings:
    """Each process on its port; the others on ports where nobody listens."""
    free = PortPool().take(len(PROCESSES))
    given = {f"{process}_port": ports.get(process, free[at]) for at, process in enumerate(PROCESSES)}
    return StackSettings.from_environment({}, **given)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/edgeinfer").mkdir()
    (tmp_path / "etc/systemd/system/edgeinfer-gateway.service").touch()
    return tmp_path / "etc"


def look(found: StackSettings, machine: Path) -> Services:
    return look_at_services(found, machine / "none", machine)


def test_services_of_systemd_are_up_and_their_ports_are_theirs(machine: Path) -> None:
    with answering(OURS) as port:
        services = look(settings(dict.fromkeys(PROCESSES, port)), machine)
    [stack] = services.diagnostics()
    assert (stack.verdict, services.way) == (Verdict.OK, Way.SYSTEMD)
    assert stack.message.startswith(f"systemd runs it; up: gateway 127.0.0.1:{port}, sidecar ")
    assert services.listeners[port].endswith("that systemd runs answers there")


def test_a_service_of_systemd_that_does_not_answer_is_broken_with_the_command_that_says_why(machine: Path) -> None:
    with answering(OURS) as port, answering({}) as foreign:
        ports = dict.fromkeys(PROCESSES, port) | {"sidecar": foreign}
        del ports["console"]
        stack, *broken = look(settings(ports), machine).diagnostics()
    assert "sidecar" not in stack.message
    assert [(one.subject, one.verdict, one.remedy) for one in broken] == [
        ("sidecar", Verdict.BROKEN, "systemctl status edgeinfer-sidecar"),
        ("console", Verdict.BROKEN, "systemctl status edgeinfer-console"),
    ]
    assert "a program that is not the sidecar" in broken[0].message
    assert "nobody listens at" in broken[1].message


def test_the_units_own_settings_say_where_a_service_is(machine: Path) -> None:
    with answering(OURS) as port:
        (machine / "edgeinfer/gateway.env").write_text(f'# ours\nEDGEINFER_GATEWAY_PORT="{port}"\nLOG_LEVEL=info\n')
        services = look(settings({}), machine)
    assert [place.process for place in services.up] == ["gateway"]
    assert services.ports["gateway_port"] == port


def test_a_stack_of_another_user_is_a_note(tmp_path: Path) -> None:
    with answering(OURS) as port:
        services = look(settings({"gateway": port}), tmp_path)
    [stack] = services.diagnostics()
    assert stack.verdict is Verdict.NOTE
    assert f"gateway 127.0.0.1:{port}" in stack.message
    assert "--help" in stack.remedy
    assert "whose record this user cannot read" in services.listeners[port]


def test_a_program_that_is_not_ours_is_no_stack(tmp_path: Path) -> None:
    with answering({}) as port:
        services = look(settings({"gateway": port}), tmp_path)
    [stack] = services.diagnostics()
    assert (stack.verdict, stack.message, services.listeners) == (Verdict.NOTE, "none runs", {})
