"""Requests that are answered past ASGI, over a connection that is a list."""

from dataclasses import dataclass, field

import pytest

from edgeinfer.web.direct import DirectRequest, DirectRoute


@dataclass
class Wire:
    """Keeps what is sent."""

    sent: list[bytes] = field(default_factory=list)

    def send_direct(self, request: DirectRequest, answer: bytes) -> None:
        request.response_complete = True
        self.sent.append(answer)


@dataclass
class Served:
    """Answers 200 to a body and 413 to none, and keeps the requests."""

    requests: list[DirectRequest] = field(default_factory=list)

    def __call__(self, request: DirectRequest) -> None:
        self.requests.append(request)
        if not request.disconnected:
            request.respond(413 if request.body is None else 200, b"x-kind: test\r\n", request.body or b"")


def begun(served: Served, wire: Wire, *, length: bytes = b"3", keep_alive: bool = True) -> DirectRequest:
    route = DirectRoute(b"/echo", 10, served)
    request = DirectRequest(route, {b"content-length": length}, wire, keep_alive=keep_alive)
    request.begin()
    return request


def test_a_whole_body_is_served_once_and_answered_in_one_piece() -> None:
    served, wire = Served(), Wire()
    request = begun(served, wire)
    request.add(b"a")
    request.add(b"bc")
    request.complete()

    assert wire.sent == [b"HTTP/1.1 200 OK\r\nx-kind: test\r\ncontent-length: 3\r\n\r\nabc"]
    assert served.requests == [request]


def test_a_connection_that_ends_says_so() -> None:
    wire = Wire()
    begun(Served(), wire, keep_alive=False).complete()

    assert wire.sent == [b"HTTP/1.1 200 OK\r\nx-kind: test\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"]


@pytest.mark.parametrize("length", [b"11", b"0"], ids=["announced", "grown"])
def test_too_long_a_body_is_refused_once_and_the_rest_is_thrown_away(length: bytes) -> None:
    served, wire = Served(), Wire()
    request = begun(served, wire, length=length)
    for _ in range(4):
        request.add(b"abcde")
    request.complete()

    assert len(served.requests) == len(wire.sent) == 1
    assert wire.sent[0].startswith(b"HTTP/1.1 413 ")
    assert request.body is None


def test_a_caller_that_is_gone_before_its_body_came_is_told_to_the_route() -> None:
    served, wire = Served(), Wire()
    request = begun(served, wire)
    request.add(b"a")
    request.hang_up()

    assert request.is_abandoned()
    assert (served.requests, wire.sent) == ([request], [])


def test_a_caller_that_is_gone_after_its_answer_is_no_news() -> None:
    served, wire = Served(), Wire()
    request = begun(served, wire)
    request.complete()
    request.hang_up()

    assert served.requests == [request]
