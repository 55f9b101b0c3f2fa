"""The store's time: milliseconds that only rise, through restarts, and know nothing of the wall clock.

A Raspberry Pi has no battery for its clock: it begins in the past, and jumps once the network answers. So the store
counts for itself: while the machine is up by the kernel's clock since boot, which advances while no gateway runs;
after a boot from where the newest record stands, because nothing says how long the machine was off.
"""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from edgeinfer.gateway.store.records import Anchor

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> UUID:
    """This boot of the machine, as Linux names it."""
    return UUID(_BOOT_ID.read_text().strip())


def boot_ms() -> int:
    """Milliseconds since the boot; they advance during suspend, and setting a clock does not change them."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class StoreClock:
    """The store's time, once `resume` has been called.

    Args:
        boot: names this boot of the machine.
        since_boot: milliseconds since then.
    """

    def __init__(self, boot: Callable[[], UUID] = boot_id, since_boot: Callable[[], int] = boot_ms) -> None:
        self._boot = boot
        self._since_boot = since_boot
        self._offset_ms = 0

    def resume(self, anchor: tuple[int, Anchor] | None, newest_ms: int) -> None:
        """Continue from the state in the files.

        Args:
            anchor: the newest one with the store's time at which it was written, None where there is none.
            newest_ms: the store's time of the newest record.
        """
        since_boot, resumed = self._since_boot(), newest_ms
        if anchor is not None and anchor[1].boot_id == self._boot():
            resumed = max(newest_ms, anchor[0] + since_boot - anchor[1].boot_ms)
        self._offset_ms = resumed - since_boot

    def now_ms(self) -> int:
        return self._since_boot() + self._offset_ms

    def anchor(self) -> Anchor:
        """What ties this time to this boot."""
        return Anchor(self._boot(), self._since_boot())
