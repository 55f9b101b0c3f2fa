"""Answers of the server itself, in the one JSON shape of every error."""

from dataclasses import dataclass
from http import HTTPStatus

import orjson

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_MAY_PASS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE})

# The caller was gone before an answer began; the number is the one that proxies log for it.
CLIENT_CLOSED_REQUEST = 499


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served.

    Args:
        status: of HTTP.
        error: one word for programs.
        message: what is wrong.
        remedy: what to do.
        retry_after_seconds: 0 where trying again does not help.
    """

    status: int
    error: str
    message: str
    remedy: str
    retry_after_seconds: int = 0

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _MAY_PASS

    def encode(self) -> bytes:
        """The whole answer; it says that the connection closes."""
        body = orjson.dumps(
            {
                "error": self.error,
                "status": self.status,
                "message": self.message,
                "remedy": self.remedy,
                "retry": self.may_pass,
            }
        )
        retry = b"retry-after: %d\r\n" % self.retry_after_seconds if self.retry_after_seconds else b""
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n%b\r\n"
        return STATUS_LINES[self.status] + head % (len(body), retry) + body


class Refused(Exception):
    """A request that cannot be read any further.

    Args:
        refusal: the answer to it.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def malformed(message: str) -> Refused:
    """What came is not HTTP/1.1."""
    return Refused(Refusal(400, "invalid_head", message, "Send HTTP/1.1."))


def head_too_large(message: str) -> Refused:
    """More of a head, or of the framing of a body, than is read."""
    return Refused(Refusal(431, "invalid_head", message, "Send fewer or shorter headers."))
