"""Whether a data set can be trained on, before a minute is spent on it: `python -m training.check --dataset mine`.

Needs no torch. What is found here would otherwise end a build after it trained, or be learned without a word.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.dataset import GRAVITY, UNLABELLED, Dataset, LabelledRecording
from training.registry import DATASETS

GROUPS = ("move", "static", "transition")
MIN_RATE_HZ = 16
"""As the gateway asks of a phone."""
MIN_LABELLED_SECONDS = 2.0
"""Of each motif, for each kind of people: one window of a second can still fall between two labels."""
_GRAVITY_RANGE = (0.5 * GRAVITY, 2.0 * GRAVITY)
_MAX_TURN_RATE = 50.0  # rad/s: eight turns a second
_DOCUMENTED = ("data", "limits")


class UnusableDataset(Exception):
    """Why a data set cannot be trained on, one line for each reason."""


def check(dataset: Dataset, work: Path) -> None:
    """Read every recording once.

    Raises:
        UnusableDataset: naming everything that is wrong, each with what to do.
    """
    found = list(_of_description(dataset))
    recordings = list(dataset.read(work))
    if not recordings:
        found.append("read() yields no recording")
    for number, recording in enumerate(recordings):
        found += [
            f"recording {number} of person {recording.person}: {fault}" for fault in _of_recording(dataset, recording)
        ]
    if not found:
        found += _of_people(dataset, recordings)
    if found:
        raise UnusableDataset("\n".join(f"{dataset.name}: {fault}" for fault in found))


def _of_description(dataset: Dataset) -> Iterator[str]:
    names = [name for name, _group, _description in dataset.motifs]
    if len(names) < 2:
        yield f"it has {len(names)} motifs; name two or more"
    for name in (name for name, count in Counter(names).items() if count > 1 or not name):
        yield f"motif {name!r} needs a name of its own"
    for name, group, _description in dataset.motifs:
        if group not in GROUPS:
            yield f"motif {name!r} has the group {group!r}; choose one of {', '.join(GROUPS)}"
    for kind, people in (("test", dataset.test_people), ("validation", dataset.validation_people)):
        if not people:
            yield f"it has no {kind} people; keep some apart"
    if both := sorted(dataset.test_people & dataset.validation_people):
        yield f"people {both} are test and validation people; every choice would have seen the test"
    for field in _DOCUMENTED:
        if not dataset.documentation.get(field):
            yield f"its documentation has no {field!r}, which belongs into the card"


def _of_recording(dataset: Dataset, recording: LabelledRecording) -> Iterator[str]:
    shapes = (recording.accelerometer.shape, recording.gyroscope.shape, recording.labels.shape)
    count = len(recording.labels)
    if shapes != ((count, 3), (count, 3), (count,)):
        yield f"its accelerometer, gyroscope and labels have the shapes {shapes}, not (n, 3), (n, 3), (n,)"
        return
    if recording.rate_hz < MIN_RATE_HZ or recording.rate_hz != int(recording.rate_hz):
        yield f"its rate of {recording.rate_hz} Hz is not a whole number of {MIN_RATE_HZ} Hz or more"
    elif count < recording.rate_hz:
        yield f"its {count} samples are shorter than a window of one second"
    lowest, highest = (int(recording.labels.min()), int(recording.labels.max())) if count else (0, 0)
    if lowest < UNLABELLED or highest >= len(dataset.motifs):
        yield f"its labels run from {lowest} to {highest}, not from -1 to {len(dataset.motifs) - 1}"
    yield from _of_units(recording)


def _of_units(recording: LabelledRecording) -> Iterator[str]:
    for name, values in (("accelerometer", recording.accelerometer), ("gyroscope", recording.gyroscope)):
        if not np.isfinite(values).all():
            yield f"its {name} holds numbers that are not finite; cut the recording there"
            return
    if not len(recording.accelerometer):
        return
    level = float(np.median(np.linalg.norm(recording.accelerometer, axis=1)))
    if not _GRAVITY_RANGE[0] <= level <= _GRAVITY_RANGE[1]:
        unit = "g" if 0.5 <= level <= 2.0 else "another unit, or without gravity"
        yield f"its acceleration is about {level:.3g}, not 9.8 m/s²: it is in {unit}"
    turning = float(np.percentile(np.abs(recording.gyroscope), 99))
    if turning > _MAX_TURN_RATE:
        yield f"its gyroscope reaches {turning:.3g}, more than any person turns in rad/s: it is in degrees"


def _of_people(dataset: Dataset, recordings: list[LabelledRecording]) -> Iterator[str]:
    everyone = {recording.person for recording in recordings}
    fit = everyone - dataset.test_people - dataset.validation_people
    if not fit:
        yield "everyone is a test or validation person; nobody is left to train on"
    for kind, people in (("training", fit), ("validation", dataset.validation_people), ("test", dataset.test_people)):
        if absent := sorted(people - everyone):
            yield f"{kind} people {absent} have no recording"
        seconds = _labelled_seconds(dataset, recordings, people)
        for index, (name, _group, _description) in enumerate(dataset.motifs):
            if people and seconds[index] < MIN_LABELLED_SECONDS:
                few = f"{seconds[index]:.1f} s of {kind} people, less than {MIN_LABELLED_SECONDS:g} s"
                yield f"motif {name!r} has {few}"


def _labelled_seconds(
    dataset: Dataset, recordings: list[LabelledRecording], people: frozenset[int] | set[int]
) -> list[float]:
    theirs = [recording for recording in recordings if recording.person in people]
    return [
        sum(float((recording.labels == index).sum()) / recording.rate_hz for recording in theirs)
        for index in range(len(dataset.motifs))
    ]


def check_or_exit(dataset: Dataset, work: Path) -> None:
    """End the process with what is wrong, before it trains."""
    try:
        check(dataset, work)
    except UnusableDataset as failure:
        sys.exit(str(failure))


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="hapt", choices=sorted(DATASETS))
    parser.add_argument("--work", type=Path, default=Path("build/training"))
    given = parser.parse_args()
    check_or_exit(DATASETS[given.dataset], given.work)
    print(f"{DATASETS[given.dataset].name} can be trained on")


if __name__ == "__main__":
    main()
