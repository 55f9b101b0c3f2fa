"""The HTTP server on real sockets: what is read, what is refused, and that one request gets one answer."""

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import orjson
import pytest

from edgeinfer.web.limits import ConnectionLimits
from tests.web.server_rig import Rig, answers, receive_all, running

LIMITS = ConnectionLimits()
GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
HEADS = {"plain": b"", "h2c": H2C, "websocket": WEBSOCKET}
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def post(body: bytes, extra: bytes = b"", path: bytes = b"/a") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n%b" % (path, extra, len(body), body)


def chunks(*parts: bytes, trailers: bytes = b"", extra: bytes = b"", path: bytes = b"/a") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"POST %b HTTP/1.1\r\nHost: h\r\n%b%b\r\n%b0\r\n%b\r\n" % (path, extra, CHUNKED, body, trailers)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with running(max_body_bytes=5000) as made:
        yield made


def cut(data: bytes, how: str) -> tuple[bytes, ...]:
    """The same bytes in one piece, in two with the cut in the middle, behind the head, and byte by byte."""
    head = data.index(b"\r\n\r\n") + 4
    if how == "bytes":
        return tuple(data[i : i + 1] for i in range(len(data)))
    place = {"whole": 0, "in the middle": len(data) // 2, "behind the head": head, "in the head": head - 2}[how]
    return tuple(part for part in (data[:place], data[place:]) if part)


# Every valid request is answered, however it is cut, and whatever it offers; the connection stays usable.

WHOLE = ["whole", "in the middle", "behind the head", "in the head"]


@pytest.mark.parametrize("how", WHOLE)
@pytest.mark.parametrize("offer", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("path", [b"/a", b"/direct"])
@pytest.mark.parametrize("framed", [post, chunks])
def test_a_body_is_read_whatever_is_offered_and_the_connection_stays(
    rig: Rig, how: str, offer: bytes, path: bytes, framed: Callable[..., bytes]
) -> None:
    first, last = rig.talk(*cut(framed(b"x" * 700, extra=offer, path=path), how), LAST)
    assert (first.status, last.status) == (200, 200)
    assert first.body == b"direct 700" if path == b"/direct" else orjson.loads(first.body)["size"] == 700
    assert orjson.loads(last.body)["path"] == "/last"


def test_a_request_may_come_byte_by_byte(rig: Rig) -> None:
    with rig.connect() as connection:
        for part in cut(chunks(b"abc", b"de", trailers=b"X: y\r\n"), "bytes"):
            connection.sendall(part)
        connection.sendall(LAST)
        first, _ = answers(receive_all(connection))
    assert orjson.loads(first.body)["size"] == 5


@pytest.mark.parametrize("count", [2, 40, 400])
@pytest.mark.parametrize("cut_at", [0, 30])
def test_pipelined_requests_of_any_length_are_answered_in_their_order(rig: Rig, count: int, cut_at: int) -> None:
    asked = b"".join(post(b"x" * 2000, path=b"/%d" % n if n % 3 else b"/direct2") for n in range(count))
    found = rig.talk(asked + LAST[:cut_at], LAST[cut_at:])
    paths = [orjson.loads(one.body)["path"] for one in found]
    assert paths == [f"/{n}" if n % 3 else "/direct2" for n in range(count)] + ["/last"]


def test_direct_and_other_requests_may_follow_each_other(rig: Rig) -> None:
    asked = b"".join(post(b"x" * n, path=b"/direct" if n % 2 else b"/a") for n in range(100))
    found = rig.talk(asked + LAST)
    assert [one.body for one in found[1:100:2]] == [b"direct %d" % n for n in range(1, 100, 2)]
    assert [orjson.loads(one.body)["size"] for one in found[:100:2]] == list(range(0, 100, 2))


@pytest.mark.parametrize("asked", [GET, post(b"abc"), chunks(b"abc"), post(b"abc", path=b"/direct"), GET * 30])
def test_a_caller_that_closes_its_side_is_still_answered(rig: Rig, asked: bytes) -> None:
    found = rig.talk(asked, ends=True)
    assert [one.status for one in found] == [200] * max(1, asked.count(b"GET"))


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (b"GET /a HTTP/1.1\r\nHost", "invalid_head"),
        (post(b"abc")[:-1], "invalid_body"),
        (post(b"abc", path=b"/direct")[:-1], "invalid_body"),
        (chunks(b"abc")[:-4], "invalid_body"),
    ],
)
def test_a_request_that_ends_early_is_said_to(rig: Rig, asked: bytes, error: str) -> None:
    (only,) = rig.talk(asked, ends=True)
    assert (only.status, only.error) == (400, error)


