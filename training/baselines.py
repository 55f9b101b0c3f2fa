"""What simpler models reach on the same windows and people: the figures the network has to beat."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training import metrics
from training.dataset import FloatArray
from training.windows import WindowSet

FREQUENCIES = 15
"""Magnitudes of the first Fourier coefficients per channel: 1 to 15 Hz in a one-second window."""


def mean_and_std(motion: FloatArray) -> FloatArray:
    """Return 12 features of [N, 100, 6]."""
    return np.concatenate((motion.mean(axis=1), motion.std(axis=1)), axis=1)


def handmade(motion: FloatArray) -> FloatArray:
    """Return 120 features of [N, 100, 6]: per channel mean, std, minimum, maximum, slope, spectrum."""
    spectrum = np.abs(np.fft.rfft(motion, axis=1))[:, 1 : FREQUENCIES + 1]
    time = np.linspace(-1.0, 1.0, motion.shape[1])
    slope = np.einsum("t,ntc->nc", time, motion) / np.square(time).sum()
    parts = (motion.mean(axis=1), motion.std(axis=1), motion.min(axis=1), motion.max(axis=1), slope)
    return np.concatenate((*parts, spectrum.reshape(len(motion), -1)), axis=1)


def measure(fit: WindowSet, test: WindowSet, groups: tuple[str, ...]) -> list[dict[str, Any]]:
    """Fit each baseline on the labelled windows of `fit` and return its figures on `test`."""
    majority = np.full(len(test), np.bincount(fit.labels).argmax())
    rows = [{"model": "majority class", **metrics.classification(test.labels, majority, groups)}]
    for name, features, classifier in _models():
        print(f"baseline: {name}", flush=True)
        classifier.fit(features(fit.motion), fit.labels)
        found = classifier.predict(features(test.motion))
        rows.append({"model": name, **metrics.classification(test.labels, found, groups)})
    return rows


def _models() -> list[tuple[str, Callable[[FloatArray], FloatArray], Any]]:
    return [
        ("mean and std (12 features) + logistic regression", mean_and_std, _linear()),
        ("120 features + logistic regression", handmade, _linear()),
        (
            "120 features + random forest (200 trees)",
            handmade,
            RandomForestClassifier(200, n_jobs=1, random_state=0),
        ),
    ]


def _linear() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
