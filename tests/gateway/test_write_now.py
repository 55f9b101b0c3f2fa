"""Samples that the event loop writes itself: only while the disk has just answered, and with the same promises."""

import asyncio
import errno
import random
import time
from collections.abc import Callable
from itertools import count
from threading import Event, Timer
from typing import Any

import pytest

from edgeinfer.errors import StorageError
from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.store.layout import LIVE
from tests.gateway.power_cut import Disk, PowerCutFiles
from tests.gateway.stores import make_store
from tests.gateway.test_sessions import batch


@pytest.fixture
def files() -> PowerCutFiles:
    return PowerCutFiles(Disk(), random.Random(1))  # noqa: S311 - no secret


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


async def proven(files: PowerCutFiles, **changes: Any) -> tuple[DurableSessions, str]:
    """A store with a session, on a disk that has just shown that it answers."""
    store = make_store(files, **changes)
    store.writer._sync_after = 0.02
    store.open()
    session = await store.start()
    store.writer._sync_after = 0.3
    await until(lambda: store.writer._proven_until > 0 and not store.writer._writing.locked())
    return store, session.id


async def test_a_proven_disk_is_written_without_the_thread(files: PowerCutFiles) -> None:
    store, session = await proven(files)
    syncs = store.log.syncs
    for first in range(0, 100, 25):
        stored = store.append_now(session, "default", batch(25, first))
        assert stored is not None
        assert stored.accepted == 25
    await until(lambda: store.log.syncs > syncs)
    after = make_store(PowerCutFiles(files.disk.synced_alone(), files.chance))
    after.open()
    assert after.get(session).total_samples == 100, "a sync follows what the caller wrote"
    after.close()
    store.close()


@pytest.mark.parametrize("durability", ["normal", "full"])
async def test_other_promises_are_the_threads(files: PowerCutFiles, durability: str) -> None:
    store = make_store(files, durability=durability)
    store.open()
    session = await store.start()
    await store.writer.sync()
    assert store.append_now(session.id, "default", batch(25)) is None
    assert store.get(session.id).total_samples == 0
    store.close()


async def test_nothing_is_written_before_the_disk_has_answered_or_while_it_is_asked(files: PowerCutFiles) -> None:
    store = make_store(files)
    store.writer._sync_after = 0.02
    store.open()
    session = await store.start()
    files.hangs = {"sync live": (back := Event())}
    assert store.append_now(session.id, "default", batch(25)) is None
    await until(store.writer._writing.locked)
    assert store.append_now(session.id, "default", batch(25)) is None
    back.set()
    await until(lambda: not store.writer._writing.locked())
    store.close()


async def test_a_disk_that_refuses_is_asked_by_the_thread_and_nothing_is_kept(files: PowerCutFiles) -> None:
    store, session = await proven(files)
    files.fails = {"append live": errno.ENOSPC}
    assert store.append_now(session, "default", batch(25)) is None
    with pytest.raises(StorageError, match="none was accepted"):
        await store.append(session, "default", batch(25))
    assert store.get(session).total_samples == 0
    files.fails = {}
    assert (await store.append(session, "default", batch(25))).accepted == 25
    store.close()


async def test_a_disk_that_makes_the_caller_wait_is_the_threads_for_a_while(files: PowerCutFiles) -> None:
    store, session = await proven(files)
    files.hangs = {"append live": (back := Event())}
    Timer(0.05, back.set).start()
    assert store.append_now(session, "default", batch(25)) is not None
    files.hangs = {}
    await until(lambda: not store.writer._writing.locked())
    assert store.append_now(session, "default", batch(25, 25)) is None
    assert (await store.append(session, "default", batch(25, 25))).stream.total == 50
    store.close()


async def test_a_segment_is_begun_by_the_thread(files: PowerCutFiles) -> None:
    store, session = await proven(files)
    store.log.segment_bytes = 2000
    assert store.append_now(session, "default", batch(25)) is not None
    assert store.append_now(session, "default", batch(25, 25)) is None
    assert (await store.append(session, "default", batch(25, 25))).accepted == 25
    store.close()


async def test_a_disk_that_answered_long_ago_is_asked_again(files: PowerCutFiles) -> None:
    store, session = await proven(files)
    later = time.monotonic() + 1.5
    store.writer._clock = lambda: later
    assert store.append_now(session, "default", batch(25)) is None
    store.writer._clock = time.monotonic
    store.close()


async def test_a_processor_that_was_busy_is_no_slow_disk(files: PowerCutFiles) -> None:
    store, session = await proven(files)
    store.writer._proven_until, ticks = 1e9, count(1000.0, 0.05)
    store.writer._sync_at = 1e9
    store.writer._clock = lambda: next(ticks)
    for first in (0, 25):
        assert store.append_now(session, "default", batch(25, first)) is not None, "it never waited"
    store.close()


async def test_a_full_store_takes_nothing_from_the_caller_either(files: PowerCutFiles) -> None:
    store, session = await proven(files)
    store.log._max_bytes = store.log.used_bytes
    assert store.append_now(session, "default", batch(25)) is None
    with pytest.raises(StorageError, match="holds its"):
        await store.append(session, "default", batch(25))
    assert store.get(session).total_samples == 0
    store.close()


async def test_samples_wait_for_those_of_their_session_that_are_on_their_way(files: PowerCutFiles) -> None:
    store, session = await proven(files)
    async with store.get(session).changing:
        assert store.append_now(session, "default", batch(25)) is None
    assert store.append_now(session, "default", batch(25)) is not None
    store.close()


async def test_housekeeping_knows_where_the_caller_wrote(files: PowerCutFiles) -> None:
    store, session = await proven(files)
    kept = store._kept[session]
    assert kept.roles_in(store.log.current(LIVE)) == []
    assert store.append_now(session, "default", batch(25)) is not None
    assert kept.roles_in(store.log.current(LIVE)) == ["default"]
    store.close()
