"""What a stream is after its records were read again."""

import random

import numpy as np
import pytest

from edgeinfer.gateway.samples import CHANNELS, Batch
from edgeinfer.gateway.store.layout import LIVE
from edgeinfer.gateway.store.recovery import RecoveredStream
from edgeinfer.gateway.stream import NEWEST_SAMPLES
from tests.gateway.power_cut import Disk, PowerCutFiles
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
    assert sum(len(part) for _, _, part in stream.parts) >= NEWEST_SAMPLES


def test_what_is_older_than_the_newest_samples_is_let_go() -> None:
    stream = RecoveredStream()
    for before in range(0, 100_000, 20):
        stream.add(before, 1, _batch(20))
    assert sum(len(part) for _, _, part in stream.parts) <= NEWEST_SAMPLES + 40


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