def test_blank_lines_between_requests_are_ignored(rig: Rig) -> None:
    assert [one.status for one in rig.talk(b"\r\n" + GET + b"\r\n\r\n", b"\r\n", LAST)] == [200, 200]


def test_the_word_to_continue_is_given_once_and_only_when_it_is_awaited(rig: Rig) -> None:
    asked = post(b"abc", b"Expect: 100-continue\r\nConnection: close\r\n")
    head, body = asked[:-3], asked[-3:]
    assert [one.status for one in rig.talk(head, body)] == [100, 200]
    assert [one.status for one in rig.talk(asked)] == [200]
    too_large = post(b"x" * 9000, b"Expect: 100-continue\r\n")
    assert [one.status for one in rig.talk(too_large[:-9000])] == [413]


# Trailers are read, bounded and dropped.


def test_trailers_never_become_headers(rig: Rig) -> None:
    first, _ = rig.talk(chunks(b"abc", trailers=b"Authorization: Bearer x\r\nX-Late: y\r\n") + LAST)
    assert orjson.loads(first.body) == {
        "path": "/a",
        "headers": ["host", "transfer-encoding"],
        "size": 3,
        "method": "POST",
    }


@pytest.mark.parametrize("path", [b"/a", b"/direct"])
@pytest.mark.parametrize(
    ("framing", "error"),
    [
        (b"0\r\n" + b"X: y\r\n" * 3000, 431),
        (b"0\r\nX: " + b"y" * 20_000, 431),
        (b"1;" + b"e" * 20_000, 431),
        (b"1\r\nx\r\n" * 3000, 431),
        (b"-1\r\n", 400),
        (b"x\r\n", 400),
        (b"1 \r\nx\r\n", 400),
        (b"0x1\r\nx\r\n", 400),
        (b"1\nx\r\n", 400),
        (b"1\r\nxy\r\n", 400),
        (b"0\r\nno name\r\n\r\n", 400),
        (b"0\r\n folded: x\r\n\r\n", 400),
        (b"0\r\nX: y\n\r\n", 400),
        (b"ffffffffffffffffffff\r\n", 400),
        (b"ffffffffff\r\n" + b"x" * 9000, 413),
    ],
)
def test_the_framing_of_chunks_is_strict_and_bounded(rig: Rig, framing: bytes, error: int, path: bytes) -> None:
    (only,) = rig.talk(b"POST %b HTTP/1.1\r\nHost: h\r\n%b\r\n%b" % (path, CHUNKED, framing))
    assert only.status == error


# Heads.


@pytest.mark.parametrize("before", [b"", GET * 300])
@pytest.mark.parametrize(("size", "status"), [(LIMITS.max_head_bytes, 200), (LIMITS.max_head_bytes + 1, 431)])
def test_the_size_of_a_head_is_counted_for_each_request_to_the_byte(
    rig: Rig, before: bytes, size: int, status: int
) -> None:
    head = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: "
    head += b"a" * (size - len(head) - 4) + b"\r\n\r\n"
    assert len(head) == size
    found = rig.talk(before + head)
    assert [one.status for one in found] == [200] * before.count(b"GET") + [status]
    (in_parts,) = rig.talk(head[:9000], head[9000:-3], head[-3:])
    assert in_parts.status == status


