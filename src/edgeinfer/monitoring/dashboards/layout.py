"""Rows of panels on Grafana's grid of 24 columns: places them, refuses overflow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgeinfer.monitoring.dashboards.panels import DashboardLink, Panel

COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Row:
    """A headed row of panels.

    Args:
        lines: panels side by side, line under line; the panels of a line have one height.
        link: where those of its panels lead that name no place of their own.
        open_when: completes "open when" in its heading; a row that has it is collapsed, and asks nothing until opened.
        no_value: what it means that nothing in the row has data, said by its first panel alone.
    """

    title: str
    lines: Sequence[Sequence[Panel]]
    link: DashboardLink | None = None
    open_when: str = ""
    no_value: str = ""

    @property
    def heading(self) -> str:
        """What stands above its panels."""
        return f"{self.title} (open when {self.open_when})" if self.open_when else self.title


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands: column, line from the top, width, height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row and its panels, each with its place."""

    row: Row
    place: Place
    panels: Sequence[tuple[Panel, Place]]


def places(rows: Sequence[Row]) -> list[PlacedRow]:
    """Rows with their panels in reading order; below a collapsed row the next one follows at once, as in Grafana.

    Raises:
        ValueError: a line is wider than the grid, or its panels differ in height.
    """
    found: list[PlacedRow] = []
    y = 0
    for row in rows:
        panels, bottom = _below(row, y + 1)
        found.append(PlacedRow(row, Place(0, y, COLUMNS, 1), panels))
        y = y + 1 if row.open_when else bottom
    return found


def _below(row: Row, y: int) -> tuple[list[tuple[Panel, Place]], int]:
    found = []
    for line in row.lines:
        _check(row, line)
        x = 0
        for panel in line:
            found.append((_leading_on(panel, row), Place(x, y, panel.width, panel.height)))
            x += panel.width
        y += line[0].height
    return found, y


def _leading_on(panel: Panel, row: Row) -> Panel:
    return panel if panel.link else replace(panel, link=row.link)


def _check(row: Row, line: Sequence[Panel]) -> None:
    width = sum(panel.width for panel in line)
    if width > COLUMNS:
        raise ValueError(f"row {row.title}: its panels are {width} columns wide together, the grid has {COLUMNS}")
    if len({panel.height for panel in line}) > 1:
        raise ValueError(f"row {row.title}: panels side by side need one height")
