"""A chip and a Raspberry Pi that fail; both are fakes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chaos.actions.action import Testbed, Users


@dataclass(frozen=True, slots=True)
class Device:
    """The fake chip shows a failure: `state` is a name that the fake's own script knows."""

    state: str

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        await testbed.set_device(self.state)
        try:
            yield
        finally:
            await testbed.set_device("")


@dataclass(frozen=True, slots=True)
class Flap:
    """The fake chip fails and recovers, over and over."""

    state: str
    bad_seconds: float
    well_seconds: float

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        flapping = asyncio.create_task(self._flap(testbed))
        try:
            yield
        finally:
            flapping.cancel()
            await testbed.set_device("")

    async def _flap(self, testbed: Testbed) -> None:
        while True:
            await testbed.set_device(self.state)
            await asyncio.sleep(self.bad_seconds)
            await testbed.set_device("")
            await asyncio.sleep(self.well_seconds)


@dataclass(frozen=True, slots=True)
class RaspberryPiCondition:
    """The firmware of the Raspberry Pi reports undervoltage or throttling, as the bits of its word."""

    word: int

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        await testbed.set_raspberry_pi(self.word)
        try:
            yield
        finally:
            await testbed.set_raspberry_pi(0)


@dataclass(frozen=True, slots=True)
class TrainLink:
    """The chip's PCIe link runs at this generation; chip and slot can do the third."""

    generation: int

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        await testbed.set_link(self.generation)
        try:
            yield
        finally:
            await testbed.set_link(None)
