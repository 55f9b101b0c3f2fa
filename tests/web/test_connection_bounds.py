"""The HTTP server on real sockets: every state of a connection ends, and memory and numbers are bounded."""

import asyncio
import gc
import socket
import time
import weakref
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from edgeinfer.web.connection import HttpConnection
from edgeinfer.web.connection_state import ServerContext
from edgeinfer.web.direct import DirectRequest, DirectRoute
from edgeinfer.web.server import watch_deadlines
from tests.web.server_rig import Rig, answer, answers, receive_all, running, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
HEAD = b"POST /a HTTP/1.1\r\nHost: h\r\n"
SHORT = 0.2
SHORT_SECONDS: dict[str, Any] = dict.fromkeys(
    ("idle_seconds", "head_seconds", "body_seconds", "discard_seconds"), SHORT
)


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """Twenty megabytes, more than the kernel takes."""
    await answer(send, b"x" * 20_000_000)


async def in_pieces(scope: Scope, receive: Receive, send: Send) -> None:
    """The same in pieces, as a stream is sent."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(200):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.Event().wait()


# Time: one deadline for each state.

STALLED = {
    "nothing at all": (b"", 408),
    "half a head": (b"GET / HT", 408),
    "half a head after an answer": (GET + b"GET / HT", 408),
    "half a body": (HEAD + b"Content-Length: 10\r\n\r\nabc", 408),
    "half a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\na\r\nabc", 408),
    "half of the trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", 408),
    "half a body, offered an upgrade": (
        HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 9\r\n\r\n",
        408,
    ),
    "nothing after an answer": (GET, None),
    "an empty line after an answer": (GET + b"\r\n", None),
    "a refused body": (HEAD + b"Content-Length: 99999999\r\n\r\n", 413),
    "what is not HTTP": (b"\x16\x03", 400),
}


@pytest.mark.parametrize("name", STALLED)
def test_who_stalls_is_answered_where_an_answer_is_due_and_closed(name: str) -> None:
    sent, status = STALLED[name]
    with running(**SHORT_SECONDS) as rig, rig.connect() as connection:
        connection.sendall(sent)
        found = [one.status for one in answers(receive_all(connection))]
        expected = [200] * sent.count(GET) + ([status] if status else [])
        assert found == expected
        connection.close()
        rig.wait_for_connections(0)


def test_empty_lines_move_no_deadline() -> None:
    with running(idle_seconds=0.6) as rig, rig.connect() as connection:
        connection.sendall(GET)
        assert b"200 OK" in connection.recv(65536)
        started = time.monotonic()
        send_until_closed(connection, b"\r\n", 0.05)
        assert time.monotonic() < started + 10


def received_before_its_end(connection: socket.socket) -> bytes:
    try:
        return receive_all(connection)
    except OSError:
        return b""


def send_until_closed(connection: socket.socket, data: bytes, pause_seconds: float) -> None:
    for _ in repeat(None, 500):
        try:
            connection.sendall(data)
        except OSError:
            return
        time.sleep(pause_seconds)
    raise AssertionError("it is never closed")


@pytest.mark.parametrize("app", [large, in_pieces])
@pytest.mark.parametrize("asked", [GET, GET * 50, GET + b"\r\n"])
def test_who_does_not_read_is_cut_off(app: ASGIApp, asked: bytes) -> None:
    limits: dict[str, Any] = {"take_seconds": SHORT, "min_take_bytes_per_second": 10**9, "max_buffered_bytes": 10**8}
    with running(app, **limits) as rig, rig.connect(4096) as connection:
        rig.wait_for_connections(1)  # before it asks, because it may be cut off before it is seen
        connection.sendall(asked)
        rig.wait_for_connections(0)
        until(lambda: not rig.server.server_state.tasks)


def test_who_reads_slowly_gets_the_whole_answer() -> None:
    with running(large, max_buffered_bytes=30_000_000) as rig, rig.connect(4096) as connection:
        connection.sendall(GET)
        until(lambda: rig.context.budget.used_bytes > 1_000_000)  # the kernel has taken what it takes
        received = 0
        while received < 20_000_000:
            received += len(connection.recv(1 << 20))


def test_an_answer_that_does_not_come_is_given_up() -> None:
    with running(never, answer_seconds=SHORT) as rig:
        (only,) = rig.talk(GET)
        assert (only.status, only.error) == (503, "overloaded")
        until(lambda: not rig.server.server_state.tasks)


# Numbers.


def test_one_connection_too_many_is_answered_so_and_others_continue() -> None:
    with running(max_connections=3, discard_seconds=SHORT) as rig:
        first, *others = [rig.connect() for _ in range(3)]
        rig.wait_for_connections(3)
        (refused,) = rig.talk(GET)
        assert (refused.status, refused.error) == (503, "overloaded")
        first.sendall(GET)
        assert b"200 OK" in first.recv(65536)
        for connection in (first, *others):
            connection.close()
        rig.wait_for_connections(0)
        assert [one.status for one in rig.talk(GET, b"", ends=True)] == [200]


def test_far_too_many_connections_are_closed_unanswered() -> None:
    with running(max_connections=1, max_refused_connections=1) as rig, rig.connect(), rig.connect():
        rig.wait_for_connections(2)
        with rig.connect() as third:
            send_until_closed(third, GET, 0.01)
            assert b"HTTP" not in received_before_its_end(third)


def test_one_request_too_many_is_answered_so() -> None:
    with running(never, max_running_requests=2) as rig, rig.connect() as one, rig.connect() as two:
        one.sendall(GET)
        two.sendall(GET)
        until(lambda: len(rig.server.server_state.tasks) == 2)
        (refused,) = rig.talk(GET)
        assert (refused.status, refused.error) == (503, "overloaded")


# Memory.

HALF_SENT = {
    "a head": b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000,
    "a body": HEAD + b"Content-Length: 60000\r\n\r\n" + b"a" * 20_000,
    "a direct body": HEAD.replace(b"/a", b"/direct") + b"Content-Length: 4000\r\n\r\n" + b"a" * 3999,
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\nea60\r\n" + b"a" * 20_000,
    "many headers": HEAD + b"".join(b"x%d: y\r\n" % n for n in range(100)) + b"Content-Length: 60000\r\n\r\n",
    "an offered upgrade": HEAD
    + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 60000\r\n\r\n"
    + b"a" * 20_000,
}


@pytest.mark.parametrize("name", HALF_SENT)
def test_the_oldest_of_too_many_half_sent_requests_is_refused_and_the_newest_served(name: str) -> None:
    with running(max_buffered_bytes=100_000) as rig:
        held = [rig.connect() for _ in range(40)]
        for connection in held:
            connection.sendall(HALF_SENT[name])
        received = held[0].recv(65536)
        (refused,) = answers(received)
        assert (refused.status, refused.error) == (503, "overloaded")
        assert b"retry-after" in refused.head
        until(lambda: rig.context.budget.used_bytes <= 100_000)
        body = HEAD + b"Content-Length: 60000\r\nConnection: close\r\n\r\n" + b"a" * 60_000
        assert [one.status for one in rig.talk(body)] == [200]
        for connection in held:
            connection.close()
        until(lambda: rig.context.budget.used_bytes == 0)


def test_answers_that_nobody_takes_count_as_well() -> None:
    with running(large, max_buffered_bytes=50_000_000, take_seconds=60) as rig:
        held = [rig.connect(4096) for _ in range(6)]
        for connection in held:
            connection.sendall(GET)
        until(lambda: len(rig.server.server_state.connections) < 6)
        assert rig.context.budget.used_bytes <= 50_000_000
        for connection in held:
            connection.close()
        until(lambda: rig.context.budget.used_bytes == 0)


def test_requests_that_wait_for_their_turn_are_held_back_by_the_kernel() -> None:
    with running(never) as rig, rig.connect() as connection:
        connection.settimeout(1)
        with pytest.raises(TimeoutError):
            connection.sendall(GET * 2_000_000)
        until(lambda: rig.context.budget.used_bytes < 600_000)


def test_a_running_request_counts_until_it_is_over() -> None:
    with running(never) as rig:
        with rig.connect() as connection:
            connection.sendall(HEAD + b"Content-Length: 50000\r\n\r\n" + b"a" * 50_000)
            until(lambda: rig.context.budget.used_bytes > 50_000)
            until(lambda: len(rig.server.server_state.tasks) == 1)
        for task in list(rig.server.server_state.tasks):
            task.get_loop().call_soon_threadsafe(task.cancel)
        until(lambda: rig.context.budget.used_bytes == 0)


class Checked(HttpConnection):
    """Says when its deadline is checked; can be referred to weakly."""

    checked: asyncio.Event

    def check_deadline(self, now: float) -> None:
        self.checked.set()


async def test_the_check_of_deadlines_holds_no_connection_while_it_sleeps() -> None:
    config = uvicorn.Config(never, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    connection = Checked(config, state, {}, asyncio.get_running_loop(), context=ServerContext([]))
    checked = connection.checked = asyncio.Event()
    state.connections.add(connection)  # type: ignore[arg-type]  # uvicorn names its own protocols only
    checking = asyncio.create_task(watch_deadlines(state, 0.01))
    await checked.wait()
    reference = weakref.ref(connection)
    state.connections.clear()
    del connection
    gc.collect()
    assert reference() is None
    checking.cancel()


def test_connections_that_ended_leave_nothing_to_be_collected() -> None:
    gc.collect()
    before = connections()
    gc.disable()
    try:
        with running() as rig:
            for asked in (
                GET,
                GET[:10],
                HEAD + b"Content-Length: 9\r\n\r\na",
                HEAD + b"Content-Length: 99999999\r\n\r\n",
            ):
                for _ in range(3):
                    with rig.connect() as connection:
                        connection.sendall(asked)
                        connection.shutdown(socket.SHUT_WR)
                        receive_all(connection)
            rig.wait_for_connections(0)
            until(lambda: connections() <= before)
    finally:
        gc.enable()


def connections() -> set[int]:
    return {id(one) for one in gc.get_objects() if isinstance(one, HttpConnection)}


async def test_on_a_unix_socket_a_caller_that_closed_is_gone_and_one_that_has_sent_all_is_not(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    served: list[DirectRequest] = []
    config = uvicorn.Config(never, ws="none", lifespan="off", log_config=None)
    config.load()
    route = DirectRoute(b"/direct", 10, served.append)
    make = partial(HttpConnection, config, ServerState(), {}, loop, context=ServerContext([route]))
    server = await loop.create_unix_server(make, str(tmp_path / "socket"))
    asked = b"POST /direct HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
    for is_gone in (True, False):
        served.clear()
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "socket"))
        writer.write(asked)
        await asyncio.to_thread(until, lambda: bool(served))
        if is_gone:
            writer.close()
            await asyncio.to_thread(until, served[0].is_abandoned)
        else:
            writer.write_eof()
            await asyncio.sleep(0.05)
            served[0].respond(200, b"", b"here")
            assert (await reader.read()).endswith(b"here")
            writer.close()
    server.close()


# The end of the server.


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"Content-Length: 10\r\n\r\nabc", 503),
        (b"GET / HT", 503),
        (GET, 503),
    ],
    ids=["half a body", "half a head", "an answer that does not come"],
)
def test_what_is_under_way_when_the_server_stops_is_answered_in_the_one_shape(
    sent: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with running(never) as rig, rig.connect() as connection, rig.connect() as idle:
        connection.sendall(sent)
        rig.wait_for_connections(2)
        until(lambda: any(one._state.name != "IDLE" for one in list(rig.server.server_state.connections)))  # type: ignore[union-attr]
        rig.server.should_exit = True
        (only,) = answers(receive_all(connection))
        assert (only.status, only.error) == (status, "overloaded")
        assert receive_all(idle) == b""
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]


def test_an_answer_under_way_is_finished_when_the_server_stops() -> None:
    begun: list[Rig] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        begun[0].server.should_exit = True
        await asyncio.sleep(0.15)
        await answer(send, b"whole")

    with running(slow) as rig:
        begun.append(rig)
        (only,) = rig.talk(GET)
    assert (only.status, only.body) == (200, b"whole")
    assert b"connection: close" in only.head
