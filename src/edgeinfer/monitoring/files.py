"""Where the generated dashboards and rules are in the installed package, and what is in a dashboard."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

GENERATED = Path(__file__).parent / "generated"


def dashboards_folder() -> Path:
    """The folder of dashboard JSON files, as Grafana's file provider and the console take them."""
    return GENERATED / "dashboards"


def rules_folder() -> Path:
    """The folder of rule files, for `rule_files` of prometheus.yml."""
    return GENERATED / "rules"


def dashboard_files() -> tuple[Path, ...]:
    return tuple(sorted(dashboards_folder().glob("*.json")))


def rule_files() -> tuple[Path, ...]:
    """Every generated rule file, by name."""
    return tuple(sorted(rules_folder().glob("*.yml")))


def all_panels(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows and panels of a dashboard in reading order, with those inside collapsed rows."""
    for panel in document["panels"]:
        yield panel
        yield from panel.get("panels", ())
