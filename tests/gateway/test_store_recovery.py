"""What a stream is after its records were read again."""

import numpy as np
import pytest

from edgeinfer.gateway.samples import CHANNELS, Batch
from edgeinfer.gateway.store.recovery import RecoveredStream
from edgeinfer.gateway.stream import NEWEST_SAMPLES


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
