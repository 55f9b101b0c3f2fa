"""The HTTP server on a real socket, next to the test, with limits and an application of the test's own."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from edgeinfer.web.connection import HttpConnection
from edgeinfer.web.connection_state import ServerContext
from edgeinfer.web.direct import DirectRequest, DirectRoute
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.server import NO_DRAIN_PERIOD, SupervisedServer, bind
from edgeinfer.web.systemd import NO_SYSTEMD

PATIENT = ConnectionLimits()
PROBLEM = {"error", "status", "message", "remedy", "retry"}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the method, the path, the names of the headers and the length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    seen = {"path": scope["path"], "headers": [name.decode() for name, _ in scope["headers"]], "size": size}
    await answer(send, orjson.dumps(seen | {"method": scope["method"]}))


async def answer(send: Send, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def direct_echo(request: DirectRequest) -> None:
    """Answers a direct request with the length of its body."""
    if not request.disconnected:
        request.respond(413 if request.body is None else 200, b"", b"direct %d" % len(request.body or b""))


DIRECT = DirectRoute(b"/direct", 4000, direct_echo)


@dataclass
class Rig:
    port: int
    server: SupervisedServer
    context: ServerContext
    refused: list[str]

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def talk(self, *parts: bytes, ends: bool = False) -> list["Answer"]:
        """All answers to these bytes, each part sent when the server has had time for the one before."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
                if len(parts) > 1:
                    time.sleep(0.03)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            return answers(receive_all(connection))

    def wait_for_connections(self, count: int) -> None:
        until(lambda: len(self.server.server_state.connections) == count)


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def error(self) -> str:
        document = orjson.loads(self.body)
        assert set(document) == PROBLEM, document
        assert document["retry"] is (document["status"] in {408, 500, 503}), document
        assert document["status"] == self.status
        return str(document["error"])


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def answers(received: bytes) -> list[Answer]:
    """The answers in what a server sent, each as long as it says."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), len(rest)
        )
        status = int(head.split()[1])
        length = 0 if status == 100 else length
        found.append(Answer(status, head, rest[:length]))
        received = rest[length:]
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 50
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def running(
    app: ASGIApp = echo, *, direct: Iterable[DirectRoute] = (DIRECT,), has_lifespan: bool = False, **limits: Any
) -> Iterator[Rig]:
    """A server with the limits that are named, and the usual ones else."""
    refused: list[str] = []
    context = ServerContext(
        direct,
        replace(PATIENT, **limits),
        stop_seconds=0.3,
        on_refusal=lambda refusal: refused.append(refusal.error),
    )
    config = uvicorn.Config(
        app,
        http=partial(HttpConnection, context=context),  # type: ignore[arg-type]  # called like the class
        ws="none",
        lifespan="on" if has_lifespan else "off",
        log_config=None,
        access_log=False,
    )
    server = SupervisedServer(config, NO_SYSTEMD, NO_DRAIN_PERIOD)
    server.tick_seconds = server.stopping_tick_seconds = 0.02
    listener = bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started)
    try:
        yield Rig(listener.getsockname()[1], server, context, refused)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive()
