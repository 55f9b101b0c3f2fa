"""How `edgeinfer top` lays the overview out on a terminal of some width and height."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from edgeinfer.console.overview import Overview, OverviewLine

ANSWERS = ("ok", "collecting")
_BLOCKS = "▁▂▃▄▅▆▇█"
_MAX_HISTORY, _MIN_HISTORY = 60, 8
_MIN_NAME = 22
_PADDING = 6
_SEVERITIES = {"critical": "red", "warning": "yellow"}

Sections = Mapping[str, tuple[OverviewLine, ...]]


def render(overview: Overview, width: int, height: int | None = None, *, is_live: bool = False) -> Group:
    """The overview as text.

    Args:
        overview: what is shown.
        width: characters in a line.
        height: lines there are; None where any number will do.
        is_live: it is renewed until a key ends it.
    """
    parts: list[Text | Rule | Table] = [_head(overview, is_live=is_live)]
    if overview.status.get("prometheus") not in ANSWERS:
        return Group(*parts)
    shown = overview.sections if height is None else fitted(overview.sections, height - 1)
    names = [len(reading.name) for readings in shown.values() for reading in readings]
    name_width = min(max(names, default=0), max(_MIN_NAME, width // 2))
    for title, readings in shown.items():
        left_out = len(overview.sections[title]) - len(readings)
        parts.append(Rule(_title(title, left_out), align="left", style="dim"))
        parts.append(_table(readings, width, name_width) if readings else Text("  none", "dim"))
    return Group(*parts)


def fitted(sections: Sections, lines: int) -> Sections:
    """The sections cut to so many lines, from the end of the longest first, so that none vanishes."""
    kept = {title: len(readings) for title, readings in sections.items()}
    while sum(max(1, count) + 1 for count in kept.values()) > lines and max(kept.values()) > 1:
        kept[max(kept, key=lambda title: kept[title])] -= 1
    return {title: readings[: kept[title]] for title, readings in sections.items()}


def _title(title: str, left_out: int) -> Text:
    return Text.assemble((title, "bold"), (f" and {left_out} more" if left_out else "", "dim"))


def _head(overview: Overview, *, is_live: bool) -> Text:
    moment = datetime.fromtimestamp(overview.moment, UTC).astimezone().strftime("%H:%M:%S")
    state = str(overview.status.get("prometheus"))
    head = Text.assemble(("EdgeInfer", "bold"), f"  {moment}")
    firing = sum((overview.status.get("firing") or {}).values())
    if state != "ok":
        head.append("  " + str(overview.status.get("message") or state), "bold red")
    elif any(one["backend"] == "stub" for one in overview.status.get("backends", ())):
        head.append("  SYNTHETIC: a stub answers, not a model", "bold yellow")
    if firing:
        head.append(f"  {firing} alert{'s' if firing > 1 else ''} firing", "bold red")
    if is_live:
        head.append("  q ends", "dim")
    return head


def _table(readings: tuple[OverviewLine, ...], width: int, name_width: int) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 1), expand=False)
    table.add_column(no_wrap=True, overflow="ellipsis", min_width=name_width, max_width=name_width)
    table.add_column(justify="right", no_wrap=True, min_width=12)
    room = width - name_width - max(12, *(len(reading.text) for reading in readings)) - _PADDING - 3
    for reading in readings:
        row = [_name(reading.name), _value(reading)]
        if room >= _MIN_HISTORY:
            row.append(Text(sparkline(reading.history, min(room, _MAX_HISTORY)), "dim"))
        table.add_row(*row)
    return table


def _name(name: str) -> Text:
    """The panel's name steps back behind the series'."""
    panel, colon, series = name.rpartition(": ")
    return Text.assemble((panel + colon, "dim"), series) if panel else Text(name)


def _value(reading: OverviewLine) -> Text:
    if reading.fault:
        return Text(reading.fault, "red")
    color = reading.color or _SEVERITIES.get(dict(reading.labels).get("severity", ""), "")
    return Text(reading.text, f"bold {color}".strip())


def sparkline(history: tuple[float | None, ...], width: int) -> str:
    """The newest values as blocks; a gap stays a gap."""
    values = history[-width:]
    known = [value for value in values if value is not None]
    if len(known) < 2:  # noqa: PLR2004 - a line needs two points
        return ""
    low, span = min(known), max(known) - min(known)
    top = len(_BLOCKS) - 1
    # What does not change is in the middle: at the bottom it would not be visible.
    places = [None if value is None else round((value - low) / span * top) if span else top // 2 for value in values]
    return "".join(" " if place is None else _BLOCKS[place] for place in places)
