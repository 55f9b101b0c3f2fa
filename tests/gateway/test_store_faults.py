"""A disk that fails or hangs while the gateway runs: one job fails, and nothing waits forever."""

import asyncio
import errno
import random
from threading import Event

import pytest

from edgeinfer.errors import StorageError
from edgeinfer.gateway.durable_sessions import DurableSessions
from tests.gateway.power_cut import Disk, PowerCutFiles
from tests.gateway.rigs import Clock
from tests.gateway.stores import make_store
from tests.gateway.test_sessions import batch


@pytest.fixture
def files() -> PowerCutFiles:
    return PowerCutFiles(Disk(), random.Random(1))  # noqa: S311 - no secret


def again(files: PowerCutFiles) -> DurableSessions:
    """The next start on the same files."""
    store = make_store(PowerCutFiles(files.disk, files.chance))
    store.open()
    return store


@pytest.mark.parametrize("durability", ["full", "bounded"])
async def test_a_sync_that_fails_costs_its_jobs_and_no_later_one(files: PowerCutFiles, durability: str) -> None:
    store = make_store(files, durability=durability)
    store.open()
    session = await store.start()
    await store.append(session.id, "default", batch(100))
    files.fails = {"sync live": errno.EIO}
    # With bounded the sync comes later: the check is reported.
    failing = store.check() if durability == "bounded" else store.append(session.id, "default", batch(25, 100))
    with pytest.raises(StorageError):
        await failing
    files.fails = {}
    total = store.get(session.id).total_samples
    await store.append(session.id, "default", batch(25, total))
    await store.expire()
    assert await store.check() in {"", "1 writes were refused since the check before"}
    await store.writer.sync()
    # What the failed sync was to write may be gone: all of it was written again, to a file that can be trusted.
    assert "live-00000001.log" not in files.disk.names
    store.close()
    after = again(files)
    assert after.get(session.id).total_samples == total + 25
    assert after.get(session.id).held_samples == total + 25
    after.close()


async def test_an_error_in_housekeeping_is_said_and_tried_again(
    files: PowerCutFiles, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    store = make_store(files, clock, max_bytes=4 * 1024 * 1024)
    store.open()
    session = await store.start()
    files.fails = {"remove live": errno.EIO}
    for first in range(0, 30_000, 500):
        await store.append(session.id, "default", batch(500, first))
    assert store.log.used_bytes > 1024 * 1024, "files that stay are not counted"
    with pytest.raises(StorageError, match="old files could not be removed"):
        await store.expire()
    files.fails = {}
    await store.expire()
    await store.append(session.id, "default", batch(25, store.get(session.id).total_samples))
    assert store.log.used_bytes < 1024 * 1024
    assert store.writer._thread is not None
    assert store.writer._thread.is_alive()
    expected = store.get(session.id).total_samples
    store.close()
    after = again(files)
    assert after.get(session.id).total_samples == expected
    after.close()


async def test_an_error_that_nobody_expects_ends_neither_the_thread_nor_a_wait(
    files: PowerCutFiles, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(files)
    store.open()
    session = await store.start()

    def break_down() -> None:
        raise ZeroDivisionError("a fault in the code")

    with pytest.raises(StorageError, match="a fault in the code"):
        await store.writer.do(break_down)
    assert "unexpected error in the store's writer" in caplog.text
    await store.append(session.id, "default", batch(25))
    store.close()


async def test_a_disk_that_hangs_is_not_waited_for(files: PowerCutFiles) -> None:
    store = make_store(files)
    store.open()
    session = await store.start()
    store.writer._patience = 0.05
    files.hangs = {"append live": (back := Event())}
    for _ in range(3):
        with pytest.raises(StorageError, match="did not take them within"):
            await store.append(session.id, "default", batch(25))
    back.set()
    store.writer._patience = 10.0
    await store.append(session.id, "default", batch(25))
    assert store.get(session.id).total_samples == 25
    store.close()
    after = again(files)
    assert after.get(session.id).total_samples == 25
    assert after.get(session.id).held_samples == 25
    after.close()


async def test_a_sweep_holds_no_phone_however_slow_the_disk_removes(files: PowerCutFiles) -> None:
    clock = Clock()
    store = make_store(files, clock)
    store.open()
    for _ in range(40):
        session = await store.start()
        await store.append(session.id, "default", batch(2000))
        await store.stop(session.id)
        await store.writer.do(lambda: store.log.seal("archive"))
    live = await store.start()
    clock.now += 101
    files.hangs = {"remove archive": (removed := Event())}
    sweeping = asyncio.ensure_future(store.expire())
    while len(store.log.sealed("archive")) == 40:  # noqa: ASYNC110 - another thread removes them
        await asyncio.sleep(0)
    try:
        for first in range(0, 1000, 25):
            await store.append(live.id, "default", batch(25, first))
        assert not sweeping.done(), "the removal was over before a phone could have waited for it"
        assert len(store.log.sealed("archive")) == 32, "more than a portion at once"
    finally:
        removed.set()
    await sweeping
    assert store.log.sealed("archive") == {}
    store.close()


async def test_sessions_that_go_before_their_time_are_said(
    files: PowerCutFiles, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(files, max_bytes=2 * 1024 * 1024, retention_seconds=1e6)
    store.open()
    for _ in range(40):
        session = await store.start()
        await store.append(session.id, "default", batch(1500))
        await store.stop(session.id)
        await store.expire()
        assert store.log.used_bytes <= 2 * 1024 * 1024
    assert "dropped before their time" in caplog.text
    assert "archive segments were dropped before their time" in store.kind
    (family,) = store._instruments.early_drops.collect()
    assert family.samples[0].value > 0
    store.close()


async def test_a_full_disk_lets_sessions_end_from_the_reserve(files: PowerCutFiles) -> None:
    store = make_store(files)
    store.open()
    sessions = [await store.start() for _ in range(3)]
    files.fails = {"append": errno.ENOSPC}
    with pytest.raises(StorageError):
        await store.append(sessions[0].id, "default", batch(25))
    assert "reserve" in files.disk.names

    def room() -> None:
        files.fails = {} if "reserve" not in files.disk.names else files.fails

    remove = files.remove

    def removing(name: str) -> None:
        remove(name)
        room()

    files.remove = removing  # type: ignore[method-assign]  # the room that the reserve gives back
    assert (await store.stop(sessions[0].id)).reason == "stopped"
    store.close()


async def test_of_writes_that_share_a_commit_the_one_without_room_fails_alone(files: PowerCutFiles) -> None:
    store = make_store(files)
    store.open()
    sessions = [await store.start() for _ in range(5)]
    files.free_bytes = 20_000
    outcomes = await asyncio.gather(
        store.append(sessions[0].id, "default", batch(2000)),
        *(store.append(session.id, "default", batch(25)) for session in sessions[1:]),
        return_exceptions=True,
    )
    assert [isinstance(outcome, StorageError) for outcome in outcomes] == [True, False, False, False, False]
    store.close()
