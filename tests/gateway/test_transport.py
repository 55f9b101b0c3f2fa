"""Targets, the Unix socket, and limits of the client."""

import asyncio
from pathlib import Path

import httptools
import pytest

from edgeinfer.errors import SidecarError
from edgeinfer.gateway.http_client import HttpTransport, read_usual
from edgeinfer.gateway.sidecar_client import inside_seconds
from edgeinfer.gateway.transport import RawAnswer, parse_target
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import Exchange, FaultyPeer, peer
from tests.gateway.rigs import a_window, make_rig, running


@pytest.mark.parametrize(
    ("url", "name", "origin", "path", "socket"),
    [
        ("http://h:9000/infer", "h:9000", "http://h:9000", "/infer", ""),
        ("http://h:9000", "h:9000", "http://h:9000", "/infer", ""),
        ("https://user:secret@h/v2/infer", "h", "https://user:secret@h", "/v2/infer", ""),
        ("unix:/run/edgeinfer.sock", "/run/edgeinfer.sock", "http://localhost", "/infer", "/run/edgeinfer.sock"),
    ],
)
def test_a_sidecar_is_named_by_host_and_port_without_secrets(
    url: str, name: str, origin: str, path: str, socket: str
) -> None:
    target = parse_target(url)
    assert (target.name, target.origin, target.path, target.socket) == (name, origin, path, socket)


@pytest.mark.parametrize("url", ["", "h:9000", "ftp://h/infer", "http://", "unix:relative"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"it is neither|a Unix socket"):
        parse_target(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://h:0/infer",
        "http://h:65536/infer",
        "http://h:ninety/infer",
        "http://user:secret@h:ninety/infer",
        "http://[::1/infer",
        "http://256.0.0.1:9000/infer",
        "http://10.0.0:9000/infer",
        "http://two words:9000/infer",
        "http://h/infer?model=1",
        "http://h/infer#1",
        "http://:9000/infer",
        "http://-h/infer",
    ],
)
def test_an_address_that_cannot_be_right_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(ValueError, match=r"not a URL|nothing can answer|more than a path|it is neither") as refused:
        parse_target(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://[::1]:9000/infer", "http://[fe80::1%25eth0]/infer", "HTTP://Pi_5.local:9000"])
def test_odd_addresses_that_are_right_are_taken(url: str) -> None:
    assert parse_target(url).path == "/infer"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://h/infer", "/healthz"),
        ("http://h/edge/infer", "/edge/healthz"),
        ("http://h/edge/infer/", "/edge/healthz"),
        ("unix:/run/x.sock", "/healthz"),
    ],
)
def test_health_is_asked_next_to_the_inference_route(url: str, path: str) -> None:
    assert parse_target(url).health_path == path


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("total;dur=1.5000, queue;dur=0.1", 0.0015),
        ("queue;dur=0.1, total;dur=2", 0.002),
        ("", None),
        ("total;dur=fast", None),
        ("total;dur=-1e300", None),
        ("total;dur=-0.001", None),
        ("total;dur=nan", None),
        ("total;dur=inf", None),
        ("total;dur=1e999", None),
        ("total", None),
    ],
)
def test_time_inside_the_sidecar_is_read_where_it_is_reported(header: str, seconds: float | None) -> None:
    assert inside_seconds(header) == seconds


async def test_a_sidecar_behind_a_unix_socket_answers(tmp_path: Path) -> None:
    path = tmp_path / "sidecar.sock"
    sidecar = FaultyPeer(peers.good)
    server = await asyncio.start_unix_server(sidecar.serve, path)
    rig = make_rig(f"unix:{path}")
    async with running(rig) as service:
        assert (await service.analyze_imu_window(a_window(), "process", "r")).source == "sidecar"
    server.close()
    sidecar.hang_up_all()
    assert rig.value("edgeinfer_sidecar_requests_total", sidecar=str(path), status="success") == 1


async def test_many_at_once_are_all_answered_and_counted() -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url, timeout_seconds=10)
        async with running(rig) as service:
            answers = await asyncio.gather(
                *(service.analyze_imu_window(a_window(n), "process", f"r{n}") for n in range(200))
            )
    assert {answer.source for answer in answers} == {"sidecar"}
    assert rig.value("hailo_inference_requests_total", operation="process", status="success") == 200


