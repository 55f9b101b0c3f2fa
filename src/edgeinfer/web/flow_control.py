"""The transport of a connection, with both directions held back as far as the other side does."""

import asyncio
import select
from typing import cast


class FlowControl:
    """What of a transport the server uses; every call is safe after the connection ended.

    Args:
        loop: the event loop.
    """

    __slots__ = ("_drained", "_loop", "_transport", "is_paused", "is_reading_paused", "sees_end")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._drained: asyncio.Future[None] | None = None
        self.is_reading_paused = False
        """Whether what the client sends is left in the kernel."""
        self.is_paused = False
        """Whether the kernel has not taken all that was written."""
        self.sees_end = False
        """Whether the client sends nothing more."""

    def begin(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # Whatever the kernel does not take at once is reported by pause_writing, and its end by resume_writing.
        self._transport.set_write_buffer_limits(high=0)

    def end(self) -> None:
        self._transport = None
        self._wake()

    @property
    def is_open(self) -> bool:
        """Whether something may be written."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def unsent_bytes(self) -> int:
        """What the client has not taken."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def is_peer_gone(self) -> bool:
        """Whether a peer that sends nothing more has closed the connection as a whole.

        On TCP both look alike until something is written; on a Unix socket the kernel says which it is.
        """
        if self._transport is None:
            return True
        poller = select.poll()
        poller.register(self._transport.get_extra_info("socket").fileno(), 0)
        return bool(poller.poll(0))

    def address(self, name: str) -> tuple[str, int] | None:
        """Host and port of "peername" or "sockname"; None on a Unix socket."""
        given = None if self._transport is None else self._transport.get_extra_info(name)
        return (str(given[0]), int(given[1])) if isinstance(given, tuple) else None

    # Writing.

    def write(self, *parts: bytes) -> None:
        """Hand bytes to the kernel, or keep those that it does not take."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if len(parts) == 1:
            transport.write(parts[0])
        else:
            transport.writelines(parts)

    async def drained(self) -> None:
        """Wait until the client has taken all, or is gone."""
        if self.is_paused and self._transport is not None:
            self._drained = self._loop.create_future()
            await self._drained

    def set_paused(self, *, is_paused: bool) -> None:
        """The client has not taken, or has taken, all that was written."""
        self.is_paused = is_paused
        if not is_paused:
            self._wake()

    def finish(self) -> None:
        """Say that nothing more is sent, once all is; a client then closes."""
        if self._transport is None or self.is_paused:
            return
        if self.sees_end:
            self._transport.close()
        else:
            self._transport.write_eof()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, whatever was not taken."""
        if self._transport is not None:
            self._transport.abort()

    # Reading.

    def pause_reading(self) -> None:
        """Leave what the client sends in the kernel, which holds it back."""
        if not self.is_reading_paused and not self.sees_end and self.is_open:
            self.is_reading_paused = True
            cast("asyncio.Transport", self._transport).pause_reading()

    def resume_reading(self) -> None:
        if self.is_reading_paused and self.is_open:
            self.is_reading_paused = False
            cast("asyncio.Transport", self._transport).resume_reading()

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
