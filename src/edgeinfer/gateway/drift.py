"""Whether answers still look as they did when the model was shipped: population stability index, in the background."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeinfer.catalog.gateway import LATENT_DRIFT, MOTIF_DRIFT
from edgeinfer.gateway.instruments import GatewayInstruments
from edgeinfer.model.card import Baseline

_log = logging.getLogger(__name__)
# A share of zero would make the index infinite: the usual floor is a small share in its place.
_MIN_SHARE = 1e-4
_INTERVAL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the window is from the baseline.

    Args:
        latent: mean index of the latent dimensions.
        motifs: index of the motif shares.
        answers: that it was computed over.
    """

    latent: float
    motifs: float
    answers: int


class DriftWindow:
    """The newest answers of sidecars, in memory of a fixed size; adding one takes about a microsecond.

    Under load only some are taken, so that the window spans minutes: at most one in `spacing_seconds`.

    Args:
        latent_size: length of a latent vector.
        size: answers kept.
        clock: monotonic seconds.
        spacing_seconds: shortest time between two answers that are kept.
    """

    def __init__(
        self, latent_size: int, *, size: int, clock: Callable[[], float], spacing_seconds: float = 0.05
    ) -> None:
        self._latents = np.zeros((size, latent_size), np.float32)
        self._tops = np.zeros(size, np.int64)
        self._size = size
        self._next = 0
        self._count = 0
        self._clock = clock
        self._spacing = spacing_seconds
        self._due = -float("inf")

    def __len__(self) -> int:
        return min(self._count, self._size)

    def add(self, latent: NDArray[np.float32], top: int) -> None:
        """Keep an answer, if one is due."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + self._spacing
        place = self._next
        self._latents[place] = latent
        self._tops[place] = top
        self._next = (place + 1) % self._size
        self._count += 1

    def copy(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Latent vectors (n, latent_size) and top motifs (n,), in no order."""
        return self._latents[: len(self)].copy(), self._tops[: len(self)].copy()


def stability_index(expected: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Population stability index over the last axis: sum of (found - expected) * ln(found / expected).

    Under 0.1 is usually read as no change, over 0.25 as a large one (Siddiqi, Credit Risk Scorecards, 2006).
    """
    expected = np.maximum(expected, _MIN_SHARE)
    found = np.maximum(found, _MIN_SHARE)
    index: NDArray[np.float64] = ((found - expected) * np.log(found / expected)).sum(axis=-1)
    return index


class DriftMeter:
    """Holds a window of answers against a baseline.

    Args:
        baseline: of the model card; every latent dimension has the same number of bins.
        minimum: answers below which nothing is told.
    """

    def __init__(self, baseline: Baseline, *, minimum: int) -> None:
        self._minimum = minimum
        self._edges = [np.asarray(entry.distribution.edges) for entry in baseline.latent]
        self._shares = [np.asarray(entry.distribution.shares) for entry in baseline.latent]
        self._motif_shares = np.asarray(baseline.motif_shares)

    def measure(self, latents: NDArray[np.float32], tops: NDArray[np.int64]) -> Drift | None:
        """The drift of a window, None where it holds too few answers."""
        answers = len(tops)
        if answers < self._minimum:
            return None
        indices = [
            stability_index(shares, _shares_of(latents[:, dimension], edges))
            for dimension, (edges, shares) in enumerate(zip(self._edges, self._shares, strict=True))
        ]
        motifs = np.bincount(tops, minlength=len(self._motif_shares)) / answers
        return Drift(float(np.mean(indices)), float(stability_index(self._motif_shares, motifs)), answers)


def _shares_of(values: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    bins = np.searchsorted(edges, values, side="right")
    return np.bincount(bins, minlength=len(edges) + 1) / len(values)


async def watch_drift(
    window: DriftWindow,
    meter: DriftMeter | None,
    instruments: GatewayInstruments,
    *,
    interval_seconds: float = _INTERVAL_SECONDS,
) -> None:
    """Publish the drift now and then, until cancelled; the sums are done in a thread."""
    while True:
        instruments.drift_window.set(len(window))
        if meter is not None:
            publish(await asyncio.to_thread(meter.measure, *window.copy()), instruments)
        await asyncio.sleep(interval_seconds)


def publish(drift: Drift | None, instruments: GatewayInstruments) -> None:
    """Show a drift, or that there is none to tell."""
    for metric, value in (
        (LATENT_DRIFT, drift.latent if drift else None),
        (MOTIF_DRIFT, drift.motifs if drift else None),
    ):
        if value is None:
            instruments.readings.withdraw(metric)
        else:
            instruments.readings.publish(metric, value)
