"""What a stream is after its records were read again."""

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from edgeinfer.gateway.durable_sessions import DurableSessions
from edgeinfer.gateway.samples import Batch
from edgeinfer.gateway.store.layout import LIVE
from edgeinfer.gateway.store.records import probe
from edgeinfer.gateway.store.recovery import RecoveredStream
from edgeinfer.gateway.stream import NEWEST_SAMPLES
from edgeinfer.model.window import CHANNELS
from tests.gateway.power_cut import Disk, Inode, PowerCutFiles
from tests.gateway.stores import make_store
from tests.gateway.test_sessions import batch


def _batch(samples: int) -> Batch:
    return Batch(np.zeros(samples), np.zeros((samples, len(CHANNELS)), np.float32))


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_shorter_record_in_the_place_of_a_longer_one_costs_no_older_sample(repeats: int) -> None:
    stream = RecoveredStream()
    for before in range(0, 2600, 20):
        assert stream.add(before, 1, _batch(20)) == 0
    # These reached the file, and were never acknowledged: the gateway wrote their samples again.
    for _ in range(repeats):
        stream.add(2600, 1, _batch(57))
    stream.add(2600, 1, _batch(37))

    assert stream.total == 2637
    assert sum(len(part.batch) for part in stream.parts) >= NEWEST_SAMPLES


def test_what_is_older_than_the_newest_samples_is_let_go() -> None:
    stream = RecoveredStream()
    for before in range(0, 100_000, 20):
        stream.add(before, 1, _batch(20))
    assert sum(len(part.batch) for part in stream.parts) <= NEWEST_SAMPLES + 40


async def test_a_segment_goes_only_once_what_makes_it_superfluous_is_on_the_disk() -> None:
    disk, chance = Disk(), random.Random(0)  # noqa: S311 - this cut leaves nothing to chance
    store = make_store(
        PowerCutFiles(disk, chance), durability="bounded", max_unsynced_seconds=1000, max_bytes=4 * 1024 * 1024
    )
    store.open()
    session = await store.start()
    first, total, newer = store.log.current(LIVE), 0, 0
    while newer < NEWEST_SAMPLES:
        await store.append(session.id, "default", batch(25, total))
        total += 25
        if store.log.current(LIVE) == first + 2:
            newer += 25
        if newer == 25:  # the first segment goes; the start of the session is written again in the third
            await store.expire()
    await store.expire()
    assert not store.log.sealed(LIVE), "the second segment, which nobody needs any more, is removed"
    image = disk.synced_without_the_removed()
    store.close()

    after = make_store(PowerCutFiles(image, chance))
    after.open()
    stream = after.get(session.id).stream()
    after.close()
    assert len(stream.times) >= NEWEST_SAMPLES, f"of {total} acknowledged samples {len(stream.times)} are held"


async def _fill(store: DurableSessions, session_id: str, *, until_segment: int) -> int:
    """Append until a session's samples are in a later segment; how many were acknowledged."""
    total = store.get(session_id).stream().total
    while store.log.current(LIVE) < until_segment:
        await store.append(session_id, "default", batch(100, total))
        total += 100
    return total


def _after_kill(disk: Disk) -> DurableSessions:
    """A store on what a killed process leaves: all that was written, synced or not."""
    image = Disk({name: Inode(bytearray(inode.now), bytes(inode.now)) for name, inode in disk.names.items()})
    store = make_store(PowerCutFiles(image, random.Random(0)))  # noqa: S311 - no chance is taken
    store.open()
    store.close()
    return store


async def test_a_segment_that_is_opened_again_while_it_is_about_to_be_removed_stays() -> None:
    disk, chance = Disk(), random.Random(0)  # noqa: S311 - no chance is taken
    before = make_store(PowerCutFiles(disk, chance), max_bytes=4 * 1024 * 1024)
    before.open()
    await before.stop((await before.start()).id)
    before.close()
    store = make_store(PowerCutFiles(disk, chance), max_bytes=4 * 1024 * 1024)
    store.open()
    is_free = Event()
    with ThreadPoolExecutor(1) as removers:
        asyncio.get_running_loop().set_default_executor(removers)
        busy = asyncio.ensure_future(asyncio.to_thread(is_free.wait))
        removal = asyncio.ensure_future(store._move_live_out())  # the segment that was closed holds nothing needed
        await asyncio.sleep(0)
        session = await store.start()
        total = await _fill(store, session.id, until_segment=store.log.current(LIVE) + 1)
        is_free.set()
        await asyncio.gather(busy, removal)
    after = _after_kill(disk)
    store.close()

    assert after.get(session.id).stream().total == total
    assert len(after.get(session.id).stream()) == min(total, NEWEST_SAMPLES)
    assert "lost" not in after.kind


async def test_a_segment_stays_while_a_write_into_it_has_not_been_noted() -> None:
    disk = Disk()
    store = make_store(PowerCutFiles(disk, random.Random(0)), max_bytes=4 * 1024 * 1024)  # noqa: S311 - as above
    store.open()
    other = await store.start()
    first, is_free = store.log.current(LIVE), Event()
    await store.stop(other.id)

    def hold() -> None:
        is_free.wait()

    block = asyncio.ensure_future(store.writer.do(hold))
    await asyncio.sleep(0)
    starting = asyncio.ensure_future(store.start())
    await asyncio.sleep(0)
    sealing = asyncio.ensure_future(store.writer.do(lambda: store.log.seal(LIVE)))
    writing = asyncio.ensure_future(store.writer.write(probe(0, 64)))
    await asyncio.sleep(0)
    is_free.set()
    while first not in store.log.sealed(LIVE) or store.log.current(LIVE) == first:
        time.sleep(0.001)  # noqa: ASYNC251 - the loop must not learn of the answers before it looks
    await store._move_live_out()
    session = await starting
    await asyncio.gather(block, sealing, writing)
    after = _after_kill(disk)
    store.close()

    assert after.get(session.id).stream().total == 0
    assert "lost" not in after.kind
