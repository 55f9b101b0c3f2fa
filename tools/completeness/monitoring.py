"""Alerts, rules, dashboards and metrics that do not fit each other."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chaos.scenario import Scenario
from chaos.scenarios import SCENARIOS
from edgeinfer.catalog.all import all_metrics
from edgeinfer.catalog.metric import Metric
from edgeinfer.catalog.units import UNITS
from edgeinfer.monitoring import alerts, files, recording
from edgeinfer.monitoring.alerts.alert import Alert
from edgeinfer.monitoring.causes import all_causes
from tools.completeness.gap import ROOT, Gap, gap_of
from tools.dashboard_lint import lint
from tools.panel_lint import UNITS as GRAFANA_UNITS
from tools.promql_lint import faults, known_series, substituted
from tools.promql_tree import names_in

_ALERTS = "src/edgeinfer/monitoring/alerts"
_DASHBOARDS = "src/edgeinfer/monitoring/dashboards"
_RECORDING = "src/edgeinfer/monitoring/recording.py"
_CATALOG = "src/edgeinfer/catalog"
_SCENARIOS = "chaos/scenarios"
Document = Mapping[str, Any]


def gaps() -> Iterator[Gap]:
    """Everything of this module that does not fit."""
    entries: list[tuple[str, Alert]] = []
    for subject in alerts.subjects():
        try:
            entries += [(subject, alert) for alert in alerts.alerts_of(subject)]
        except Exception as failure:  # noqa: BLE001 - an entry may raise anything, and the others are still checked
            yield gap_of(failure, f"{_ALERTS}/{subject}.py")
    yield from repeated_names(entries)
    yield from scenarios_of_alerts(entries, SCENARIOS)
    yield from expressions(entries)
    documents = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in files.dashboard_files()}
    for name, document in documents.items():
        module = module_of(name)
        for fault in lint(document):
            source = source_of(module, fault)
            yield Gap(source, fault, f"Change the panel or variable in {source}.")
    read = drawn(documents.values()) | ruled() | of_causes()
    read = read.union(*(names_in(alert.expression) for _, alert in entries))
    yield from unread(all_metrics(), read)
    yield from units(all_metrics())


def module_of(file: str) -> str:
    """The dashboard's module by the name of its generated file, or the folder's index where none is known."""
    from edgeinfer.monitoring import dashboards  # noqa: PLC0415 - needs Grafana's SDK, which warns at import

    by_file = {dashboards.dashboard(name).file: name for name in dashboards.dashboard_names()}
    return by_file.get(file, "__init__")


def source_of(module: str, fault: str) -> str:
    """The file that makes what a fault is about: where a dashboard is a folder, the one with the panel's title."""
    folder = ROOT / _DASHBOARDS / module
    if not folder.is_dir():
        return f"{_DASHBOARDS}/{module}.py"
    title = re.match(r"panel '(.*?)':", fault)
    for path in sorted(folder.glob("*.py")):
        if title and f'"{title.group(1)}"' in path.read_text(encoding="utf-8"):
            return f"{_DASHBOARDS}/{module}/{path.name}"
    return f"{_DASHBOARDS}/{module}/__init__.py"


def repeated_names(entries: Iterable[tuple[str, Alert]]) -> Iterator[Gap]:
    """Alerts whose name another has: one runbook page and one rule would be lost."""
    seen: dict[str, str] = {}
    for subject, alert in entries:
        if alert.name in seen:
            fault = f"there are two alerts {alert.name}, the other one in {seen[alert.name]}.py"
            yield Gap(f"{_ALERTS}/{subject}.py", fault, "Give one of them another name.")
        seen[alert.name] = subject


def scenarios_of_alerts(entries: Iterable[tuple[str, Alert]], scenarios: Iterable[Scenario]) -> Iterator[Gap]:
    """Alerts whose scenario does not exist or expects another alert, and scenarios of alerts that do not exist.

    Args:
        entries: subject and alert.
        scenarios: every chaos scenario.
    """
    expected = {one.name: {one.alert, *one.further_alerts} - {""} for one in scenarios}
    known = set()
    for subject, alert in entries:
        known.add(alert.name)
        path, name = f"{_ALERTS}/{subject}.py", alert.provoked_by
        if name and name not in expected:
            yield Gap(
                path,
                f"the alert {alert.name} is provoked by the chaos scenario {name!r}, which does not exist",
                f"Add it to {_SCENARIOS}, or name one that `python -m chaos --list` has.",
            )
        elif name and alert.name not in expected[name]:
            yield Gap(
                _SCENARIOS,
                f"the scenario {name!r} does not wait for the alert {alert.name}, which says that it provokes it",
                "Name the alert in its `alert` or `further_alerts`.",
            )
    for name, names in expected.items():
        for alert_name in sorted(names - known):
            yield Gap(
                _SCENARIOS,
                f"the scenario {name!r} waits for the alert {alert_name}, which does not exist",
                f"Add it to {_ALERTS}, or name another.",
            )


def expressions(entries: Iterable[tuple[str, Alert]]) -> Iterator[Gap]:
    """Alerts and recording rules whose expression cannot work."""
    known = known_series()
    for subject, alert in entries:
        for fault in faults(alert.expression, known):
            path = f"{_ALERTS}/{subject}.py"
            yield Gap(path, f"the alert {alert.name}: {fault}", "Correct its expression.")
    for group in recording.groups():
        for rule in group.rules:
            for fault in faults(rule.expression, known):
                yield Gap(_RECORDING, f"the rule {rule.record.name}: {fault}", "Correct its expression.")


def drawn(documents: Iterable[Document]) -> set[str]:
    """The series that dashboards ask for."""
    queries = [
        query["expr"]
        for document in documents
        for query in (
            *(target for panel in files.all_panels(document) for target in panel.get("targets", [])),
            *document["annotations"]["list"],
        )
    ]
    return set().union(*(names_in(substituted(query)) for query in queries))


def ruled() -> set[str]:
    """The series that recording rules ask for."""
    return set().union(*(names_in(rule.expression) for group in recording.groups() for rule in group.rules))


def of_causes() -> set[str]:
    """The series that the causes of a diagnosis ask for."""
    evidence = [one for cause in all_causes() for one in (*cause.evidence, *cause.unless, *cause.doubts)]
    return set().union(*(names_in(one.expression) for one in evidence if one.expression))


def unread(metrics: Iterable[Metric], read: set[str]) -> Iterator[Gap]:
    """Metrics that no dashboard, alert, rule or cause reads, but for those that another has replaced."""
    for metric in metrics:
        if not metric.deprecated_by and not set(metric.series_names) & read:
            yield Gap(
                _DASHBOARDS,
                f"the metric {metric.name} is on no dashboard, and no alert, rule or cause reads it",
                "Draw it on a panel (docs/guides/add-a-panel.md) or read it in an alert (docs/guides/add-an-alert.md), "
                "and run make generate.",
            )


def units(metrics: Iterable[Metric]) -> Iterator[Gap]:
    """Units of the catalog that Grafana does not know by a name of ours."""
    for metric in metrics:
        if UNITS.get(metric.unit) not in GRAFANA_UNITS:
            fault = f"the metric {metric.name} has the unit {metric.unit!r}, for which no unit of Grafana is named"
            yield Gap(f"{_CATALOG}/units.py", fault, "Name Grafana's unit for it.")
