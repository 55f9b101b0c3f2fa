"""Limits of the HTTP server, on real sockets: heads, slow requests, what is not HTTP."""

import socket
import threading
from collections.abc import Iterator

import orjson
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from edgeinfer.web.protocol import BoundedProtocol
from edgeinfer.web.server import bind


async def echo_length(scope: Scope, receive: Receive, send: Send) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    body = b"%d" % size
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Server(uvicorn.Server):
    """Runs beside the test, which has the main thread."""

    def install_signal_handlers(self) -> None:
        return


class Impatient(BoundedProtocol):
    longest_request_seconds = 0.0


class Small(BoundedProtocol):
    most_connections = 1


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> type[BoundedProtocol]:
    return getattr(request, "param", BoundedProtocol)


@pytest.fixture
def server(kind: type[BoundedProtocol]) -> Iterator[Server]:
    config = uvicorn.Config(echo_length, http=kind, ws="none", lifespan="off", log_config=None, access_log=False)
    server = Server(config)
    listener = bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    server.port = listener.getsockname()[1]  # type: ignore[attr-defined]  # where the test finds it
    thread.start()
    yield server
    server.should_exit = True
    thread.join(10)
    listener.close()


def connect(server: Server) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)  # type: ignore[attr-defined]
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of an answer after which the server closes."""
    received = b""
    while part := connection.recv(65536):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_a_head_that_does_not_end_is_refused(server: Server) -> None:
    with connect(server) as connection:
        head = b"GET / HTTP/1.1\r\n" + (b"x-long: " + b"a" * 1000 + b"\r\n") * 40
        # One byte over the limit: the server has read all that was sent, and closes in order.
        connection.sendall(head[: BoundedProtocol.longest_head_bytes + 1])
        status, body = answer(connection)
        assert (status, orjson.loads(body)["error"]) == (431, "invalid_head")


def test_what_is_not_http_is_refused_in_the_shape_of_every_error(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
        status, body = answer(connection)
    assert status == 400
    assert set(orjson.loads(body)) == {"error", "status", "message", "remedy"}


def test_a_body_in_pieces_is_whole(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(5):
            connection.sendall(b"3\r\nabc\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert answer(connection) == (200, b"15")


@pytest.mark.parametrize("kind", [Impatient], indirect=True)
def test_a_request_that_takes_too_long_is_ended(server: Server) -> None:
    with connect(server) as slow, connect(server) as silent:
        slow.sendall(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc")
        wait_for_connections(server, 2)
        sweep(server)
        status, body = answer(slow)
        assert (status, orjson.loads(body)["error"]) == (408, "slow_request")
        assert answer(silent)[0] == 408


@pytest.mark.parametrize("kind", [Impatient], indirect=True)
def test_an_idle_connection_between_requests_is_not_slow(server: Server) -> None:
    request = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc"
    with connect(server) as connection:
        connection.sendall(request)
        assert b"200 OK" in connection.recv(65536)
        sweep(server)
        connection.sendall(request)
        assert b"200 OK" in connection.recv(65536)


@pytest.mark.parametrize("kind", [Small], indirect=True)
def test_one_connection_too_many_is_told_so(server: Server) -> None:
    with connect(server) as first:
        wait_for_connections(server, 1)
        with connect(server) as second:
            status, body = answer(second)
            assert (status, orjson.loads(body)["error"]) == (503, "overloaded")
        first.sendall(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        assert answer(first) == (200, b"0")


def wait_for_connections(server: Server, count: int) -> None:
    while len(server.server_state.connections) < count:
        pass


def sweep(server: Server) -> None:
    """Do on the server's loop what it does once a second."""
    done = threading.Event()

    def close_slow() -> None:
        for connection in list(server.server_state.connections):
            assert isinstance(connection, BoundedProtocol)
            connection.close_if_slow(connection.loop.time() + 1)
        done.set()

    first = next(iter(server.server_state.connections))
    assert isinstance(first, BoundedProtocol)
    first.loop.call_soon_threadsafe(close_slow)
    assert done.wait(10)
