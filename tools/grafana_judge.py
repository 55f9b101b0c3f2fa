"""How Grafana's own library renders our panels, compared with how the console does."""

import json
import math
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgeinfer.console
from edgeinfer.console.formatting import MINUS as MINUS_SIGN
from edgeinfer.console.formatting import NARROW, NO_VALUE
from edgeinfer.monitoring.files import all_panels

FOLDER = Path(__file__).parent / "grafana_data"
STATIC = Path(edgeinfer.console.__file__).parent / "static"
_WIRE_DIGITS = 6
_RGB = 3
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
THEMES = ("light", "dark")
KINDS = ("stat", "gauge", "bargauge", "timeseries", "state-timeline", "table")
# Sizes that rounding, scaling and plural words treat differently, in addition to those around a panel's own thresholds.
_VALUES = (
    0, 1, -1, 2, 10, 0.5, 0.025, 0.0249999, 0.000573, 1.2e-7, 0.975, 0.97499999, 21.2499999, 9.9951, 59, 60, 61, 89,
    119, 120, 999.96, 1000, 1024, 1629, 3600, 7199, 8948, 9009, 12345, 86399, 86400, 604800, 310e6, 1.5e9, 2.2e12,
    33333333.3, -0.05, -1500,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meant:
    """A difference that we want.

    Args:
        name: of the kind.
        reason: why the console differs.
    """

    name: str
    reason: str


MINUS = Meant("minus", "a minus is as wide as a plus and does not look like a hyphen, so signs are in one column")
SPACE = Meant("space", "a narrow space that does not break keeps a number and its unit on one line")
ABSENT = Meant("absent", "a dash says that nothing is there; Grafana leaves the place empty, which reads as a fault")
INFINITE = Meant(
    "infinity",
    "Grafana writes 'undefined' behind infinitely many requests, a time for an infinite age, 'Invalid date' for no end",
)
DIGITS = Meant("digits", "six digits go over the wire, a fifth less than seven would take; more are not compared")
MEANT = (MINUS, SPACE, ABSENT, INFINITE, DIGITS)


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where both renderings differ.

    Args:
        kind: "text", "color", "name", "order" or "count".
        panel: title of the panel.
    """

    kind: str
    panel: str
    grafana: Any
    console: Any


def run(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The response of judge.mjs, which documents the requests it takes.

    Raises:
        FileNotFoundError: the library is not installed; `make setup-browser` does it.
        RuntimeError: the program failed, with its output.
    """
    if not (FOLDER / "node_modules").is_dir():
        raise FileNotFoundError(f"{FOLDER / 'node_modules'} is missing; run 'make setup-browser'")
    body = json.dumps(dict(asked) | {"console": str(STATIC)}, default=str)
    done = subprocess.run(
        ["node", "judge.mjs"], cwd=FOLDER, input=body, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise RuntimeError(f"judge.mjs failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def thresholds(panel: Mapping[str, Any]) -> set[float]:
    """Every number at which the look of a panel changes: thresholds, mappings, bounds, of defaults and overrides."""
    config = panel.get("fieldConfig", {})
    parts = [config.get("defaults", {})]
    parts += [
        {one["id"]: one.get("value")} for override in config.get("overrides", []) for one in override["properties"]
    ]
    found: set[float] = set()
    for part in parts:
        steps = (part.get("thresholds") or {}).get("steps", [])
        found.update(step["value"] for step in steps if step.get("value") is not None)
        found.update(float(part[bound]) for bound in ("min", "max") if part.get(bound) is not None)
        for mapping in part.get("mappings") or []:
            if mapping.get("type") == "value":
                found.update(float(key) for key in mapping["options"] if _NUMBER.fullmatch(key))
    return found


def values_for(panel: Mapping[str, Any]) -> list[float]:
    """Ordinary sizes, and each threshold with what is nearly it."""
    near = [value for edge in sorted(thresholds(panel)) for value in around(edge)]
    return [*map(float, _VALUES), *near, math.nan, math.inf, -math.inf]


def around(edge: float) -> tuple[float, ...]:
    """The edge and values next to it, from one that no screen can show to one in the third digit."""
    if not edge:
        return (0.0, -1e-9, 1e-9, -0.004, 0.004)
    size = abs(edge)
    down, up = edge * (1 - 1e-10), edge * (1 + 1e-10)
    return (edge, down, up, edge - size * 4e-8, edge + size * 4e-8, edge - size * 0.004, edge + size * 0.004)


def json_value(value: float) -> float | str | None:
    """JSON has no infinity; not-a-number is what Prometheus calls it."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def compare(
    title: str, grafana: Sequence[Mapping[str, Any]], console: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    """Where two renderings of one panel differ."""
    names = [[one["name"] for one in found] for found in (grafana, console)]
    if len(grafana) != len(console):
        yield Difference("count", title, names[0], names[1])
        return
    if names[0] != names[1]:
        kind = "order" if Counter(names[0]) == Counter(names[1]) else "name"
        yield Difference(kind, title, names[0], names[1])
    for one, other in zip(grafana, console, strict=True):
        yield from _compare(title, one, other)


def _compare(title: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    for part in ("texts", "states"):
        if len(one.get(part, ())) != len(other.get(part, ())):
            yield Difference("count", title, one[part], other[part])
            return
    for left, right in _pairs(one.get("color"), other.get("color")):
        if _rgba(left) != _rgba(right):
            yield Difference("color", title, left, right)
    texts = (_pairs(one.get("text"), other.get("text")), zip(one.get("texts", ()), other.get("texts", ()), strict=True))
    for pairs in texts:
        yield from (Difference("text", title, left, right) for left, right in pairs if not meant(left, right)[0])
    for (left, left_color), (right, right_color) in zip(one.get("states", ()), other.get("states", ()), strict=True):
        if not meant(left, right)[0]:
            yield Difference("text", title, left, right)
        if _rgba(left_color) != _rgba(right_color):
            yield Difference("color", title, left_color, right_color)


def _rgba(color: str | None) -> tuple[float, ...] | str | None:
    """Red, green, blue and opacity, however they are written; anything else as it is."""
    text = {"transparent": "#ffffff00", "--text": "#24292e"}.get(color or "", color or "")
    if re.fullmatch(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{8})", text):
        parts = [int(text[place : place + 2], 16) for place in range(1, len(text), 2)]
        return (*parts[:3], round((parts[3] if len(parts) > _RGB else 255) / 255, 2))
    found = re.fullmatch(r"rgba?\(([^)]+)\)", text)
    if not found:
        return color
    numbers = [float(part) for part in found[1].split(",")]
    return (*numbers[:3], round(numbers[3] if len(numbers) > _RGB else 1.0, 2))


def _pairs(left: Any, right: Any) -> Iterable[tuple[Any, Any]]:
    return [] if left is None and right is None else [(left, right)]


def meant(grafana: str, console: str) -> tuple[bool, tuple[Meant, ...]]:
    """Whether two texts say the same but for what is meant, and which of the meant differences it took."""
    if grafana == console:
        return True, ()
    if grafana in ("", "NaN") and console == NO_VALUE:
        return True, (ABSENT,)
    if "∞undefined" in grafana or "Infinity" in grafana or grafana == "Invalid date":
        return "∞" in console, (INFINITE,)
    text = console.replace(NARROW, " ").replace(MINUS_SIGN, "-")
    used = (SPACE,) * (NARROW in console) + (MINUS,) * (MINUS_SIGN in console)
    if text == grafana:
        return True, used
    left, right = (_NUMBER.sub("#", one) for one in (grafana, text))
    numbers = [_NUMBER.findall(one) for one in (grafana, text)]
    is_long = left == right and all(len(re.sub(r"\D", "", one)) > _WIRE_DIGITS - 1 for one in numbers[0])
    is_near = is_long and all(math.isclose(float(a), float(b), rel_tol=2e-5) for a, b in zip(*numbers, strict=True))
    return is_near, (*used, DIGITS)


def drawn_panels(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Panels that both can render, those in collapsed rows as well."""
    yield from (panel for panel in all_panels(document) if panel["type"] in KINDS)


def made_up(panel: Mapping[str, Any], to_wire: Any) -> dict[str, Any]:
    """The panel with a series for each value that matters, named as its overrides name theirs, and one more."""
    names = [one["matcher"]["options"] for one in panel.get("fieldConfig", {}).get("overrides", [])]
    named = [name for name in names if isinstance(name, str)] or ["first", "second", "third"]
    rows = [[value] for value in values_for(panel)]
    series = [[*rows[place], *rows[place]] for place in range(len(rows))]
    labels = [{"series": str(place)} for place in range(len(series))]
    titles = [named[place] if place < len(named) else f"series {place}" for place in range(len(series))]
    if panel["type"] == "table":
        labels = [dict.fromkeys(_columns(panel) or ["series"], f"row {place}") for place in range(len(series))]
    frame = {
        "ref": "A",
        "start": 1.8e9,
        "step": 0 if panel["type"] == "table" else 15,
        "names": titles,
        "labels": labels,
    }
    exact = [[json_value(value) for value in values] for values in series]
    return {"panel": panel, "exact": [frame | {"columns": exact}], "wire": [frame | {"columns": to_wire(series)}]}


def _columns(panel: Mapping[str, Any]) -> list[str]:
    named = [one["matcher"]["options"] for one in panel.get("fieldConfig", {}).get("overrides", [])]
    return sorted(name for name in named if re.fullmatch(r"[a-z_]+", name))
