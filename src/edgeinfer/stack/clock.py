"""Whether the clock of this machine can be believed."""

import ctypes
import sys
from collections.abc import Callable

# adjtimex(2): the kernel's own word on whether something keeps its clock right.
_STATUS_PLACE, _UNSYNCHRONIZED, _TIMEX_BYTES = 40, 0x0040, 512

IsSynchronized = Callable[[], bool]


def is_synchronized() -> bool:
    """Whether the kernel says that its clock is kept right by NTP; False where nobody can say."""
    if sys.platform != "linux" or sys.maxsize < 2**32:  # the structure has other places on 32 bits
        return False
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)  # mode 0: only read
    if ctypes.CDLL(None).adjtimex(buffer) < 0:
        return False
    status = int.from_bytes(buffer.raw[_STATUS_PLACE : _STATUS_PLACE + 4], sys.byteorder)
    return not status & _UNSYNCHRONIZED
