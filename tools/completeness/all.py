"""Every check, each imported only when it is its turn, so that a mistake in an entry is said and not raised."""

import importlib
import warnings
from collections.abc import Iterable

from tools.completeness.gap import Gap, collected

_CHECKS = {"parts": "src/edgeinfer/catalog", "monitoring": "src/edgeinfer/monitoring", "docstrings": "src/edgeinfer"}


def gaps() -> list[Gap]:
    """Everything that was forgotten, each once."""
    with warnings.catch_warnings():
        # Grafana's SDK would rather have us write the dashboard format that Grafana's file provider refuses.
        warnings.filterwarnings("ignore", "Prefer using dashboardv2.Dashboard", DeprecationWarning)
        found = [gap for name, path in _CHECKS.items() for gap in collected(path, lambda name=name: _of(name))]  # type: ignore[misc]  # mypy does not infer a lambda with a default
    return list(dict.fromkeys(found))


def _of(name: str) -> Iterable[Gap]:
    checked: Iterable[Gap] = importlib.import_module(f"tools.completeness.{name}").gaps()
    return checked
