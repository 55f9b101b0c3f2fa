"""W3C Trace Context: what is taken for a caller's span, and what is not."""

import pytest

from edgeinfer.web.trace_context import TraceContext, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01".encode()


def test_a_callers_span_is_read_and_passed_on() -> None:
    context = parse(GOOD, b"vendor=1,other=2")
    assert context == TraceContext(TRACE, SPAN, is_sampled=True, state="vendor=1,other=2")
    assert context.headers() == {"traceparent": GOOD.decode(), "tracestate": "vendor=1,other=2"}


@pytest.mark.parametrize(("flags", "sampled"), [(b"00", False), (b"01", True), (b"02", False), (b"ff", True)])
def test_the_last_flag_says_whether_it_is_sampled(flags: bytes, *, sampled: bool) -> None:
    context = parse(GOOD[:-2] + flags)
    assert context is not None
    assert context.is_sampled is sampled


def test_a_later_version_is_read_as_far_as_this_one_goes() -> None:
    assert parse(b"cc" + GOOD[2:] + b"-what-comes-later") is not None


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        b"00",
        GOOD[:-1],
        GOOD + b"-more",
        GOOD + b"x",
        b" " + GOOD,
        GOOD.upper(),
        b"ff" + GOOD[2:],
        b"0g" + GOOD[2:],
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        GOOD.replace(b"-", b"_"),
        b"cc" + GOOD[2:] + b"x",
        b"cc" + GOOD[2:] + b"-" + b"a" * 10_000,
        b"\xff" * 55,
    ],
)
def test_what_is_malformed_is_as_if_it_were_not_there(parent: bytes) -> None:
    assert parse(parent) is None


@pytest.mark.parametrize("state", [b"a=" + b"x" * 2000, b"a=\xff", b"a=b\r\nx: y"])
def test_a_state_that_cannot_be_passed_on_is_dropped_whole(state: bytes) -> None:
    context = parse(GOOD, state)
    assert context is not None
    assert context.state == ""


def test_512_characters_of_state_are_passed_on() -> None:
    context = parse(GOOD, b"a=" + b"x" * 510)
    assert context is not None
    assert len(context.state) == 512
