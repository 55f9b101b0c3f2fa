"""Judges a run: `python -m training.evaluate run.pt --people validation` prints a JSON report."""

# ruff: noqa: TID253  (torch is what this folder is for)

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training import metrics
from training.augment import random_turns, turn, with_magnetometer, without_magnetometer
from training.dataset import Dataset, FloatArray
from training.outputs import Outputs, run_network, softmax
from training.prepare import load_windows
from training.registry import DATASETS
from training.train import TrainedRun, load, to_network
from training.windows import WindowSet

EVALUATION_SEED = 20160101
"""Draws the mountings and earth fields that every run is judged with."""


def motif_groups(dataset: Dataset) -> tuple[str, ...]:
    """Return the group of each motif."""
    return tuple(group for _name, group, _description in dataset.motifs)


def judge(run: TrainedRun, source: WindowSet, dataset: Dataset) -> dict[str, Any]:
    """Return the figures on labelled windows: as they are, with a magnetometer, and in random mountings."""
    groups = motif_groups(dataset)
    random = np.random.default_rng(EVALUATION_SEED)
    plain = without_magnetometer(source.motion)
    magnetic = with_magnetometer(source.motion, source.quaternions, random)
    mounted = turn(plain, random_turns(len(source), random))
    nominal = metrics.classification(source.labels, run_network(run, plain).motifs, groups)
    return {
        "nominal": nominal,
        "with_magnetometer": metrics.classification(source.labels, run_network(run, magnetic).motifs, groups),
        "random_mounting": metrics.turned(source.labels, run_network(run, mounted).motifs, groups),
    }


def selection_score(report: dict[str, Any]) -> float:
    """Weigh macro-F1 and accuracy in the nominal mounting against what can be known in a random one.

    Fixed before any run was judged: 0.5 macro-F1 + 0.25 accuracy + 0.25 identifiable.
    """
    nominal, mounted = report["nominal"], report["random_mounting"]
    return float(0.5 * nominal["macro_f1"] + 0.25 * nominal["accuracy"] + 0.25 * mounted["identifiable"])


def calibration(outputs: Outputs, source: WindowSet, temperature: float) -> dict[str, float]:
    """Return the expected calibration error before and after the temperature."""
    raw, scaled = (softmax(outputs.logits, value) for value in (1.0, temperature))
    return {
        "expected_calibration_error_raw": metrics.expected_calibration_error(raw, source.labels),
        "expected_calibration_error": metrics.expected_calibration_error(scaled, source.labels),
    }


def reconstruction(run: TrainedRun, source: WindowSet) -> dict[str, float]:
    """Return how much of the variance the decoder recovers from the latent mean, per sensor.

    `within_window` leaves out each window's own mean, and with it gravity: the harder figure.
    """
    decoded, wanted = _decode(run, without_magnetometer(source.motion))
    report = {}
    for name, part in (("accelerometer", slice(0, 3)), ("gyroscope", slice(3, 6))):
        x, y = wanted[:, part], decoded[:, part]
        report[name] = _r2(x - x.mean(axis=(0, 2), keepdims=True), x - y)
        centred = x - x.mean(axis=2, keepdims=True)
        report[f"{name}_within_window"] = _r2(centred, centred - (y - y.mean(axis=2, keepdims=True)))
    return report


def _decode(run: TrainedRun, windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    with torch.inference_mode():
        x = to_network(windows, run.scale)
        latent, _logits = run.network(x)
        return run.network.decoder(latent)[:, :, 0].numpy(), x[:, :, 0].numpy()


def _r2(deviation: FloatArray, residual: FloatArray) -> float:
    return 1.0 - float(np.square(residual).sum() / np.square(deviation).sum())


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--dataset", default="hapt", choices=sorted(DATASETS))
    parser.add_argument("--work", type=Path, default=Path("build/training"))
    parser.add_argument("--people", choices=("validation", "test"), default="validation")
    given = parser.parse_args()
    dataset = DATASETS[given.dataset]
    people = dataset.validation_people if given.people == "validation" else dataset.test_people
    source = load_windows(dataset, given.work).of(people).labelled()
    report = judge(load(given.run, len(dataset.motifs)), source, dataset)
    print(json.dumps(metrics.rounded({**report, "score": selection_score(report)}), indent=2))


if __name__ == "__main__":
    main()
