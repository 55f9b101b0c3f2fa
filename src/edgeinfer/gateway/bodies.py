"""Bodies of requests, read in pieces and cut off where they grow too long."""

from starlette.requests import Request

from edgeinfer.errors import BodyTooLarge
from edgeinfer.web.content import check_json_type, decompress


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
