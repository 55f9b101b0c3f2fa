"""W3C Trace Context: what a caller says of the trace that its request belongs to, and what is passed on."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from random import getrandbits

# Versions above 00 are read as far as 00 goes; ff is invalid, and so are identifiers of zeros.
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MAX_PARENT_BYTES = 256
# The specification asks for 512 at least; more is dropped whole, because a cut one would be another one.
_MAX_STATE_BYTES = 1024
_STATE = re.compile(rb"[\x20-\x7e]*")
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One span, as it is named between processes.

    Args:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        is_sampled: whether the trace is recorded.
        state: `tracestate`, unchanged.
    """

    trace_id: str
    span_id: str
    is_sampled: bool
    state: str = ""

    def child(self, *, is_sampled: bool) -> "TraceContext":
        """A new span of the same trace."""
        return TraceContext(self.trace_id, new_span_id(), is_sampled, self.state)

    def headers(self) -> dict[str, str]:
        """What goes to the next process."""
        found = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{_SAMPLED if self.is_sampled else 0:02x}"}
        return found | {"tracestate": self.state} if self.state else found


def new_trace_id() -> str:
    """32 random hexadecimal digits, not all of them zeros."""
    return f"{getrandbits(128) or 1:032x}"


def new_span_id() -> str:
    """16 random hexadecimal digits, not all of them zeros."""
    return f"{getrandbits(64) or 1:016x}"


def parse(parent: bytes, state: bytes = b"") -> TraceContext | None:
    """The caller's span; None where there is none, or it is malformed, which is as if there were none.

    Args:
        parent: `traceparent`.
        state: `tracestate`.
    """
    if not parent or len(parent) > _MAX_PARENT_BYTES:
        return None
    found = _TRACEPARENT.fullmatch(parent)
    if found is None or (found[1] == b"00" and found[5] is not None):
        return None
    is_state = len(state) <= _MAX_STATE_BYTES and _STATE.fullmatch(state) is not None
    is_sampled = bool(int(found[4], 16) & _SAMPLED)
    return TraceContext(found[2].decode(), found[3].decode(), is_sampled, state.decode() if is_state else "")


def parse_headers(headers: Mapping[bytes, bytes]) -> TraceContext | None:
    """The same, from headers by names in lower case."""
    parent = headers.get(b"traceparent")
    return None if parent is None else parse(parent, headers.get(b"tracestate", b""))


class RequestTrace:
    """The trace that a request belongs to; this one is not recorded here, and only passed on.

    Args:
        context: that the next process is given.
    """

    is_recorded = False

    def __init__(self, context: TraceContext) -> None:
        self.context = context

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return self.context.trace_id

    def call_headers(self) -> dict[str, str]:
        """What goes with a call to another process."""
        return self.context.headers()

    def add(self, name: str, started: float, ended: float, **attributes: str | float) -> None:
        """A stage of the request took this time, in seconds of `perf_counter`; nothing happens where none is recorded.

        Args:
            name: of the stage.
            started: when it began.
            ended: when it ended.
            attributes: of its span.
        """

    def add_call(self, sidecar: str, started: float, ended: float, inside_seconds: float | None, error: str) -> None:
        """A call to a sidecar took this time; its own span is the parent of the sidecar's.

        Args:
            sidecar: its name.
            started: in seconds of `perf_counter`.
            ended: the same.
            inside_seconds: that the sidecar accounts for, None where it does not say.
            error: its type, or empty.
        """


current_trace: ContextVar[RequestTrace | None] = ContextVar("current_trace", default=None)
"""Of the request that this task answers; None where the caller named none and none is recorded."""
