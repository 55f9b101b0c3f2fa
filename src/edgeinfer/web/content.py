"""What a body is declared as, and its compression undone within bounds: the same words in every service."""

import zlib

from edgeinfer.errors import BodyTooLarge, InvalidBody, UnsupportedContentEncoding, UnsupportedContentType

JSON = "application/json"
_CODINGS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_RAW_DEFLATE = -zlib.MAX_WBITS
_UNREADABLE_CHARSETS = ("utf-16", "utf16", "utf-32", "utf32", "ucs-2", "ucs2", "ucs-4", "ucs4")
_MAX_SHOWN_CHARACTERS = 80


def media_type(content_type: str) -> str:
    """The media type of a Content-Type header, in lower case without its parameters; empty where it is missing."""
    return content_type.partition(";")[0].strip().lower()


def check_json_type(content_type: str) -> None:
    """Whether a body may be read as JSON: it is declared as such, or as nothing.

    Raises:
        UnsupportedContentType: it is declared as something else, or in a charset that JSON has not.
    """
    if media_type(content_type) not in {JSON, ""}:
        fault = f"it is {content_type[:_MAX_SHOWN_CHARACTERS]}, not JSON"
        raise UnsupportedContentType("Content-Type", fault, f"Send Content-Type: {JSON}.")
    check_charset(content_type)


def check_charset(content_type: str) -> None:
    """Refuse a charset in which no JSON is written (RFC 8259, 8.1); one that writes ASCII alike does no harm.

    Raises:
        UnsupportedContentType: it is UTF-16 or UTF-32.
    """
    if ";" not in content_type:
        return
    for parameter in content_type.lower().split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.strip() == "charset" and value.strip(' "').startswith(_UNREADABLE_CHARSETS):
            raise UnsupportedContentType("Content-Type", f"the charset is {value.strip()}", "Send JSON as UTF-8.")


def decompress(body: bytes, content_encoding: str, max_bytes: int) -> bytes:
    """A body as it was before it was compressed.

    Args:
        body: as it came.
        content_encoding: the header; empty where it is missing.
        max_bytes: longest result; nothing beyond it is produced.

    Raises:
        UnsupportedContentEncoding: it is neither gzip nor deflate, or several of them.
        InvalidBody: the compressed data is damaged, cut off, or followed by something.
        BodyTooLarge: more would come out.
    """
    coding = content_encoding.strip().lower()
    if coding in {"", "identity"}:
        return body
    window_bits = _CODINGS.get(coding)
    if window_bits is None:
        fault = f"{content_encoding[:_MAX_SHOWN_CHARACTERS]} is not undone here"
        raise UnsupportedContentEncoding("Content-Encoding", fault, "Send the body as it is, or as gzip or deflate.")
    if coding == "deflate" and not _has_zlib_header(body):
        window_bits = _RAW_DEFLATE
    return _inflate(body, coding, window_bits, max_bytes)


def _has_zlib_header(body: bytes) -> bool:
    """Whether deflate means zlib's format (RFC 1950), as HTTP has it; some clients send it without the header."""
    return len(body) > 1 and body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2]) % 31 == 0


def _inflate(body: bytes, coding: str, window_bits: int, max_bytes: int) -> bytes:
    decompressor = zlib.decompressobj(window_bits)
    try:
        content = decompressor.decompress(body, max_bytes + 1)
    except zlib.error as failure:
        raise _damaged(coding, f"it is not {coding} data ({failure})") from failure
    if len(content) > max_bytes:
        fault = f"it is longer than {max_bytes} bytes when {coding} is undone"
        raise BodyTooLarge("body", fault, "Send less at a time.")
    if not decompressor.eof:
        raise _damaged(coding, f"its {coding} data is cut off")
    if decompressor.unused_data:
        raise _damaged(coding, f"something follows its {coding} data")
    return content


def _damaged(coding: str, fault: str) -> InvalidBody:
    return InvalidBody("body", fault, f"Compress the body as one piece of {coding}, or send it as it is.")
