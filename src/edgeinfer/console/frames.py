"""Prometheus' answers as compact columns on one grid of time, which is what the browser draws."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeinfer.console.dashboard_files import PanelQuery
from edgeinfer.console.interpolation import auto_legends, legend
from edgeinfer.console.ranges import TimeRange

Value = float | str | None
Values = NDArray[np.float64]
Column = list[Value] | dict[str, Any]
_MAX_SERIES = 200
_FEW_POINTS = 8
# A screen shows four of them, and a pixel is worth less than three.
_DIGITS = 6
_MIN_DECIMALS, _MAX_DECIMALS = 3, 22
_TINY = 1e-15
# Whole numbers up to here are exact in the browser. The smallest value of a row says how many decimals it needs;
# where the largest is so many times larger, changes would have more digits than the values.
_MAX_WHOLE = 2.0**53
_MAX_SPAN = 100
_SORTING = re.compile(r"\b(sort|sort_desc|sort_by_label|topk|bottomk)\s*(\(|by)")


@dataclass(frozen=True, slots=True)
class Frame:
    """The answer to one query.

    Args:
        start: seconds of the first point.
        step_seconds: between points; 0 for the one point of an instant query.
        names: of the series.
        labels: of each series.
        values: of each series (rows) at each moment (columns), not-a-number where there is none.
        left_out: series beyond the number that can be drawn.
    """

    ref: str
    start: float
    step_seconds: float
    names: list[str]
    labels: list[dict[str, str]]
    values: Values
    left_out: int = 0

    def as_document(self) -> dict[str, Any]:
        return {
            "ref": self.ref,
            "start": self.start,
            "step": self.step_seconds,
            "names": self.names,
            "labels": self.labels,
            "columns": to_wire(self.values),
            "left_out": self.left_out,
        }


def range_frame(target: PanelQuery, series: Sequence[dict[str, Any]], time: TimeRange, step: float) -> Frame:
    """Series of a range query, each on the same grid of points."""
    count = round(time.seconds / step) + 1
    # In the order of the answer, which Prometheus sorts by label: it decides on the colors, in Grafana too.
    kept = series[:_MAX_SERIES]
    values = np.full((len(kept), count), np.nan)
    for row, one in zip(values, kept, strict=True):
        _place(one["values"], row, time.start, step)
    labels = [dict(one["metric"]) for one in kept]
    return Frame(target.ref, time.start, step, _names(target, labels), labels, values, len(series) - len(kept))


def instant_frame(target: PanelQuery, series: Sequence[dict[str, Any]], moment: float) -> Frame:
    """Series of an instant query, one value each."""
    # An expression that sorts has its order; any other comes in none, which would jump between refreshes.
    kept = (list(series) if _SORTING.search(target.expression) else _sorted(series))[:_MAX_SERIES]
    values = np.array([float(one["value"][1]) for one in kept]).reshape(-1, 1)
    labels = [dict(one["metric"]) for one in kept]
    return Frame(target.ref, moment, 0, _names(target, labels), labels, values, len(series) - len(kept))


def _names(target: PanelQuery, labels: list[dict[str, str]]) -> list[str]:
    if target.legend == "__auto":
        return auto_legends(labels, target.expression)
    return [legend(target.legend, one, target.expression) for one in labels]


def _sorted(series: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(series, key=lambda one: [(name, _natural(value)) for name, value in sorted(one["metric"].items())])


def _natural(value: str) -> tuple[float, str]:
    """Numbers by size, +Inf last of them, then words."""
    try:
        return (float(value), "")
    except ValueError:
        return (math.inf, value)


def _place(points: Sequence[Sequence[Any]], row: Values, start: float, step: float) -> None:
    """Put points at their moments, all at once, because a dashboard has a hundred thousand."""
    found = np.array([float(text) for _, text in points])
    if len(points) == len(row):  # one for every moment: no need to look at the times
        row[:] = found
        return
    places = np.rint((np.array([float(moment) for moment, _ in points]) - start) / step).astype(np.int64)
    inside = (places >= 0) & (places < len(row))
    row[places[inside]] = found[inside]


def to_wire(values: Values) -> list[Column]:
    """Rows as JSON, with as many digits as a screen can need.

    A row is a list of values, None where there is none, or `{"decimals": n, "changes": [...]}`: whole numbers, each
    the difference to the value before it in units of the n-th decimal, which is a quarter smaller when compressed.
    """
    if values.shape[1] < _FEW_POINTS:
        return [_plain(row) for row in values]
    sizes = np.where(values == 0, np.nan, np.abs(values))
    largest = np.fmax.reduce(sizes, axis=1, initial=0.0)
    smallest = np.fmin.reduce(sizes, axis=1, initial=np.inf)
    is_even = (smallest * _MAX_SPAN >= largest) & ((largest == 0) | (largest > _TINY))
    is_whole = ((values == np.rint(values)) | np.isnan(values)).all(axis=1)
    decimals = np.where(is_whole, 0, _decimals(np.where(largest > 0, smallest, 1.0)))
    factors = np.power(10.0, decimals)
    fits = (is_whole | is_even) & (largest < _MAX_WHOLE / factors)
    return [
        {"decimals": int(places), "changes": _changes(_units(row, factor))} if fit else _plain(row)
        for row, places, factor, fit in zip(values, decimals, factors, fits, strict=True)
    ]


def _changes(whole: Values) -> list[int | None]:
    known = ~np.isnan(whole)
    column = np.full(len(whole), None, object)
    column[known] = np.diff(whole[known], prepend=0.0).astype(np.int64)
    return list(column.tolist())


def _units(values: Values, factor: Values | float) -> Values:
    """Whole numbers of the last decimal that is kept, such that rounding them once more goes as for the value itself.

    21.2499999 rounded to six digits and then to three would be 21.3; and a value just below a threshold would become
    it. So a value that is cut off never ends in 0 or 5, the two digits at which the next rounding turns.
    """
    nearest = np.rint(values * factor)
    is_exact = nearest / factor == values
    size = np.floor(np.abs(values) * factor)
    size = np.where(size / factor > np.abs(values), size - 1, size)
    is_turning = np.isin(size % 10, (0, 5))
    cut = np.copysign(np.where(is_turning, size + 1, size), values)
    return np.where(is_exact | np.isnan(values), nearest, cut)


def _plain(values: Values) -> list[Value]:
    """Values as they are; JSON has no infinity, and NaN is null."""
    shortened = _shortened(values)
    if np.isfinite(shortened).all():
        return list(shortened.tolist())
    return [_special(value) for value in shortened.tolist()]


def _shortened(values: Values) -> Values:
    with np.errstate(all="ignore"):
        factor = np.power(10.0, _decimals(np.abs(values)))
        # A whole number over a power of ten is the shortest decimal; too small or large ones stay as they are.
        shortened = _units(values, factor) / factor
    return np.where(np.isfinite(shortened) & (np.abs(values) > _TINY), shortened, values)


def _decimals(sizes: Values) -> Values:
    """For six digits; of large numbers all digits before the point and three behind, because times are such."""
    with np.errstate(all="ignore"):
        magnitude = np.floor(np.log10(sizes))
    return np.where(np.isfinite(magnitude), np.clip(_DIGITS - 1 - magnitude, _MIN_DECIMALS, _MAX_DECIMALS), 0.0)


def _special(value: float) -> Value:
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