async def ask(sidecar: FaultyPeer, times: int = 1, connections: int = 256) -> list[RawAnswer]:
    transport = HttpTransport(parse_target(sidecar.url), connections=connections)
    try:
        return [await transport.post(b"window", {}, 2.0) for _ in range(times)]
    finally:
        await transport.close()


async def test_a_kept_connection_that_went_stale_is_no_failure() -> None:
    async def once_then_hang_up(exchange: Exchange) -> None:
        if hasattr(exchange.writer, "served"):
            exchange.writer.transport.abort()
            return
        exchange.writer.served = True  # type: ignore[attr-defined]  # a mark on the connection
        await exchange.answer(b"{}")

    async with peer(once_then_hang_up) as sidecar:
        assert [answer.status for answer in await ask(sidecar, times=4)] == [200] * 4


async def test_a_sidecar_that_restarts_between_calls_is_asked_on_a_new_connection() -> None:
    async with peer(peers.good) as sidecar:
        transport = HttpTransport(parse_target(sidecar.url))
        assert (await transport.post(b"", {}, 1.0)).status == 200
        port = sidecar.port
    async with peer(peers.good, port):
        assert (await transport.post(b"", {}, 1.0)).status == 200
    await transport.close()


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nX-BACKEND: cpu\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
async def test_every_way_to_frame_a_body_is_read(content: bytes, body: bytes) -> None:
    async def raw(exchange: Exchange) -> None:
        for index in range(len(content)):
            await exchange.send(content[index : index + 1])

    async with peer(raw) as sidecar:
        for answer in await ask(sidecar, times=2):
            assert (answer.status, answer.body) == (200, body)


async def test_a_body_may_end_with_the_connection() -> None:
    async def until_closed(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nX-Backend: cpu\r\n\r\nabc")
        exchange.writer.close()

    async with peer(until_closed) as sidecar:
        answers = await ask(sidecar, times=2)
    assert [answer.body for answer in answers] == [b"abc"] * 2
    assert answers[0].headers["x-backend"] == "cpu"


async def test_bytes_that_nobody_asked_for_end_the_connection_and_confuse_no_answer() -> None:
    async def talkative(exchange: Exchange) -> None:
        await exchange.answer(exchange.body)
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nforge")

    async with peer(talkative) as sidecar:
        transport = HttpTransport(parse_target(sidecar.url))
        for number in range(5):
            body = f"window {number}".encode()
            assert (await transport.post(body, {}, 1.0)).body == body
            await asyncio.sleep(0.02)
        await transport.close()


def echoing(exchange: Exchange) -> str:
    """The id that came with a request, as a header of its answer."""
    lines = [line for line in exchange.head.decode().split("\r\n") if line.lower().startswith("x-request-id")]
    return "".join(f"{line}\r\n" for line in lines)


async def post(transport: HttpTransport, number: int) -> str:
    answer = await transport.post(b"window %d" % number, {"X-Request-Id": f"id-{number}"}, 1.0)
    return answer.body.decode()


@pytest.mark.parametrize("in_one_packet", [True, False])
async def test_an_answer_that_comes_twice_never_reaches_the_next_request(in_one_packet: bool) -> None:  # noqa: FBT001
    """The second copy is already on its way when the next request goes out, or comes with the first."""
    last: list[bytes] = []

    async def twice(exchange: Exchange) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(exchange.body)}\r\n{echoing(exchange)}\r\n".encode()
        copy = head + exchange.body
        # In place of the answer to this request comes the last one once more.
        await exchange.send(copy * 2 if in_one_packet else (last.pop() if last else copy))
        last.append(copy)

    async with peer(twice) as sidecar:
        transport = HttpTransport(parse_target(sidecar.url), connections=1)
        outcomes = [await asyncio.gather(post(transport, number), return_exceptions=True) for number in range(6)]
        await transport.close()
    for number, (outcome,) in enumerate(outcomes):
        if isinstance(outcome, SidecarError):
            assert (outcome.error_type, in_one_packet) == ("malformed_response", False)
            assert "another request" in outcome.fault
        else:
            assert outcome == f"window {number}"
    assert any(isinstance(outcome, SidecarError) for (outcome,) in outcomes) is not in_one_packet


async def test_a_peer_that_gives_ids_of_its_own_is_asked_all_the_same() -> None:
    count = iter(range(100))

    async def own_ids(exchange: Exchange) -> None:
        await exchange.answer(exchange.body, extra=f"X-Request-Id: mine-{next(count)}\r\n")

    async with peer(own_ids) as sidecar:
        transport = HttpTransport(parse_target(sidecar.url), connections=1)
        assert [await post(transport, number) for number in range(3)] == [f"window {number}" for number in range(3)]
        await transport.close()


