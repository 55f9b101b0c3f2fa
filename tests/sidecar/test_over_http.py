"""The sidecar behind its real server: bodies that lie, callers that hang up, the end of the process."""

import gc
import gzip
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import orjson
import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from edgeinfer.metrics.registry import new_registry
from edgeinfer.sidecar.app import build_sidecar
from edgeinfer.web.connection import HttpConnection
from edgeinfer.web.connection_state import ServerContext
from edgeinfer.web.server import bind
from tests.sidecar.rig import ToyBackend, shipped_card

BODY = np.zeros(900, "<f4").tobytes()
TYPE = b"content-type: application/octet-stream\r\n"


@dataclass
class Server:
    port: int
    backend: ToyBackend
    registry: CollectorRegistry

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def count(self, status: str) -> float:
        return self.registry.get_sample_value("hailo_sidecar_inferences_total", {"status": status}) or 0

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to a request after which the server closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return answer(connection)


def answer(connection: socket.socket) -> tuple[int, bytes]:
    received = b""
    while part := connection.recv(65536):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.fixture(params=["direct", "asgi"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each way into the sidecar: past ASGI, and through it."""
    backend, registry = ToyBackend(), new_registry()
    sidecar = build_sidecar(backend=backend, card=shipped_card(), registry=registry, version="1")
    listener = bind("127.0.0.1", 0)
    protocol = partial(HttpConnection, context=ServerContext(sidecar.direct if request.param == "direct" else ()))
    config = uvicorn.Config(
        sidecar.app,
        http=protocol,  # type: ignore[arg-type]  # called like the class
        ws="none",
        lifespan="on",
        log_config=None,
        proxy_headers=False,
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: registry.get_sample_value("hailo_sidecar_ready") == 1)
    yield Server(listener.getsockname()[1], backend, registry)
    running.should_exit = True
    thread.join(10)
    listener.close()


def hang_up(connection: socket.socket) -> None:
    """Close with a reset, as our gateway does: an orderly end could be a caller's that still waits for the answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 50
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def request(headers: bytes, body: bytes, path: bytes = b"/infer") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nhost: h\r\nconnection: close\r\n" + headers + b"\r\n" + body


def test_several_windows_are_one_request_of_the_open_inference_protocol(server: Server) -> None:
    windows = np.zeros((16, 100, 9), "<f4")
    windows[:, 0, 0] = np.arange(16)
    head = orjson.dumps(
        {
            "inputs": [
                {
                    "name": "window",
                    "shape": [16, 100, 9],
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": windows.nbytes},
                }
            ],
            "outputs": [{"name": "latent"}],
        }
    )
    body = head + windows.tobytes()
    lengths = b"inference-header-content-length: %d\r\ncontent-length: %d\r\n" % (len(head), len(body))
    path = f"/v2/models/{shipped_card().name}/infer"
    status, answer = server.ask(request(TYPE + lengths, body, path.encode()))
    assert status == 200, answer
    (latent,) = orjson.loads(answer)["outputs"]
    assert latent["shape"] == [16, 64]
    assert latent["data"][::64] == list(range(16))
    labels = {"method": "POST", "endpoint": "/v2/models/{name}/infer", "status_code": "200"}
    until(lambda: server.registry.get_sample_value("hailo_http_requests_total", labels) == 1)
    assert server.count("success") == 16


def test_a_request_that_is_longer_than_all_windows_is_refused(server: Server) -> None:
    path = f"/v2/models/{shipped_card().name}/infer".encode()
    with server.connect() as connection:
        connection.sendall(request(TYPE + b"content-length: 36000000\r\n", b"", path))
        head = connection.recv(65536)
    assert b"413" in head.split(b"\r\n")[0]


def test_a_body_in_chunks_is_a_body(server: Server) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:1], BODY[1:3000], BODY[3000:]))
    status, _ = server.ask(request(TYPE + b"transfer-encoding: chunked\r\n", chunks + b"0\r\n\r\n"))
    assert status == 200


def test_ten_megabytes_are_refused_before_they_are_read(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request(TYPE + b"content-length: 10485760\r\n", b""))
        head = connection.recv(65536)
    assert b"413" in head.split(b"\r\n")[0]


def test_ten_megabytes_in_chunks_are_refused_when_they_grow_too_long(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request(TYPE + b"transfer-encoding: chunked\r\n", b""))
        for _ in range(5):
            connection.sendall(b"4000\r\n" + b"a" * 0x4000 + b"\r\n")
        head = connection.recv(65536)
    assert b"413" in head.split(b"\r\n")[0]
    assert server.count("invalid_input") == 1


def test_fewer_bytes_than_announced_cost_nobody_an_answer(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request(TYPE + b"content-length: 3600\r\n", BODY[:100]))
    until(lambda: server.count("abandoned") == 1)
    assert server.ask(request(TYPE + b"content-length: 3600\r\n", BODY))[0] == 200


def test_more_bytes_than_announced_are_no_window(server: Server) -> None:
    status, body = server.ask(request(TYPE + b"content-length: 3596\r\n", BODY))
    assert (status, orjson.loads(body)["error"]) == (422, "invalid_window")


