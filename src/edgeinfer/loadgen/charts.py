"""Charts as inline SVG whose colours come from the page, so that light and dark both work."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 12, 34
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one layer of bars.

    Args:
        name: for the legend.
        css_class: colour of the page: sidecar, fallback, failed, quiet or promise.
        values: one for each place on the horizontal axis; None leaves a gap.
    """

    name: str
    css_class: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class _Axis:
    """The vertical axis: even from 0, or by decades."""

    bottom: float
    top: float
    is_by_decades: bool = False

    def y(self, value: float) -> float:
        if self.is_by_decades:
            span = log10(self.top / self.bottom)
            share = log10(max(value, self.bottom) / self.bottom) / span
        else:
            share = value / self.top
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def ticks(self) -> list[float]:
        if not self.is_by_decades:
            return [self.top * i / _TICKS for i in range(_TICKS + 1)]
        return [self.bottom * 10.0**i for i in range(round(log10(self.top / self.bottom)) + 1)]


def _axis_for(values: Sequence[float], *, by_decades: bool = False) -> _Axis:
    above = [value for value in values if value > 0]
    if not by_decades or not above:
        return _Axis(0.0, _nice(max(values, default=0.0)))
    bottom = 10.0 ** floor(log10(min(above)))
    return _Axis(bottom, max(10.0 ** ceil(log10(max(above))), bottom * 10), is_by_decades=True)


def bars(title: str, labels: Sequence[str], layers: Sequence[Series], unit: str) -> str:
    """Stacked bars, one for each label."""
    totals = [sum(layer.values[i] or 0.0 for layer in layers) for i in range(len(labels))]
    axis = _axis_for(totals)
    step = _plot_width() / max(1, len(labels))
    parts = []
    for i in range(len(labels)):
        below = 0.0
        for layer in layers:
            value = layer.values[i] or 0.0
            if value:
                y = axis.y(below + value)
                height = axis.y(below) - y
                parts.append(
                    f'<rect class="fill {layer.css_class}" x="{_LEFT + i * step + step * 0.1:.1f}" y="{y:.1f}"'
                    f' width="{step * 0.8:.1f}" height="{height:.1f}">'
                    f"<title>{escape(f'{labels[i]}: {value:g} {unit} {layer.name}')}</title></rect>"
                )
            below += value
    return _chart(title, "".join(parts), axis, unit, _names(labels, step), layers)


def lines(title: str, labels: Sequence[str], series: Sequence[Series], unit: str, *, by_decades: bool = False) -> str:
    """Lines over evenly spaced labels; by decades where both small and huge values matter."""
    values = [value for one in series for value in one.values if value is not None]
    axis = _axis_for(values, by_decades=by_decades)
    step = _plot_width() / max(1, len(labels) - 1)
    parts = "".join(
        f'<polyline class="line {one.css_class}" points="{stretch}"><title>{escape(one.name)}</title></polyline>'
        for one in series
        for stretch in _stretches(one.values, step, axis)
    )
    return _chart(title, parts, axis, unit, _names(labels, step, centre=0.0), series)


def share(title: str, layers: Sequence[Series]) -> str:
    """One bar that is split into shares."""
    total = sum(layer.values[0] or 0.0 for layer in layers)
    x, parts = 0.0, []
    for layer in layers:
        width = (layer.values[0] or 0.0) / total * WIDTH if total else 0.0
        parts.append(f'<rect class="fill {layer.css_class}" x="{x:.1f}" y="0" width="{width:.1f}" height="22"/>')
        x += width
    legend = _legend(layers, [f" {(layer.values[0] or 0.0) / total:.1%}" if total else "" for layer in layers])
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} 22" role="img"'
        f' aria-label="{escape(title)}">{"".join(parts)}</svg>{legend}</figure>'
    )


def _stretches(values: Sequence[float | None], step: float, axis: _Axis) -> list[str]:
    """Points of each unbroken part of a line; a single point becomes a short dash."""
    stretches: list[list[str]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append(f"{_LEFT + i * step:.1f},{axis.y(value):.1f}")
    return [" ".join(points if len(points) > 1 else points * 2) for points in stretches if points]


def _chart(  # noqa: PLR0913, PLR0917 - private, called in two places
    title: str, content: str, axis: _Axis, unit: str, names: str, series: Sequence[Series]
) -> str:
    grid = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{axis.y(value):.1f}" y2="{axis.y(value):.1f}"/>'
        f'<text class="axis" x="{_LEFT - 6}" y="{axis.y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        for value in axis.ticks()
    )
    return (
        f"<figure><figcaption>{escape(title)} <small>({escape(unit)})</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{grid}{content}{names}</svg>'
        f"{_legend(series)}</figure>"
    )


def _names(labels: Sequence[str], step: float, centre: float = 0.5) -> str:
    every = -(-len(labels) // 14) or 1
    return "".join(
        f'<text class="axis" x="{_LEFT + (i + centre) * step:.1f}" y="{HEIGHT - 12}" text-anchor="middle">'
        f"{escape(label)}</text>"
        for i, label in enumerate(labels)
        if i % every == 0
    )


def _legend(series: Sequence[Series], suffixes: Sequence[str] = ()) -> str:
    entries = "".join(
        f'<span><i class="{one.css_class}"></i>{escape(one.name)}{escape(suffixes[i]) if suffixes else ""}</span>'
        for i, one in enumerate(series)
    )
    return f'<div class="legend">{entries}</div>'


def _plot_width() -> float:
    return WIDTH - _LEFT - _RIGHT


def _nice(value: float) -> float:
    """The next round number that divides by four well."""
    if value <= 0:
        return 1.0
    magnitude = 1.0
    while magnitude * 10 <= value:
        magnitude *= 10
    while magnitude > value:
        magnitude /= 10
    return next(magnitude * step for step in (1, 2, 4, 6, 8, 10) if magnitude * step >= value)
