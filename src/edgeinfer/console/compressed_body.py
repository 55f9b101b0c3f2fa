"""Answers as bytes: encoded once, compressed once, sent to each viewer who asked the same."""

import zlib
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

_LEVEL = 5
_WORTH_BYTES = 600


@dataclass(frozen=True, slots=True)
class CompressedBody:
    """A document in both forms."""

    plain: bytes
    compressed: bytes

    def response(
        self, request: Request, status: int = 200, *, media_type: str = "application/json", cache: str = "no-store"
    ) -> Response:
        """The form that this browser reads."""
        headers = {"Cache-Control": cache, "Vary": "Accept-Encoding"}
        if self.compressed and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(self.compressed, status, media_type=media_type, headers=headers)
        return Response(self.plain, status, media_type=media_type, headers=headers)


def encode(document: Any) -> CompressedBody:
    plain = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
    return CompressedBody(plain, _gzip(plain) if len(plain) > _WORTH_BYTES else b"")


def _gzip(plain: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    return compressor.compress(plain) + compressor.flush()
