"""A failure as gRPC reports it: a status code, a sentence, and metadata for programs."""

from collections.abc import Sequence
from typing import Any

import grpc

from edgeinfer.web.problems import Problem

Metadata = Sequence[tuple[str, str]]
# gRPC's retry design (A6): a client that retries waits this long.
_PUSHBACK = "grpc-retry-pushback-ms"
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    503: grpc.StatusCode.UNAVAILABLE,
}


def code_of(status: int) -> Any:
    """GRPC's code for a status of HTTP."""
    return _CODES.get(status, grpc.StatusCode.INTERNAL)


def metadata_of(problem: Problem) -> Metadata:
    """What a program may want to know of a failure: its kind, and when to try again."""
    kind = ("error", problem.problem)
    seconds = problem.headers.get("retry-after")
    return (kind, (_PUSHBACK, str(int(seconds) * 1000))) if seconds else (kind,)
