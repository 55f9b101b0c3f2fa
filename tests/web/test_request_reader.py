"""Bytes into requests, however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.web.asgi_exchange import make_scope
from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.error_answers import Refused
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.request_head import HeadCache, RequestHead
from edgeinfer.web.request_reader import RequestReader

ROUTE = DirectRoute(b"/direct", 100, lambda _: None)


def route_of(head: RequestHead) -> DirectRoute | None:
    return ROUTE if head.target == b"/direct" else None


def encode(body: bytes, cuts: list[int] | None) -> bytes:
    head = b"POST /a HTTP/1.1\r\nHost: h\r\n"
    if cuts is None:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    parts = [body[a:b] for a, b in pairwise(places)]
    chunks = b"".join(b"%X;ext=1\r\n%b\r\n" % (len(part), part) for part in parts)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: x\r\n\r\n"


bodies = st.tuples(st.binary(max_size=200), st.none() | st.lists(st.integers(0, 200), max_size=4))


@settings(max_examples=300, deadline=None)
@given(st.lists(bodies, min_size=1, max_size=5), st.lists(st.integers(1, 40), max_size=400))
def test_requests_are_the_same_however_they_are_cut(
    requests: list[tuple[bytes, list[int] | None]], cuts: list[int]
) -> None:
    data = b"\r\n".join(encode(*one) for one in requests)
    reader, found, start = RequestReader(ConnectionLimits(), HeadCache(128, route_of)), [], 0
    for size in [*cuts, len(data)]:
        part, start = data[start : start + size], start + size
        if part:
            reader.feed(part)
        while (request := reader.read()) is not None:
            found.append(request)
    assert [one.body for one in found] == [body for body, _ in requests]
    assert all(one.unread is None for one in found)
    assert (reader.waiting_bytes, reader.memory_bytes) == (0, 0)


def test_a_route_of_its_own_has_a_bound_of_its_own() -> None:
    reader = RequestReader(ConnectionLimits(max_body_bytes=10), HeadCache(128, route_of))
    reader.feed(encode(b"x" * 100, None).replace(b"/a", b"/direct"))
    request = reader.read()
    assert request is not None
    assert (request.route, len(request.body)) == (ROUTE, 100)
    reader.feed(encode(b"x" * 11, None))
    refused = reader.read()
    assert refused is not None
    assert refused.unread is not None


def test_what_is_held_is_known() -> None:
    reader = RequestReader(ConnectionLimits(), HeadCache(128, route_of))
    reader.feed(b"GET / HTTP/1.1\r\nX: " + b"a" * 1000)
    assert reader.read() is None
    assert reader.memory_bytes == 1019
    reader.drop()
    reader.feed(encode(b"x" * 3000, None)[:-1])
    assert reader.read() is None
    assert reader.memory_bytes > 2999


def direct(body: bytes, *lines: bytes) -> bytes:
    head = b"POST /direct HTTP/1.1\r\nHost: h\r\n" + b"".join(line + b"\r\n" for line in lines)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_a_head_that_is_sent_again_is_read_once_and_any_other_afresh() -> None:
    reader = RequestReader(ConnectionLimits(), HeadCache(128, route_of))
    sent = [direct(b"one"), direct(b"two"), direct(b"other", b"X: 1"), direct(b"more!", b"X: 2"), direct(b"six")]
    found = []
    for data in sent:
        reader.feed(data)
        found.append(reader.read())
    heads = [one.head for one in found if one is not None]

    assert [one.body for one in found if one is not None] == [b"one", b"two", b"other", b"more!", b"six"]
    assert heads[0] is heads[1]
    assert heads[0] is heads[4]
    assert len({id(head) for head in heads}) == 3
    assert [head.fields.get(b"x") for head in heads] == [None, None, b"1", b"2", None]


def test_the_application_gets_a_list_of_headers_of_its_own() -> None:
    head = HeadCache(128).read(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    make_scope(head, {}, None, None)["headers"].append((b"x", b"1"))
    assert make_scope(head, {}, None, None)["headers"] == [(b"host", b"h")]


def test_a_long_head_is_not_kept() -> None:
    reader = RequestReader(ConnectionLimits(), HeadCache(128, route_of))
    heads = []
    for _ in range(2):
        reader.feed(direct(b"x", b"X: " + b"a" * 1000))
        request = reader.read()
        assert request is not None
        heads.append(request.head)
    assert heads[0] is not heads[1]


def test_the_route_of_a_head_that_is_sent_again_is_looked_for_once() -> None:
    asked: list[bytes] = []

    def counting(head: RequestHead) -> DirectRoute | None:
        asked.append(head.target)
        return route_of(head)

    heads = HeadCache(128, counting)
    routes = []
    for number, sent in enumerate((direct(b"one"), direct(b"two"), b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n") * 2):
        reader = RequestReader(ConnectionLimits(), heads)
        reader.feed(sent.replace(b"Host: h", b"Host: h\r\nX-Request-Id: %d" % number))
        request = reader.read()
        assert request is not None
        routes.append(request.route)
    assert asked == [b"/direct", b"/a"]
    assert routes[0] is routes[1] is routes[3] is not None
    assert routes[2] is routes[5] is None


def everything_of(head: RequestHead) -> dict[str, object]:
    kept = {name: getattr(head, name) for name in RequestHead.__slots__ if name not in {"_parser", "headers"}}
    return kept | {"headers": sorted(head.headers)}


@pytest.mark.parametrize("name", [b"X-Request-Id", b"x-request-id"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_head_whose_id_alone_differs_is_read_once(monkeypatch: pytest.MonkeyPatch, name: bytes, place: int) -> None:
    lines = [b"Host: h", b"Content-Length: 3", b"Connection: close"]

    def sent(given: bytes) -> bytes:
        return b"\r\n".join([b"POST /a HTTP/1.1", *lines[:place], name + b": " + given, *lines[place:], b"", b""])

    heads, read = HeadCache(128), []
    original = RequestHead.read

    def counting(self: RequestHead, data: bytes) -> None:
        read.append(data)
        original(self, data)

    monkeypatch.setattr(RequestHead, "read", counting)
    found = [heads.read(sent(given)) for given in (b"first", b"another", b"3")]
    assert len(read) == 1
    assert [head.fields[b"x-request-id"] for head in found] == [b"first", b"another", b"3"]
    for head, one in zip(found, (b"first", b"another", b"3"), strict=True):
        assert everything_of(head) == everything_of(HeadCache(128).read(sent(one)))
    without = sent(b"3").replace(b"\r\n" + name + b": 3", b"")
    assert b"x-request-id" not in heads.read(without).fields
    assert everything_of(heads.read(without)) == everything_of(HeadCache(128).read(without))


@pytest.mark.parametrize(
    "second",
    [
        b"X-Request-Id: a\r\nX-Request-Id: b",
        b"X-Request-Id: a\r\nTraceparent: 00-1-2-01",
        b"X-Request-Id: not a token",
        b"X-Request-Id: a\r\n folded",
        b"Y: 1\r\n\tX-Request-Id: a",
        b"Y: X-Request-Id: a",
    ],
)
def test_a_head_with_a_doubtful_id_is_read_whole(second: bytes) -> None:
    heads = HeadCache(128)
    head = b"GET /a HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n"
    heads.read(head % b"X-Request-Id: a")
    fresh = HeadCache(128)
    for data in (head % second, (head % second).replace(b": a", b": c")):
        try:
            expected = everything_of(fresh.read(data))
        except Refused:
            with pytest.raises(Refused):
                heads.read(data)
        else:
            assert everything_of(heads.read(data)) == expected
    assert b"x-request-id" not in heads.read(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").fields


def test_an_id_is_one_header_more() -> None:
    heads = HeadCache(2)
    heads.read(b"GET /a HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n")
    with pytest.raises(Refused):
        heads.read(b"GET /a HTTP/1.1\r\nHost: h\r\nA: 1\r\nX-Request-Id: 1\r\n\r\n")


def test_a_head_is_read_once_and_a_head_with_an_id_or_a_fault_is_not_kept() -> None:
    heads = HeadCache(128, max_heads=2)
    plain = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
    assert heads.read(plain) is heads.read(bytes(bytearray(plain)))
    assert heads.read(plain.replace(b"/a", b"/b")).target == b"/b"
    assert len(heads) == 2
    given = heads.read(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Request-Id: 1\r\n\r\n")
    assert given.fields == {b"host": b"h", b"x-request-id": b"1"}
    heads.read(b"GET /a HTTP/1.1\r\nHost: h\r\nTraceparent: 00-1-2-01\r\n\r\n")
    heads.read(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Long: %b\r\n\r\n" % (b"x" * 4000))
    for _ in range(2):
        with pytest.raises(Refused):
            heads.read(b"GET /a HTTP/1.1\r\n\r\n")
    assert len(heads) == 2, "none of these is kept"
    heads.read(plain.replace(b"/a", b"/c"))
    assert len(heads) == 1, "more than two are dropped"