async def test_a_refusal_without_an_id_is_the_answer_to_what_was_asked() -> None:
    async def sometimes(exchange: Exchange) -> None:
        if b"window 1" in exchange.body:
            await exchange.answer(b"{}", "503 Service Unavailable")
        else:
            await exchange.answer(exchange.body, extra=echoing(exchange))

    async with peer(sometimes) as sidecar:
        transport = HttpTransport(parse_target(sidecar.url), connections=1)
        assert [await post(transport, number) for number in range(3)] == ["window 0", "{}", "window 2"]
        await transport.close()


async def test_a_wake_up_is_not_lost_where_the_woken_one_is_cancelled_in_the_same_step() -> None:
    transport = HttpTransport(parse_target("http://127.0.0.1:1/infer"), connections=1)
    transport._open = 1
    waiting = [asyncio.create_task(transport._idle_or_new()) for _ in range(2)]
    await asyncio.sleep(0)
    transport._lost()
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    with pytest.raises(ConnectionRefusedError):  # it is its turn, and nobody listens there
        await asyncio.wait_for(waiting[1], 2)


async def test_who_gives_up_a_call_resets_its_connection() -> None:
    """An orderly end would be that of a caller that still waits for its answer."""
    ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    async def wait(exchange: Exchange) -> None:
        try:
            while True:
                await exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n")
                await asyncio.sleep(0.01)
        except OSError as failure:
            ended.set_result(failure)
            raise

    async with peer(wait) as sidecar:
        transport = HttpTransport(parse_target(sidecar.url))
        with pytest.raises(SidecarError, match="did not answer"):
            await transport.post(b"", {}, 0.1)
        assert isinstance(await asyncio.wait_for(ended, 5), ConnectionResetError)


async def test_calls_beyond_the_connections_wait_their_turn_and_their_time() -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.05)
        await exchange.answer(b"{}")

    async with peer(slow) as sidecar:
        transport = HttpTransport(parse_target(sidecar.url), connections=2)
        answers = await asyncio.gather(*(transport.post(b"", {}, 2.0) for _ in range(8)))
        assert [answer.status for answer in answers] == [200] * 8
        sidecar.behaviour = peers.silent
        outcomes = await asyncio.gather(*(transport.post(b"", {}, 0.1) for _ in range(8)), return_exceptions=True)
        assert [getattr(outcome, "error_type", outcome) for outcome in outcomes] == ["timeout"] * 8
        sidecar.behaviour = slow
        assert (await transport.post(b"", {}, 1.0)).status == 200
        await transport.close()


async def test_a_call_that_is_cancelled_leaves_the_pool_whole() -> None:
    async with peer(peers.silent) as sidecar:
        transport = HttpTransport(parse_target(sidecar.url), connections=1)
        call = asyncio.create_task(transport.post(b"", {}, 5.0))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        sidecar.behaviour = peers.good
        assert (await transport.post(b"", {}, 1.0)).status == 200
        await transport.close()


async def test_a_connection_that_the_sidecar_wants_closed_is_not_used_again() -> None:
    async def last_word(exchange: Exchange) -> None:
        if hasattr(exchange.writer, "served"):
            await peers.silent(exchange)
        exchange.writer.served = True  # type: ignore[attr-defined]  # a mark on the connection
        await exchange.answer(b"{}", extra="Connection: close\r\n")

    async with peer(last_word) as sidecar:
        assert [answer.status for answer in await ask(sidecar, times=3)] == [200] * 3


class Parsed:
    """What httptools makes of an answer."""

    def __init__(self, data: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.body, self.is_whole, self.is_kept = b"", False, False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(data)
        self.answer = RawAnswer(self._parser.get_status_code(), self.headers, self.body)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_whole, self.is_kept = True, self._parser.should_keep_alive()


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nx-id: 7\r\nserver-timing: a;dur=1\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_the_usual_answer_is_read_as_the_parser_reads_it(data: bytes) -> None:
    parsed = Parsed(data)
    assert parsed.is_whole
    assert parsed.is_kept
    assert read_usual(data) == parsed.answer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2 \r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 02\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: \xe9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n folded: 1\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_whatever_is_not_the_usual_answer_is_left_to_the_parser(data: bytes) -> None:
    assert read_usual(data) is None
