"""Requests that are answered past ASGI, over a connection that is a list."""

from dataclasses import dataclass, field

from edgeinfer.web.asgi_exchange import NO_ANSWER_IN_TIME
from edgeinfer.web.direct import DirectRequest


@dataclass
class Wire:
    """Keeps what is sent."""

    sent: list[bytes] = field(default_factory=list)

    def answer_direct(self, request: DirectRequest, answer: bytes) -> None:
        self.sent.append(answer)


def request(wire: Wire, *, keep_alive: bool = True) -> DirectRequest:
    return DirectRequest({b"x-a": b"1"}, b"abc", wire, arrived=0.0, keep_alive=keep_alive)


def test_an_answer_is_one_piece() -> None:
    wire = Wire()
    request(wire).respond(200, b"x-kind: test\r\n", b"abc")
    assert wire.sent == [b"HTTP/1.1 200 OK\r\nx-kind: test\r\ncontent-length: 3\r\n\r\nabc"]


def test_a_connection_that_ends_says_so() -> None:
    wire = Wire()
    request(wire, keep_alive=False).respond(200, b"", b"")
    assert wire.sent == [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"]


def test_a_caller_that_is_gone_or_waits_too_long_has_abandoned_its_request() -> None:
    gone, late = request(Wire()), request(Wire())
    assert not gone.is_abandoned()
    gone.hang_up()
    assert gone.is_abandoned()
    assert late.expire(NO_ANSWER_IN_TIME)
    assert late.is_abandoned()
