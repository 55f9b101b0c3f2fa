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
    """

    title: str
    lines: Sequence[Sequence[Panel]]
    link: DashboardLink | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands: column, line from the top, width, height."""

    x: int
    y: int
    width: int
    height: int


def places(rows: Sequence[Row]) -> list[tuple[Row | Panel, Place]]:
    """Rows and panels in reading order, each with its place.

    Raises:
        ValueError: a line is wider than the grid, or its panels differ in height.
    """
    found: list[tuple[Row | Panel, Place]] = []
    y = 0
    for row in rows:
        found.append((row, Place(0, y, COLUMNS, 1)))
        y += 1
        for line in row.lines:
            _check(row, line)
            x = 0
            for panel in line:
                found.append((_leading_on(panel, row), Place(x, y, panel.width, panel.height)))
                x += panel.width
            y += line[0].height
    return found


def _leading_on(panel: Panel, row: Row) -> Panel:
    return panel if panel.link else replace(panel, link=row.link)


def _check(row: Row, line: Sequence[Panel]) -> None:
    width = sum(panel.width for panel in line)
    if width > COLUMNS:
        raise ValueError(f"row {row.title}: its panels are {width} columns wide together, the grid has {COLUMNS}")
    if len({panel.height for panel in line}) > 1:
        raise ValueError(f"row {row.title}: panels side by side need one height")
