"""Bodies of requests, read in pieces and cut off where they grow too long."""

from starlette.requests import ClientDisconnect, Request

from edgeinfer.errors import BodyTooLarge, InvalidBody, UnsupportedContentType


async def read_json_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body of a JSON request.

    Raises:
        UnsupportedContentType: it is declared as something else.
        BodyTooLarge: longer than the limit; nothing beyond it was kept.
        InvalidBody: the caller hung up in the middle.
    """
    _check_type(request.headers.get("content-type"))
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit_bytes:
                raise _too_large(limit_bytes)
            chunks.append(chunk)
    except ClientDisconnect as failure:
        raise InvalidBody("body", "the connection ended in the middle of it", "Send it again.") from failure
    return b"".join(chunks) if len(chunks) != 1 else chunks[0]


def _check_type(content_type: str | None) -> None:
    if content_type is None:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedContentType("body", "it is not declared as JSON", "Send Content-Type: application/json.")


def _too_large(limit_bytes: int) -> BodyTooLarge:
    return BodyTooLarge("body", f"it is longer than {limit_bytes} bytes", "Send fewer samples at a time.")
