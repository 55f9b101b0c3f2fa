"""What one connection and all of them together may take of memory, time and numbers: every bound in one place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of a server's connections.

    Args:
        max_head_bytes: of a request line and its headers.
        max_headers: of one request.
        max_framing_bytes: of a chunked body: sizes, extensions and trailers, in addition to a quarter of its content.
        max_body_bytes: of one request; a direct route may have a smaller one of its own.
        max_buffered_bytes: that all connections together hold of heads and bodies under way, of requests that wait
            for their turn, and of answers that are not taken; past it the oldest holder is refused or aborted.
        max_connections: open at a time; further ones are answered 503.
        max_refused_connections: that are answered 503 and wait to be closed; still more are closed unanswered.
        max_running_requests: in the ASGI application at a time; further ones are answered 503.
        idle_seconds: between an answer and the first byte of the next request.
        head_seconds: from the first byte of a head to its end, and from the connection to its first byte.
        body_seconds: from the end of a head to the end of its body.
        answer_seconds: from a whole request to the end of its answer.
        take_seconds: for the client to take an answer, and as many more as it needs at `min_take_bytes_per_second`.
        min_take_bytes_per_second: the slowest reader that is waited for.
        discard_seconds: during which a refused client's bytes are read and thrown away, so that it gets the answer
            and not a reset.
        max_discarded_bytes: of them.
    """

    max_head_bytes: int = 32 * 1024
    max_headers: int = 128
    max_framing_bytes: int = 2 * 1024
    max_body_bytes: int = 64 * 1024
    max_buffered_bytes: int = 8 * 1024 * 1024
    max_connections: int = 4096
    max_refused_connections: int = 256
    max_running_requests: int = 256
    idle_seconds: float = 75.0
    head_seconds: float = 30.0
    body_seconds: float = 30.0
    answer_seconds: float = 120.0
    take_seconds: float = 30.0
    min_take_bytes_per_second: int = 16 * 1024
    discard_seconds: float = 5.0
    max_discarded_bytes: int = 64 * 1024 * 1024
