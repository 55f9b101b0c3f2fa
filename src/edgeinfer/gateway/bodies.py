"""Bodies of requests, read in pieces and cut off where they grow too long."""

from collections.abc import Mapping

from starlette.requests import Request

from edgeinfer.errors import BodyTooLarge
from edgeinfer.web.content import JSON, check_json_type, decompress

_JSON = JSON.encode()


def json_body(headers: Mapping[bytes, bytes], body: bytes | None, limit_bytes: int) -> bytes:
    """The body of a JSON request that was read whole, with its compression undone.

    Args:
        headers: by names in lower case.
        body: as it came; None where it is too large.
        limit_bytes: longest body, compressed or not.

    Raises:
        UnsupportedContentType, BodyTooLarge, InvalidBody: as `read_json_body`.
    """
    declared = headers.get(b"content-type")
    if declared is not None and declared != _JSON:
        check_json_type(declared.decode("latin-1"))
    if body is None:
        raise _too_large(limit_bytes)
    coding = headers.get(b"content-encoding")
    return body if coding is None else decompress(body, coding.decode("latin-1"), limit_bytes)


async def read_json_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body of a JSON request, with its compression undone.

    Raises:
        UnsupportedContentType: it is declared as something else, or compressed in another way than gzip and deflate.
        BodyTooLarge: longer than the limit; nothing beyond it was kept.
        InvalidBody: its compressed data is damaged.
        ClientDisconnect: the caller hung up in the middle.
    """
    headers = request.headers
    check_json_type(headers.get("content-type", ""))
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        chunks.append(chunk)
    body = b"".join(chunks) if len(chunks) != 1 else chunks[0]
    return decompress(body, headers.get("content-encoding", ""), limit_bytes)


def _too_large(limit_bytes: int) -> BodyTooLarge:
    return BodyTooLarge("body", f"it is longer than {limit_bytes} bytes", "Send fewer samples at a time.")
