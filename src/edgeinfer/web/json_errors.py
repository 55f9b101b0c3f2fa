"""Why a body is not JSON, in words for the one who sent it."""

import codecs
import re

import msgspec

# What msgspec raises at a body that it cannot decode: bytes that are no UTF-8 and nesting without end are no
# DecodeError of its own.
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NUMBER = rb"-?(?:NaN|Infinity|nan|inf)"
_WHERE_A_NUMBER_STANDS = re.compile(rb"[\[,:]\s*(" + _NUMBER + rb")\s*[\],}]")
# The marks of UTF-32 begin with those of UTF-16.
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
    (b"{\0\0\0", "UTF-32"),
    (b"\0\0\0{", "UTF-32"),
    (b"{\0", "UTF-16"),
    (b"\0{", "UTF-16"),
)


def why_not_json(body: bytes, failure: Exception) -> str:
    """The fault of a body that a decoder refused.

    Many libraries write NaN, Infinity, a byte order mark or UTF-16 without being asked, and "malformed at byte 419"
    does not say so.
    """
    if body.startswith(codecs.BOM_UTF8):
        return "it begins with a byte order mark (BOM), which JSON does not have"
    for beginning, encoding in _ENCODINGS:
        if body.startswith(beginning):
            return f"it is {encoding}, and JSON is UTF-8"
    if body.startswith(b"\x1f\x8b"):
        return "it is gzip, and no header Content-Encoding: gzip says so"
    found = _WHERE_A_NUMBER_STANDS.search(body)
    if found is None:
        return f"it is not JSON ({failure})"
    return f"it is not JSON ({found[1].decode()} at byte {found.start(1)} is not a number; numbers are finite)"