@pytest.mark.parametrize(("coding", "compress"), [(b"gzip", gzip.compress), (b"Deflate", zlib.compress)])
def test_a_compressed_body_is_answered_as_the_plain_one(
    server: Server, coding: bytes, compress: Callable[[bytes], bytes]
) -> None:
    packed = compress(BODY)
    head = TYPE + b"content-encoding: %b\r\ncontent-length: %d\r\n" % (coding, len(packed))
    plain = server.ask(request(TYPE + b"content-length: 3600\r\n", BODY))
    assert server.ask(request(head, packed)) == plain
    assert plain[0] == 200


def test_a_coding_that_is_not_undone_is_refused_with_those_that_are(server: Server) -> None:
    head = request(TYPE + b"content-encoding: br\r\ncontent-length: 3600\r\n", BODY)
    with server.connect() as connection:
        connection.sendall(head)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b"accept-encoding: gzip, deflate\r\n" in answer


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        (b"application/octet-stream;q=0.9, application/json", b"application/json"),
        (b"application/octet-stream, application/json", b"application/octet-stream"),
        (b"Application/Octet-Stream", b"application/octet-stream"),
        (b"application/octet-stream;q=0", b"application/json"),
        (b"*/*", b"application/json"),
    ],
)
def test_the_answer_takes_the_type_that_weighs_most(server: Server, accept: bytes, given: bytes) -> None:
    head = TYPE + b"accept: %b\r\ncontent-length: 3600\r\n" % accept
    with server.connect() as connection:
        connection.sendall(request(head, BODY))
        answered = connection.recv(65536)
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert b"content-type: %b\r\n" % given in answered


def test_a_caller_that_hangs_up_in_the_queue_costs_no_computation(server: Server) -> None:
    gate, entered = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert gate.wait(10)

    server.backend.before = hold
    whole = request(TYPE + b"content-length: 3600\r\n", BODY)
    with server.connect() as patient:
        patient.sendall(whole)
        assert entered.wait(10)
        for _ in range(5):
            with server.connect() as impatient:
                impatient.sendall(whole)
                hang_up(impatient)
        until(lambda: server.registry.get_sample_value("hailo_sidecar_queue_depth") == 5)
        time.sleep(0.1)  # until the server's loop has seen that they are gone
        gate.set()
        assert answer(patient)[0] == 200
    until(lambda: server.count("abandoned") == 5)
    assert server.backend.windows == 1
    gone = {"method": "POST", "endpoint": "/infer", "status_code": "499"}
    until(lambda: server.registry.get_sample_value("hailo_http_requests_total", gone) == 5)


def test_a_caller_that_has_sent_all_and_says_so_is_answered(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request(TYPE + b"content-length: 3600\r\n", BODY))
        connection.shutdown(socket.SHUT_WR)
        assert answer(connection)[0] == 200


def test_pipelined_requests_are_answered_in_their_order(server: Server) -> None:
    first = BODY[:-4] + np.array([5], "<f4").tobytes()
    keep = request(TYPE + b"content-length: 3600\r\n", first).replace(b"connection: close\r\n", b"")
    _, rest = server.ask(keep + request(TYPE + b"content-length: 3600\r\n", BODY))
    one, two = rest.split(b"HTTP/1.1 200 OK")
    assert orjson.loads(one)["latent"][0] == 5
    assert orjson.loads(two.partition(b"\r\n\r\n")[2])["latent"][0] == 0


@pytest.mark.parametrize(
    "changed",
    [
        (b"POST /infer HTTP/1.1", b"POST /infer?a=1 HTTP/1.1"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"host: h", b"host: h\r\nexpect: 100-continue"),
    ],
    ids=["a query", "an old version", "a caller that asks first"],
)
def test_what_is_not_the_common_case_is_answered_all_the_same(server: Server, changed: tuple[bytes, bytes]) -> None:
    asked = request(TYPE + b"content-length: 3600\r\n", BODY).replace(*changed)
    with server.connect() as connection:
        connection.sendall(asked)
        received = b""
        while part := connection.recv(65536):
            received += part

    assert b" 200 OK\r\n" in received


def test_a_connection_is_kept_for_the_next_request(server: Server) -> None:
    asked = request(TYPE + b"content-length: 3600\r\n", BODY).replace(b"connection: close\r\n", b"")
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(asked)
            assert b"200 OK" in connection.recv(65536)

    until(lambda: server.count("success") == 3)


def test_both_ways_count_alike(server: Server) -> None:
    status, _ = server.ask(request(TYPE + b"content-length: 3600\r\n", BODY))
    labels = {"method": "POST", "endpoint": "/infer"}

    assert status == 200
    until(lambda: server.count("success") == 1)
    until(lambda: server.registry.get_sample_value("hailo_http_request_duration_seconds_count", labels) == 1)
    counted = server.registry.get_sample_value("hailo_http_requests_total", labels | {"status_code": "200"})
    assert counted == 1


def test_a_connection_that_ended_leaves_nothing_to_be_collected(server: Server) -> None:
    asked = request(TYPE + b"content-length: 3600\r\n", BODY).replace(b"connection: close\r\n", b"")
    gc.collect()
    before = connections()
    gc.disable()
    try:
        for _ in range(5):
            with server.connect() as connection:
                connection.sendall(asked)
                assert b"200 OK" in connection.recv(65536)
        until(lambda: connections() <= before)
    finally:
        gc.enable()


def connections() -> set[int]:
    return {id(one) for one in gc.get_objects() if isinstance(one, HttpConnection)}
