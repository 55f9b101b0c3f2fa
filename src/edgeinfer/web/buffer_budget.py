"""The bytes that all connections of a server hold together, bounded."""

from typing import Protocol


class Holder(Protocol):
    """What holds bytes that it may be made to give back: a connection."""

    def evict(self) -> None:
        """Give back what it holds, at once."""


class BufferBudget:
    """Counts what connections hold, and evicts the oldest holder when it is too much.

    The oldest, because an honest request is read and answered in milliseconds: who has held bytes the longest is
    who stalls. A client that keeps the newest out by holding much is itself the first to go.
    What belongs to a request that is being answered is counted and not evicted.

    Args:
        max_bytes: held at a time.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: dict[Holder, int] = {}  # in the order in which they began to hold
        self._held_bytes = 0
        self._pinned_bytes = 0

    @property
    def used_bytes(self) -> int:
        """All that is held and pinned."""
        return self._held_bytes + self._pinned_bytes

    def hold(self, holder: Holder, size: int) -> None:
        """Let a holder hold this much in place of what it held; this may evict it."""
        self._held_bytes += size - self._held.get(holder, 0)
        self._held[holder] = size
        self._evict()

    def release(self, holder: Holder) -> None:
        """The holder holds nothing any more."""
        self._held_bytes -= self._held.pop(holder, 0)

    def pin(self, size: int) -> bool:
        """Count what a request takes until `unpin`; returns False, and counts nothing, where that is too much."""
        if self._pinned_bytes + size > self._max_bytes:
            return False
        self._pinned_bytes += size
        self._evict()
        return True

    def unpin(self, size: int) -> None:
        self._pinned_bytes -= size

    def _evict(self) -> None:
        while self.used_bytes > self._max_bytes and self._held:
            oldest = next(iter(self._held))
            oldest.evict()
            self.release(oldest)
