"""Whether answers still look as they did: population stability index of a window of bounded age."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeinfer.model.card import Baseline, ModelCard

# A share of zero would make the index infinite: the usual floor is a small share in its place.
_MIN_SHARE = 1e-4
_BUFFERED_ANSWERS = 1000
WINDOW_PARTS = 24
"""The window is counted in as many parts of equal length, so that the oldest can be dropped."""

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]


class AnswerBuffer:
    """Answers of sidecars that are not counted yet, in memory of a fixed size; adding one takes about a microsecond.

    Under load only some are taken: at most one in `spacing_seconds`.

    Args:
        latent_size: length of a latent vector.
        clock: monotonic seconds.
        size: answers kept; beyond it the oldest are overwritten.
        spacing_seconds: shortest time between two answers that are taken.
    """

    def __init__(
        self,
        latent_size: int,
        *,
        clock: Callable[[], float],
        size: int = _BUFFERED_ANSWERS,
        spacing_seconds: float = 0.05,
    ) -> None:
        self._latents = np.zeros((size, latent_size), np.float32)
        self._tops = np.zeros(size, np.int64)
        self._size = size
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
        row = self._count % self._size
        self._latents[row] = latent
        self._tops[row] = top
        self._count += 1

    def drain(self) -> tuple[NDArray[np.float32], Counts]:
        """Latent vectors (n, latent_size) and top motifs (n,) since the last call, in no order."""
        taken = self._latents[: len(self)].copy(), self._tops[: len(self)].copy()
        self._count = 0
        return taken


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """How often answers fell into each bin.

    Args:
        latent: (latent_size, bins).
        motifs: (motifs,) answers in which each scored highest.
    """

    latent: Counts
    motifs: Counts

    @property
    def answers(self) -> int:
        """Answers counted."""
        return int(self.motifs.sum())

    def __add__(self, other: "AnswerCounts") -> "AnswerCounts":
        return AnswerCounts(self.latent + other.latent, self.motifs + other.motifs)

    @property
    def shares(self) -> "AnswerShares":
        """The counts as shares; there must be some."""
        return AnswerShares(self.latent / self.answers, self.motifs / self.answers)


@dataclass(frozen=True, slots=True)
class AnswerShares:
    """The share of answers in each bin, (latent_size, bins), and of each motif, (motifs,)."""

    latent: Shares
    motifs: Shares


class Bins:
    """The bins of a model card's baseline; every latent dimension has the same number of them.

    Args:
        baseline: of the card.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._edges = np.array([entry.distribution.edges for entry in baseline.latent])
        self._motifs = len(baseline.motif_shares)

    @property
    def shape(self) -> tuple[int, int]:
        """(latent_size, bins)."""
        return self._edges.shape[0], self._edges.shape[1] + 1

    @property
    def motifs(self) -> int:
        """Motifs of the model."""
        return self._motifs

    def empty(self) -> AnswerCounts:
        return AnswerCounts(np.zeros(self.shape, np.int64), np.zeros(self._motifs, np.int64))

    def count(self, latents: NDArray[np.float32], tops: Counts) -> AnswerCounts:
        """Count answers: latents (n, latent_size), top motifs (n,)."""
        dimensions, bins = self.shape
        places = (latents[:, :, None] >= self._edges[None]).sum(axis=2) + np.arange(dimensions) * bins
        latent = np.bincount(places.ravel(), minlength=dimensions * bins).reshape(self.shape)
        return AnswerCounts(latent, np.bincount(tops, minlength=self._motifs))


class RecentAnswers:
    """Counts of the answers of the last hours, in parts that are dropped when they are too old.

    Args:
        bins: of the model card.
        seconds: age past which an answer no longer counts.
    """

    def __init__(self, bins: Bins, seconds: float) -> None:
        self.bins = bins
        self.seconds = seconds
        self.parts: dict[int, AnswerCounts] = {}
        """By number: wall clock seconds divided by the length of a part."""
        self.newest: float | None = None
        """Wall clock of the newest answers."""

    @property
    def part_seconds(self) -> float:
        """Length of a part."""
        return self.seconds / WINDOW_PARTS

    def add(self, latents: NDArray[np.float32], tops: Counts, now: float) -> None:
        """Count answers that came just now."""
        self.drop_old(now)
        if not len(tops):
            return
        number = int(now // self.part_seconds)
        counted = self.bins.count(latents, tops)
        self.parts[number] = self.parts[number] + counted if number in self.parts else counted
        self.newest = now

    def drop_old(self, now: float) -> None:
        """Drop what is too old, and what a clock that was ahead has dated after now."""
        last = int(now // self.part_seconds)
        self.parts = {number: part for number, part in self.parts.items() if last - WINDOW_PARTS < number <= last}
        if self.newest is not None and (not self.parts or self.newest > now + self.part_seconds):
            self.newest = None

    @property
    def total(self) -> AnswerCounts:
        """All answers of the window."""
        return sum(self.parts.values(), start=self.bins.empty())

    def is_whole(self, now: float) -> bool:
        """Whether the first answers held are as old as the window is long."""
        return bool(self.parts) and min(self.parts) <= int(now // self.part_seconds) - WINDOW_PARTS + 1


@dataclass(frozen=True, slots=True)
class SiteBaseline:
    """What was normal at this site, learned from its own answers.

    Args:
        learned_at: wall clock, seconds since 1970.
        answers: that it was made from.
        parts: of the window that held any of them: how much of a day it knows.
        shares: of the answers.
    """

    learned_at: float
    answers: int
    parts: int
    shares: AnswerShares


def learn(recent: RecentAnswers, now: float) -> SiteBaseline:
    """Take the window as it is now for what is normal."""
    total = recent.total
    return SiteBaseline(now, total.answers, len(recent.parts), total.shares)


def population_shares(card: ModelCard) -> AnswerShares:
    """The shares of the model card's baseline, which the card must have."""
    if card.baseline is None:
        raise ValueError(f"the card of {card.name} has no baseline")
    latent = np.array([entry.distribution.shares for entry in card.baseline.latent])
    return AnswerShares(latent, np.asarray(card.baseline.motif_shares))


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a window is from a baseline.

    Args:
        dimensions: index of each latent dimension, (latent_size,).
        motifs: index of the motif shares.
        answers: that it was computed over.
    """

    dimensions: Shares
    motifs: float
    answers: int

    @property
    def latent(self) -> float:
        """Mean index of the latent dimensions."""
        return float(np.mean(self.dimensions))


def measure(found: AnswerCounts, expected: AnswerShares) -> Drift:
    """The drift of a window, which must hold answers."""
    shares = found.shares
    return Drift(
        stability_index(expected.latent, shares.latent),
        float(stability_index(expected.motifs, shares.motifs)),
        found.answers,
    )


def stability_index(expected: Shares, found: Shares) -> Shares:
    """Population stability index over the last axis: sum of (found - expected) * ln(found / expected).

    Under 0.1 is usually read as no change, over 0.25 as a large one (Siddiqi, Credit Risk Scorecards, 2006).
    """
    expected = np.maximum(expected, _MIN_SHARE)
    found = np.maximum(found, _MIN_SHARE)
    index: Shares = ((found - expected) * np.log(found / expected)).sum(axis=-1)
    return index
