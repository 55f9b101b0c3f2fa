"""The usual outputs of a model, as drift detection needs them: bins with their expected shares."""

from typing import Any

import numpy as np
import numpy.typing as npt

from training.augment import with_magnetometer, without_magnetometer
from training.dataset import FloatArray
from training.windows import WindowSet

Shares = npt.NDArray[np.floating[Any]]

STATISTICS_SEED = 11
DECILES = np.linspace(0.1, 0.9, 9)
CONFIDENCE_EDGES = np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])


def usual_windows(source: WindowSet) -> FloatArray:
    """Return every window, labelled or not, once without and once with a simulated magnetometer."""
    random = np.random.default_rng(STATISTICS_SEED)
    magnetic = with_magnetometer(source.motion, source.quaternions, random)
    return np.concatenate((without_magnetometer(source.motion), magnetic))


def describe(latent: FloatArray, scores: FloatArray) -> dict[str, Any]:
    """Return the baseline of the card for [N, 64] latents and [N, motifs] scores."""
    winners = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1])
    lengths = np.linalg.norm(latent, axis=1)
    return {
        "windows": len(latent),
        "latent": [_dimension(column) for column in latent.T],
        "motif_shares": _floats(winners / winners.sum()),
        "confidence": _distribution(scores.max(axis=1), CONFIDENCE_EDGES),
        "latent_norm": _distribution(lengths, np.quantile(lengths, DECILES)),
    }


def population_stability_index(expected: Shares, found: Shares) -> float:
    """Return the index of two lists of shares; below 0.1 is usually called stable, above 0.25 a shift."""
    p, q = np.maximum(expected, 1e-4), np.maximum(found, 1e-4)
    return float(((q - p) * np.log(q / p)).sum())


def shares(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the share of values in each bin that the edges make."""
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return np.asarray(counts / len(values))


def _dimension(values: FloatArray) -> dict[str, Any]:
    return {
        "mean": round(float(values.mean()), 6),
        "std": round(float(values.std()), 6),
        "distribution": _distribution(values, np.quantile(values, DECILES)),
    }


def _distribution(values: FloatArray, edges: FloatArray) -> dict[str, list[float]]:
    # Round the edges first: the shares then belong to the edges as written.
    written = np.round(edges, 6)
    return {"edges": _floats(written), "shares": _floats(shares(values, written))}


def _floats(values: FloatArray) -> list[float]:
    return [round(float(value), 6) for value in values]
