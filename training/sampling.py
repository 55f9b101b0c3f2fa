"""Measures what other sampling rates, losses, jitter and holes cost, for the card: `python -m training.sampling`.

Each held-out recording is taken as the movement itself and sampled again, as a phone does that samples at another
rate, loses readings, or takes them at irregular moments (their times stay true). `before` is the newest 100 samples
whatever their times, which is what a gateway sees that does not look at them; `after` is the gateway's own window.
Needs no torch.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from scipy.interpolate import CubicSpline
from sklearn.metrics import f1_score

from edgeinfer.errors import InputError
from edgeinfer.gateway import resampling
from edgeinfer.model.card import default_folder, load_card
from training import card_json
from training.dataset import UNLABELLED, Dataset, FloatArray, IntArray, LabelledRecording
from training.registry import DATASETS
from training.windows import HOP, LENGTH, RATE_HZ, majority, resample

RATES_HZ = (25.0, 50.0, 100.0, 200.0)
LOSSES = (0.0, 0.01, 0.05)
JITTERS_SECONDS = (0.0, 0.01)
LOW_RATES_HZ = (5.0, 8.0, 10.0, 12.5, 16.0, 20.0, 33.0)
HOLES_SECONDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
SEED = 20160102
_CHANNELS = 9
_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Habit:
    """How a phone samples.

    Args:
        rate_hz: nominal.
        loss: share of the samples that never arrive.
        jitter_seconds: each sample is taken so much early or late at most.
        hole_seconds: length of one hole in each second.
    """

    rate_hz: float
    loss: float = 0.0
    jitter_seconds: float = 0.0
    hole_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Movement:
    """One recording as a movement that can be sampled at any time.

    Args:
        curve: (t) -> (n, 6).
        seconds: its length.
        ends: (n,) times at which a labelled window ends.
        labels: (n,) motif of each.
    """

    curve: CubicSpline
    seconds: float
    ends: FloatArray
    labels: IntArray


def movement_of(recording: LabelledRecording) -> Movement:
    """The same windows and labels as in training, as times."""
    motion = resample(np.hstack((recording.accelerometer, recording.gyroscope)), recording.rate_hz)
    nearest = np.arange(len(motion)) * recording.rate_hz // RATE_HZ
    starts = np.arange(0, len(motion) - LENGTH + 1, HOP)
    labels = np.array([majority(recording.labels[nearest[start : start + LENGTH]]) for start in starts])
    chosen = labels != UNLABELLED
    times = np.arange(len(motion)) / RATE_HZ
    ends = (starts + LENGTH - 1) / RATE_HZ
    return Movement(CubicSpline(times, motion.astype(np.float64)), float(times[-1]), ends[chosen], labels[chosen])


def sampled(movement: Movement, habit: Habit, random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Times (n,) and values (n, 9) as they arrive, in rising time."""
    times = np.arange(int(movement.seconds * habit.rate_hz) + 1) / habit.rate_hz
    if habit.jitter_seconds:
        jitter = random.uniform(-habit.jitter_seconds, habit.jitter_seconds, len(times))
        times = np.unique((times + jitter).clip(0, movement.seconds))
    times = times[random.random(len(times)) >= habit.loss]
    if habit.hole_seconds:
        # Away from both ends of each half second, so that each window has two or three of them whole.
        begins = np.floor(times) + 0.3
        times = times[~((times > begins) & (times < begins + habit.hole_seconds))]
    values = np.zeros((len(times), _CHANNELS), np.float32)
    values[:, :6] = movement.curve(times)
    return times, values


def windows_before(times: FloatArray, values: FloatArray, ends: FloatArray) -> Iterator[FloatArray | None]:
    """The newest 100 samples at each time, whatever they span."""
    for count in np.searchsorted(times, ends + 1e-6, side="right"):
        yield values[count - LENGTH : count] if count >= LENGTH else None


