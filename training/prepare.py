"""Reads a data set once, keeps its windows on disk, and knows which people serve for what."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np

from training.dataset import Dataset
from training.windows import WindowSet, cut_all


def load_windows(dataset: Dataset, work: Path) -> WindowSet:
    """Return all windows of the data set, cut on first use."""
    path = work / f"{dataset.key}-windows.npz"
    if not path.exists():
        print(f"cutting windows of {dataset.name}", flush=True)
        windows = cut_all(dataset.read(work))
        work.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{field.name: getattr(windows, field.name) for field in fields(windows)})
    with np.load(path) as stored:
        return WindowSet(**{field.name: stored[field.name] for field in fields(WindowSet)})


def _fit_people(dataset: Dataset, work: Path) -> Iterable[int]:
    everyone = set(load_windows(dataset, work).people.tolist())
    return everyone - dataset.test_people - dataset.validation_people


def _fit_and_validation_people(dataset: Dataset, work: Path) -> Iterable[int]:
    return {*_fit_people(dataset, work), *dataset.validation_people}


PEOPLE: dict[str, Callable[[Dataset, Path], Iterable[int]]] = {
    "fit": _fit_people,
    "fit+validation": _fit_and_validation_people,
}
"""Who a run is trained on, by the name given on the command line."""
