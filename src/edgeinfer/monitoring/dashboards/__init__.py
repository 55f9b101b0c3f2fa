"""Dashboards in typed Python, one file for each board; each offers `create() -> Board`. Needs the Grafana SDK."""

import importlib
import pkgutil

from edgeinfer.monitoring.dashboards.board import Board

# The parts that boards are made of.
_PARTS = ("board", "layout", "panels", "sources", "style", "variables")


def board_names() -> tuple[str, ...]:
    """The board files of this folder."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _PARTS))


def board(name: str) -> Board:
    """One board by its file's name."""
    found: Board = importlib.import_module(f"{__name__}.{name}").create()
    return found
