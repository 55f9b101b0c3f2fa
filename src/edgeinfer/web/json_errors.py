"""Why a body is not JSON, in words for the one who sent it."""

import re

import msgspec

# What msgspec raises at a body that it cannot decode: bytes that are no UTF-8 and nesting without end are no
# DecodeError of its own.
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NUMBER = rb"-?(?:NaN|Infinity|nan|inf)"
_WHERE_A_NUMBER_STANDS = re.compile(rb"[\[,:]\s*(" + _NUMBER + rb")\s*[\],}]")


def why_not_json(body: bytes, failure: Exception) -> str:
    """The fault of a body that a decoder refused.

    Many libraries write NaN and Infinity without being asked, and "malformed at byte 419" does not say so.
    """
    found = _WHERE_A_NUMBER_STANDS.search(body)
    if found is None:
        return f"it is not JSON ({failure})"
    return f"it is not JSON ({found[1].decode()} at byte {found.start(1)} is not a number; numbers are finite)"
