"""What becomes of an answer of the application, and of one that it fails to give."""

import logging

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.web.server_rig import running

GET = b"GET /a%20b/%C3%A4?x=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
Headers = list[tuple[bytes, bytes]]


def app_of(status: int, headers: Headers, *parts: bytes) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def raw(app: ASGIApp, asked: bytes = GET) -> bytes:
    with running(app) as rig, rig.connect() as connection:
        connection.sendall(asked)
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


def test_an_answer_of_unknown_length_goes_out_in_chunks_to_those_who_know_them() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    assert raw(app_of(200, [], b"abc", b"", b"de")) == chunked + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    old = GET.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert raw(app_of(200, [], b"abc", b"de"), old) == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde"


@pytest.mark.parametrize("status", [204, 304])
def test_what_has_no_body_gets_none(status: int) -> None:
    received = raw(app_of(status, [], b""))
    assert received.endswith(b"\r\n\r\n")
    assert b"chunked" not in received


def test_a_head_alone_says_the_length_of_what_it_stands_for() -> None:
    received = raw(app_of(200, [(b"content-length", b"3")], b"abc"), GET.replace(b"GET", b"HEAD"))
    assert received == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n"


def test_a_large_answer_is_whole() -> None:
    body = bytes(range(256)) * 4000
    received = raw(app_of(200, [(b"content-length", b"%d" % len(body))], body[:100], body[100:]))
    assert received.partition(b"\r\n\r\n")[2] == body


def test_the_scope_is_what_a_framework_expects() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope))
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})
        assert await receive() == {"type": "http.disconnect"}

    assert raw(app).startswith(b"HTTP/1.1 200 OK")
    (scope,) = seen
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b/ä", b"/a%20b/%C3%A4", b"x=1")
    assert (scope["method"], scope["http_version"], scope["scheme"], scope["root_path"]) == ("GET", "1.1", "http", "")
    assert scope["client"][0] == scope["server"][0] == "127.0.0.1"


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise KeyError("unexpected")


async def raises_after_the_head(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise KeyError("unexpected")


async def says_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def sends_a_body_first(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.body", "body": b"x"})


async def sends_two_heads(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.start", "status": 200, "headers": []})


FAILURES: dict[str, ASGIApp] = {
    "raises": raises,
    "raises after the head": raises_after_the_head,
    "says nothing": says_nothing,
    "sends a body first": sends_a_body_first,
    "sends two heads": sends_two_heads,
    "a header with a line end": app_of(200, [(b"x", b"a\r\nset-cookie: b"), (b"content-length", b"0")]),
    "a name with a line end": app_of(200, [(b"x\r\ny", b"a"), (b"content-length", b"0")]),
    "a longer body than it says": app_of(200, [(b"content-length", b"1")], b"abc"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_an_application_that_fails_is_answered_for_in_the_one_shape_and_logged(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), running(FAILURES[name]) as rig:
        (only,) = rig.talk(GET)
    assert (only.status, only.error) == (500, "internal_error")
    assert b"set-cookie" not in only.head
    assert [record.name for record in caplog.records] == ["edgeinfer.web.asgi_exchange"]


@pytest.mark.parametrize(
    "app",
    [
        app_of(200, [(b"content-length", b"9")], b"abc"),
        app_of(200, [(b"content-length", b"4")], b"abc", b"de"),
    ],
    ids=["shorter", "longer"],
)
def test_an_answer_that_breaks_off_is_seen_to(app: ASGIApp) -> None:
    with running(app) as rig, rig.connect() as connection:
        connection.sendall(GET)
        received = b""
        with pytest.raises(ConnectionResetError):  # noqa: PT012 - reads to the end
            while True:
                part = connection.recv(65536)
                received += part
                if not part:
                    raise ConnectionResetError
    assert b"HTTP/1.1 500" not in received
    assert len(received.partition(b"\r\n\r\n")[2]) < 9
