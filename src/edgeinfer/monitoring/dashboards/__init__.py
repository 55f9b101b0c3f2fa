"""Dashboards in typed Python, one file or folder each, which offers `create() -> Dashboard`. Needs the Grafana SDK."""

import importlib
import pkgutil

from edgeinfer.monitoring.dashboards.dashboard import Dashboard

# The parts that dashboards are made of.
_PARTS = ("dashboard", "layout", "links", "long_range", "panels", "sources", "style", "variables")


def dashboard_names() -> tuple[str, ...]:
    """The files and folders here that make a dashboard each, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _PARTS))


def dashboard(name: str) -> Dashboard:
    """One dashboard by the name of its file or folder."""
    found: Dashboard = importlib.import_module(f"{__name__}.{name}").create()
    return found
