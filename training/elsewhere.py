"""How the model does where it was not trained: other mountings, other devices, other movements."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training import metrics, watch, xsens
from training.baselines import mean_and_std
from training.dataset import Dataset, FloatArray, IntArray
from training.evaluate import motif_groups
from training.outputs import run_graph
from training.windows import HOP, LENGTH, resample

FIELD_OFF = np.array([1] * 6 + [0] * 3, dtype=np.float32)


def measure(graph: Path, dataset: Dataset, work: Path) -> dict[str, Any]:
    """Return the figures on leg-mounted walking with a real magnetometer, and on wrist-worn exercises."""
    print("measuring other devices and movements", flush=True)
    return {
        "walking_with_sensor_on_the_leg": _legs(graph, dataset, work),
        "watch_exercises": _watch(graph, dataset, work),
    }


def cut(samples: FloatArray) -> FloatArray:
    """Return [N, 100, C] windows of a 100 Hz recording, every half second."""
    starts = np.arange(0, len(samples) - LENGTH + 1, HOP)
    return np.ascontiguousarray(samples[starts[:, None] + np.arange(LENGTH)])


def watch_windows(work: Path) -> FloatArray:
    """Return [N, 100, 9] windows of all watch exercises; more vigorous than anything in the training data."""
    motion = np.concatenate([cut(resample(session, watch.RATE_HZ)) for session in watch.read(work).motion])
    return np.pad(motion, ((0, 0), (0, 0), (0, 3)))


def _legs(graph: Path, dataset: Dataset, work: Path) -> dict[str, Any]:
    return {
        session.placement: _leg(graph, dataset, cut(resample(session.samples, xsens.RATE_HZ)))
        for session in xsens.read(work)
    }


def _leg(graph: Path, dataset: Dataset, windows: FloatArray) -> dict[str, Any]:
    with_field = run_graph(graph, windows)
    without_field = run_graph(graph, windows * FIELD_OFF)
    moves = np.array([group == "move" for group in motif_groups(dataset)])
    walking = np.array([name == "walking" for name, _group, _description in dataset.motifs])
    cosine = metrics.cosine(with_field.latent, without_field.latent)
    return {
        "windows": len(windows),
        "share_named_walking": float(walking[with_field.motifs].mean()),
        "share_named_any_locomotion": float(moves[with_field.motifs].mean()),
        "motif_shares": _shares(with_field.motifs, dataset),
        "with_and_without_real_magnetometer": {
            "cosine_p50": float(np.median(cosine)),
            "cosine_minimum": float(cosine.min()),
            "motif_agreement": float((with_field.motifs == without_field.motifs).mean()),
        },
    }


def _shares(found: IntArray, dataset: Dataset) -> dict[str, float]:
    counts = np.bincount(found, minlength=len(dataset.motifs)) / len(found)
    return {dataset.motifs[i][0]: float(counts[i]) for i in np.flatnonzero(counts)}


def _watch(graph: Path, dataset: Dataset, work: Path) -> dict[str, Any]:
    sessions = watch.read(work)
    parts = [cut(resample(motion, watch.RATE_HZ)) for motion in sessions.motion]
    counts = [len(part) for part in parts]
    motion = np.concatenate(parts)
    labels = np.repeat(sessions.exercises, counts)
    people = np.repeat(sessions.people, counts)
    outputs = run_graph(graph, np.pad(motion, ((0, 0), (0, 0), (0, 3))))
    return {
        "windows": len(motion),
        "exercises": len(sessions.exercise_names),
        "method": "logistic regression on frozen features, each person left out in turn",
        "accuracy_from_latent": _probe(outputs.latent, labels, people),
        "accuracy_from_mean_and_std": _probe(mean_and_std(motion), labels, people),
        "motif_shares": _shares(outputs.motifs, dataset),
    }


def _probe(features: FloatArray, labels: IntArray, people: IntArray) -> float:
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    found = cross_val_predict(classifier, features, labels, groups=people, cv=LeaveOneGroupOut())
    return float((found == labels).mean())
