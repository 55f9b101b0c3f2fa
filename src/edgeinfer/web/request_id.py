"""The id that ties a request to its log line, its exemplar and the sidecar's side of it."""

import re
from random import getrandbits

_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def new_request_id() -> bytes:
    """Sixteen random hexadecimal digits; they distinguish requests and are not a secret."""
    # os.urandom would release the interpreter lock on every request, to be reacquired from busy workers.
    return b"%016x" % getrandbits(64)


def request_id_of(given: bytes) -> bytes:
    """The caller's id where it is a plain token of at most 64 characters, else a new one."""
    return given if _ACCEPTED.fullmatch(given) else new_request_id()
