"""Stores for tests: on a real folder or on a disk in memory, with a clock that the test moves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.gateway.sessions import SessionTable
from edgeinfer.gateway.store.clock import StoreClock
from edgeinfer.gateway.store.files import DiskFiles, Files
from edgeinfer.metrics.registry import new_registry
from tests.gateway.rigs import Clock

BOOT = UUID(int=1)


def store_clock(clock: Callable[[], float], boot: UUID = BOOT) -> StoreClock:
    """The store's time on a clock that a test moves, which counts seconds since the boot."""
    return StoreClock(lambda: boot, lambda: int(clock() * 1000))


def make_store(
    place: Path | Files,
    clock: Clock | None = None,
    *,
    wall: Callable[[], float] | None = None,
    boot: UUID = BOOT,
    retention_seconds: float = 100,
    table: dict[str, Any] | None = None,
    **changes: Any,
) -> DurableSessions:
    """A store that is not open yet."""
    clock = clock or Clock()
    instruments = GatewayInstruments(new_registry(), motifs=("a",), sidecars=())
    sessions = SessionTable(instruments.sessions, clock=clock, wall=wall or clock, **(table or {}))
    files = DiskFiles(place) if isinstance(place, Path) else place
    return DurableSessions(
        sessions,
        files,
        instruments.store,
        retention_seconds=retention_seconds,
        clock=store_clock(clock, boot),
        wall=wall or clock,
        **changes,
    )


def durable(folder: Path, **changes: Any) -> Callable[[SessionTable], DurableSessions]:
    """For `make_rig`: a store in a folder."""

    def make(table: SessionTable) -> DurableSessions:
        instruments = GatewayInstruments(new_registry(), motifs=("a",), sidecars=())
        return DurableSessions(table, DiskFiles(folder), instruments.store, **changes)

    return make