@pytest.mark.parametrize(("count", "status"), [(LIMITS.max_headers, 200), (LIMITS.max_headers + 1, 431)])
def test_the_number_of_headers_is_bounded(rig: Rig, count: int, status: int) -> None:
    headers = b"".join(b"x%d: y\r\n" % n for n in range(count - 2))
    (only,) = rig.talk(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + headers + b"\r\n")
    assert only.status == status


REFUSED_HEADS = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "small letters": b"get / HTTP/1.1\r\n",
    "line feeds alone": b"GET / HTTP/1.1\nHost: h\n\n",
    "a line feed alone": b"GET / HTTP/1.1\r\nHost: h\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "an open bracket": b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "brackets around no address": b"GET / HTTP/1.1\r\nHost: [:::]\r\n\r\n",
    "a host with a space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a host with a user": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "a host of bytes": b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
    "a NUL": b"GET / HTTP/1.1\r\nHost: h\r\nX: \x00\r\n\r\n",
    "a carriage return": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
    "bytes in the target": b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths in one": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
    "a length with a sign": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
    "a length below zero": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc",
    "no length": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nabc",
    "an endless length": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %b\r\n\r\nabc" % (b"9" * 30),
    "a length and chunks": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "chunks and a length": b"POST / HTTP/1.1\r\nHost: h\r\n" + CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n",
    "chunks twice": b"POST / HTTP/1.1\r\nHost: h\r\n" + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: h\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "an authority": b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    "blank lines": b"\r\n" * 600,
}


@pytest.mark.parametrize("offer", [b"", H2C], ids=["plain", "h2c"])
@pytest.mark.parametrize("name", REFUSED_HEADS)
def test_what_is_not_http_is_refused_at_once_and_never_read_on(rig: Rig, name: str, offer: bytes) -> None:
    data = REFUSED_HEADS[name].replace(b"Host: h\r\n", b"Host: h\r\n" + offer) + GET
    (only,) = rig.talk(data)
    assert (only.status, only.error) == (400, "invalid_head")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET /\r\nHost: h\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    ],
)
def test_what_is_not_spoken_is_said(rig: Rig, data: bytes, status: int) -> None:
    (only,) = rig.talk(data)
    assert (only.status, only.error) == (status, "invalid_head")


@pytest.mark.parametrize("host", [b"", b"h", b"h:80", b"h:", b"127.0.0.1:8080", b"[::1]", b"[::1]:8080", b"[fe80::1]:"])
def test_a_host_may_be_a_name_or_an_address(rig: Rig, host: bytes) -> None:
    (only,) = rig.talk(LAST.replace(b"Host: h", b"Host: " + host))
    assert only.status == 200


# A refused body gets one answer, and its sender no reset.


@pytest.mark.parametrize("path", ["/a", "/direct"])
def test_a_blocking_client_gets_the_refusal_of_a_body_that_it_is_still_sending(rig: Rig, path: str) -> None:
    url = f"http://127.0.0.1:{rig.port}{path}"
    request = urllib.request.Request(url, data=b"x" * 12_000_000, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)  # noqa: S310 - our own address
    with caught.value as failure:
        assert failure.code == 413


@pytest.mark.parametrize("path", [b"/a", b"/direct"])
@pytest.mark.parametrize("length", [b"Content-Length: 70000\r\n", CHUNKED], ids=["length", "chunks"])
def test_a_refused_body_is_answered_once(rig: Rig, path: bytes, length: bytes) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: h\r\n%b\r\n" % (path, length)
    body = b"1388\r\n" + b"x" * 5000 + b"\r\n1388\r\n" + b"x" * 5000
    (only,) = rig.talk(head + body, GET, GET)
    assert only.status == 413
    assert b"connection: close" in only.head


def test_what_is_thrown_away_is_bounded() -> None:
    with running(max_discarded_bytes=1_000_000) as made, made.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            connection.sendall(b"x" * 90_000_000)


def test_a_second_answer_is_never_read_from_a_refused_connection(rig: Rig) -> None:
    with rig.connect() as connection:
        connection.sendall(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000 + GET)
        connection.shutdown(socket.SHUT_WR)
        assert [one.status for one in answers(receive_all(connection))] == [413]