def windows_after(
    times: FloatArray, values: FloatArray, ends: FloatArray, *, limits: resampling.Limits
) -> Iterator[FloatArray | None]:
    """The gateway's window at each time, None where it refuses."""
    for count in np.searchsorted(times, ends + 1e-6, side="right"):
        first = max(0, count - 2000)
        try:
            yield resampling.cut_window(times[first:count], values[first:count], limits=limits)[0]
        except InputError:
            yield None


def measure(
    movements: list[Movement], habit: Habit, graph: onnxruntime.InferenceSession, limits: resampling.Limits
) -> dict[str, Any]:
    """Accuracy and macro-F1 over what is answered, and the share that is, before and after."""
    labels = np.concatenate([movement.labels for movement in movements])
    report: dict[str, Any] = {
        "rate_hz": habit.rate_hz,
        "loss": habit.loss,
        "jitter_ms": 1000 * habit.jitter_seconds,
        "hole_ms": round(1000 * habit.hole_seconds),
    }
    for name, cut in (("before", windows_before), ("after", partial(windows_after, limits=limits))):
        random = np.random.default_rng(SEED)
        windows = [window for movement in movements for window in cut(*sampled(movement, habit, random), movement.ends)]
        report[name] = _judge(windows, labels, graph)
    return report


def _judge(windows: list[FloatArray | None], labels: IntArray, graph: onnxruntime.InferenceSession) -> dict[str, float]:
    answered = np.array([window is not None for window in windows])
    if not answered.any():
        return {"answered": 0.0}
    found = _motifs(np.stack([window for window in windows if window is not None]), graph)
    truth = labels[answered]
    return {
        "answered": round(float(answered.mean()), 4),
        "accuracy": round(float((found == truth).mean()), 4),
        "macro_f1": round(float(f1_score(truth, found, average="macro", zero_division=0.0)), 4),
    }


def _motifs(windows: FloatArray, graph: onnxruntime.InferenceSession) -> IntArray:
    parts = [
        graph.run(["motif_scores"], {"window": np.ascontiguousarray(windows[start : start + _CHUNK])})[0].argmax(axis=1)
        for start in range(0, len(windows), _CHUNK)
    ]
    return np.concatenate(parts)


TABLE = [Habit(rate, loss, jitter) for rate in RATES_HZ for jitter in JITTERS_SECONDS for loss in LOSSES]
"""Measured within the gateway's limits."""
BEYOND = [Habit(rate) for rate in LOW_RATES_HZ] + [
    Habit(rate, hole_seconds=hole) for rate in (50.0, 100.0) for hole in HOLES_SECONDS
]
"""Measured without limits: what they are chosen from."""
_NO_LIMITS = resampling.Limits(0.0, np.inf)


def report(dataset: Dataset, work: Path, graph: Path, people: Iterable[int]) -> dict[str, Any]:
    """Measure every habit on these people; takes ten minutes for nine of them."""
    chosen = set(people)
    movements = [movement_of(recording) for recording in dataset.read(work) if recording.person in chosen]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found: dict[str, Any] = {"people": len(chosen), "windows": sum(len(one.ends) for one in movements)}
    for name, habits, limits in (("table", TABLE, resampling.LIMITS), ("limits", BEYOND, _NO_LIMITS)):
        found[name] = []
        for habit in habits:
            found[name].append(measure(movements, habit, session, limits))
            print(json.dumps(found[name][-1]), flush=True)
    return found


def add_to_card(folder: Path, found: dict[str, Any]) -> None:
    """Write the figures into the card of a model."""
    path = folder / "card.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["sampling"] = found
    path.write_text(card_json.render(document) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="hapt", choices=sorted(DATASETS))
    parser.add_argument("--work", type=Path, default=Path("build/training"))
    parser.add_argument("--model", type=Path, default=default_folder(), help="folder of the model and its card")
    parser.add_argument(
        "--people", type=int, help="only so many people, for a quick look that leaves the card as it is"
    )
    given = parser.parse_args()
    dataset = DATASETS[given.dataset]
    graph = load_card(given.model).file("cpu").path
    found = report(dataset, given.work, graph, sorted(dataset.test_people)[: given.people])
    if given.people is None:
        add_to_card(given.model, found)


if __name__ == "__main__":
    main()
