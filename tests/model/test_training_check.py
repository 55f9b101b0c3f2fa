"""A data set that cannot be trained on is refused before it trains."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.check import UnusableDataset, check
from training.dataset import Dataset, LabelledRecording

_WORK = Path("nowhere")


def recording(person: int, **changes: Any) -> LabelledRecording:
    """Ten seconds at 50 Hz, the first half of each motif."""
    random = np.random.default_rng(person)
    still = np.add(random.normal(0, 0.1, (500, 3)), (9.8, 0, 0))
    made = LabelledRecording(
        person=person,
        rate_hz=50,
        accelerometer=still.astype(np.float32),
        gyroscope=random.normal(0, 0.5, (500, 3)).astype(np.float32),
        labels=np.repeat([0, 1], 250),
    )
    return replace(made, **changes)


def dataset(*recordings: LabelledRecording, **changes: Any) -> Dataset:
    made = Dataset(
        key="mine",
        name="My recordings",
        motifs=(("resting", "static", ""), ("running", "move", "")),
        test_people=frozenset({3}),
        validation_people=frozenset({2}),
        read=lambda _work: recordings or tuple(recording(person) for person in (1, 2, 3)),
        documentation={"data": "mine", "limits": ["many"]},
    )
    return replace(made, **changes)


def test_a_good_data_set_passes() -> None:
    check(dataset(), _WORK)


def others(*people: int) -> tuple[LabelledRecording, ...]:
    return tuple(recording(person) for person in people)


def small(**changes: Any) -> Dataset:
    return dataset(recording(1, **changes), *others(2, 3))


BAD = [
    (dataset(read=lambda _work: ()), "yields no recording"),
    (dataset(motifs=(("resting", "static", ""), ("running", "run", ""))), "has the group 'run'"),
    (dataset(motifs=(("resting", "static", ""), ("resting", "move", ""))), "needs a name of its own"),
    (dataset(motifs=(("resting", "static", ""),)), "has 1 motifs"),
    (dataset(test_people=frozenset()), "no test people"),
    (dataset(test_people=frozenset({2, 3})), "are test and validation people"),
    (dataset(documentation={}), "has no 'data'"),
    (dataset(*others(2, 3)), "nobody is left to train on"),
    (dataset(*others(1, 2)), "test people [3] have no recording"),
    (small(labels=np.repeat([0, 2], 250)), "labels run from 0 to 2, not from -1 to 1"),
    (small(labels=np.zeros(500, np.int64)), "motif 'running' has 0.0 s of training people"),
    (small(labels=np.zeros(400, np.int64)), "have the shapes"),
    (small(rate_hz=10), "rate of 10 Hz"),
    (small(accelerometer=np.full((500, 3), 0.577, np.float32)), "it is in g"),
    (small(accelerometer=np.zeros((500, 3), np.float32)), "without gravity"),
    (small(accelerometer=np.full((500, 3), np.nan, np.float32)), "not finite"),
    (small(gyroscope=np.full((500, 3), 120, np.float32)), "it is in degrees"),
    (
        dataset(
            recording(
                1,
                accelerometer=np.full((30, 3), 5.7, np.float32),
                gyroscope=np.zeros((30, 3), np.float32),
                labels=np.zeros(30, np.int64),
            ),
            *others(1, 2, 3),
        ),
        "shorter than a window",
    ),
]


@pytest.mark.parametrize(("bad", "words"), BAD, ids=[words for _, words in BAD])
def test_what_would_fail_after_training_is_named_before(bad: Dataset, words: str) -> None:
    with pytest.raises(UnusableDataset) as refused:
        check(bad, _WORK)
    assert words in str(refused.value)
