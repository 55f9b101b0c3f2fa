"""Figures of a classifier and of a latent space: pure functions on arrays."""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import confusion_matrix, f1_score

from training.dataset import FloatArray, IntArray
from training.outputs import softmax

ECE_BINS = 15


def classification(labels: IntArray, found: IntArray, groups: tuple[str, ...]) -> dict[str, float]:
    """Return accuracy, macro-F1, accuracy on postures and locomotion, mean F1 of transitions, of groups."""
    per_class = class_f1(labels, found, len(groups))
    transitions = np.array([group == "transition" for group in groups])
    basic = ~transitions[labels]
    kinds = group_indexes(groups)
    return {
        "accuracy": float((labels == found).mean()),
        "macro_f1": float(per_class.mean()),
        "accuracy_without_transitions": float((labels == found)[basic].mean()),
        "mean_f1_of_transitions": float(per_class[transitions].mean()),
        "accuracy_of_groups": float((kinds[labels] == kinds[found]).mean()),
    }


def class_f1(labels: IntArray, found: IntArray, motifs: int) -> FloatArray:
    """Return the F1 score of each motif, [motifs]; 0 where it is undefined."""
    return np.asarray(f1_score(labels, found, labels=range(motifs), average=None, zero_division=0.0))


def confusion(labels: IntArray, found: IntArray, motifs: int) -> list[list[int]]:
    """Return counts with a row per true motif and a column per predicted one."""
    counts: list[list[int]] = confusion_matrix(labels, found, labels=range(motifs)).tolist()
    return counts


def group_indexes(groups: tuple[str, ...]) -> IntArray:
    """Return [motifs] the number of each motif's group."""
    order = list(dict.fromkeys(groups))
    return np.array([order.index(group) for group in groups])


def turned(labels: IntArray, found: IntArray, groups: tuple[str, ...]) -> dict[str, float]:
    """Return the scores that make sense for windows in a random mounting.

    `identifiable` counts a locomotion as right only by its name, and a posture or transition by its group.
    """
    kinds = group_indexes(groups)
    moves = np.array([group == "move" for group in groups])[labels]
    same_group = kinds[labels] == kinds[found]
    exact = labels == found
    return {
        "accuracy_of_groups": float(same_group.mean()),
        "accuracy_of_locomotions": float(exact[moves].mean()),
        "identifiable": float(np.where(moves, exact, same_group).mean()),
        "accuracy": float(exact.mean()),
    }


def per_person(labels: IntArray, found: IntArray, people: IntArray) -> dict[str, Any]:
    """Return each person's accuracy with minimum, mean and maximum."""
    each = {str(person): float((labels == found)[people == person].mean()) for person in np.unique(people).tolist()}
    values = list(each.values())
    return {"minimum": min(values), "mean": float(np.mean(values)), "maximum": max(values), "each": each}


def fit_temperature(logits: FloatArray, labels: IntArray) -> float:
    """Return the temperature under which the labels are likeliest."""

    def loss(log_temperature: float) -> float:
        scores = softmax(logits, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(scores[np.arange(len(labels)), labels], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def expected_calibration_error(scores: FloatArray, labels: IntArray) -> float:
    """Return the mean gap between confidence and accuracy over 15 equal bins of confidence."""
    confidence = scores.max(axis=1)
    right = scores.argmax(axis=1) == labels
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [
        abs(float(confidence[bins == i].mean()) - float(right[bins == i].mean())) * float((bins == i).mean())
        for i in range(ECE_BINS)
        if (bins == i).any()
    ]
    return float(sum(gaps))


def cosine(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return [N] cosine similarities of rows."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / lengths)


def rounded(value: Any, digits: int = 4) -> Any:
    """Round every float in a JSON value to so many significant digits, so that a report reads well."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    return value
