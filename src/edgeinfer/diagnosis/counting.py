"""Counters between two moments, counted to the event: stored samples are added up, not extrapolated."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from edgeinfer.diagnosis.view import Asks

# Before its first moment a counter's last sample is looked for: twelve scrapes, of which some may be missing.
_BASE_SECONDS = 60.0


async def grown(
    prometheus: Asks, selector: str, start: float, end: float, by: Sequence[str] = ()
) -> dict[tuple[str, ...], float]:
    """By how much counters grew between two moments, by the values of some labels.

    Args:
        prometheus: whom to ask.
        selector: series of a counter.
        start: seconds since 1970; what had been counted until then does not count.
        end: seconds since 1970.
        by: labels that are distinguished.
    """
    answer = await prometheus.samples(selector, end - start + _BASE_SECONDS, end)
    return growth(answer, start, by)


def growth(answer: Iterable[Mapping[str, Any]], start: float, by: Sequence[str] = ()) -> dict[tuple[str, ...], float]:
    """The same, of samples that were read already, each with `metric` and `values`."""
    found: dict[tuple[str, ...], float] = {}
    for one in answer:
        key = tuple(one["metric"].get(label, "") for label in by)
        found[key] = found.get(key, 0.0) + _of_series(one["values"], start)
    return found


def _of_series(values: Sequence[tuple[float, str]], start: float) -> float:
    """A counter that fell was reset and counts from 0; one that begins after the start was 0 before."""
    samples = [(float(moment), float(value)) for moment, value in values]
    before = [value for moment, value in samples if moment <= start]
    after = [value for moment, value in samples if moment > start]
    # A series whose first sample lies within begins there; without a base, what it shows first is not known to be new.
    counted = [before[-1] if before else after[0] if after else 0.0, *after]
    return sum(value - last if value >= last else value for last, value in pairwise(counted))
