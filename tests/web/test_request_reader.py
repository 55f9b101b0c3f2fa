"""Bytes into requests, however they are cut."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.request_head import RequestHead
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
    reader, found, start = RequestReader(ConnectionLimits(), route_of), [], 0
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
    reader = RequestReader(ConnectionLimits(max_body_bytes=10), route_of)
    reader.feed(encode(b"x" * 100, None).replace(b"/a", b"/direct"))
    request = reader.read()
    assert request is not None
    assert (request.route, len(request.body)) == (ROUTE, 100)
    reader.feed(encode(b"x" * 11, None))
    refused = reader.read()
    assert refused is not None
    assert refused.unread is not None


def test_what_is_held_is_known() -> None:
    reader = RequestReader(ConnectionLimits(), route_of)
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


def test_a_head_that_is_sent_again_is_read_once_and_any_other_anew() -> None:
    reader = RequestReader(ConnectionLimits(), route_of)
    sent = [direct(b"one"), direct(b"two"), direct(b"other", b"X: 1"), direct(b"more!", b"X: 2"), direct(b"six")]
    found = []
    for data in sent:
        reader.feed(data)
        found.append(reader.read())
    heads = [one.head for one in found if one is not None]

    assert [one.body for one in found if one is not None] == [b"one", b"two", b"other", b"more!", b"six"]
    assert heads[0] is heads[1]
    assert len({id(head) for head in heads}) == 4
    assert [head.fields.get(b"x") for head in heads] == [None, None, b"1", b"2", None]


def test_a_head_that_the_application_gets_is_always_a_new_one() -> None:
    reader = RequestReader(ConnectionLimits(), route_of)
    found = []
    for _ in range(2):
        reader.feed(encode(b"x", None))
        found.append(reader.read())
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].head is not found[1].head


def test_a_long_head_is_not_kept() -> None:
    reader = RequestReader(ConnectionLimits(), route_of)
    heads = []
    for _ in range(2):
        reader.feed(direct(b"x", b"X: " + b"a" * 1000))
        request = reader.read()
        assert request is not None
        heads.append(request.head)
    assert heads[0] is not heads[1]
