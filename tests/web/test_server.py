"""The life of a server process: asked to end, it finishes, and its callers clean up."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeinfer.errors import PortInUse
from edgeinfer.web.server import bind, bind_unix

PROGRAM = """
import sys
from edgeinfer.web.server import bind_unix, serve

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})

from pathlib import Path
try:
    serve(app, [bind_unix(Path(sys.argv[1]))])
finally:
    print("cleaned up", flush=True)
"""


def test_a_server_that_is_asked_to_end_lets_its_callers_clean_up(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True)
    assert b"here" in asked(path)
    server.send_signal(signal.SIGTERM)
    said, _ = server.communicate(timeout=20)
    assert (server.returncode, said) == (0, "cleaned up\n")


@pytest.mark.parametrize("notice", ["NO_DRAIN_PERIOD", "DrainPeriod(lambda: None, 0.2)"])
def test_a_resting_server_sees_a_signal_at_once(tmp_path: Path, notice: str) -> None:
    path = tmp_path / "socket"
    program = PROGRAM.replace("bind_unix, serve", "NO_DRAIN_PERIOD, DrainPeriod, SupervisedServer, bind_unix, serve")
    program = program.replace("\ntry:", "\nSupervisedServer.tick_seconds = 1000\ntry:").replace(
        ")])", f")], notice={notice})"
    )
    server = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert b"here" in asked(path)
    server.send_signal(signal.SIGTERM)
    said, _ = server.communicate(timeout=60)
    assert (server.returncode, said) == (0, "cleaned up\n")


def test_a_stalled_upload_is_answered_when_the_server_ends_and_leaves_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    program = PROGRAM.replace(")])", ")], drain_seconds=1)")
    words = [sys.executable, "-c", program, str(path)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert b"here" in asked(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.sendall(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        server.send_signal(signal.SIGTERM)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    said, stderr = server.communicate(timeout=20)
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b'"error":"overloaded"' in received
    assert (server.returncode, said) == (0, "cleaned up\n")
    assert "Traceback" not in stderr
    assert "graceful" not in stderr


def asked(path: Path) -> bytes:
    for _ in range(1000):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(str(path))
                connection.sendall(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
                return b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            time.sleep(0.01)
    raise AssertionError("the server does not answer")


def test_a_busy_port_is_reported_with_what_to_do() -> None:
    with bind("127.0.0.1", 0) as taken, pytest.raises(PortInUse) as caught:
        bind("127.0.0.1", taken.getsockname()[1])
    assert f"(process {os.getpid()}) listens there" in caught.value.fault
    assert "choose another port" in caught.value.remedy


def test_an_address_of_another_machine_is_reported() -> None:
    with pytest.raises(PortInUse, match="address of this machine"):
        bind("192.0.2.1", 0)


def test_a_unix_socket_is_its_users_own_and_replaces_a_leftover(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    bind_unix(path).close()
    with bind_unix(path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_unix_socket_of_a_living_process_and_another_file_are_left_alone(tmp_path: Path) -> None:
    path, file = tmp_path / "socket", tmp_path / "model.onnx"
    file.write_bytes(b"weights")
    with bind_unix(path), pytest.raises(PortInUse, match="another process listens there"):
        bind_unix(path)
    assert path.is_socket()
    with pytest.raises(PortInUse, match="a file that is not a socket is there"):
        bind_unix(file)
    assert file.read_bytes() == b"weights"


@pytest.mark.parametrize("place", ["missing/socket", "x" * 120])
def test_a_unix_socket_that_cannot_be_made_is_reported_in_a_line(place: str, tmp_path: Path) -> None:
    with pytest.raises(PortInUse, match="it cannot be made"):
        bind_unix(tmp_path / place)
