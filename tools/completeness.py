"""Says by name what was forgotten when something was added, and the file to edit; part of `make check`."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from chaos.scenario import Scenario
from chaos.scenarios import SCENARIOS
from edgeinfer.monitoring import alerts
from edgeinfer.monitoring.alerts.alert import Alert

_ALERTS = "src/edgeinfer/monitoring/alerts"
_SCENARIOS = "chaos/scenarios"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing or does not fit.

    Args:
        path: the file or folder to edit, from the root of the repository.
        fault: what is wrong, with the name of the thing.
        remedy: what to do.
    """

    path: str
    fault: str
    remedy: str


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


def _alert_entries() -> list[tuple[str, Alert]]:
    return [(subject, alert) for subject in alerts.subjects() for alert in alerts.alerts_of(subject)]


_CHECKS: tuple[Callable[[], Iterable[Gap]], ...] = (lambda: scenarios_of_alerts(_alert_entries(), SCENARIOS),)


def gaps() -> list[Gap]:
    """Everything that is forgotten, in the order of the checks."""
    return [gap for check in _CHECKS for gap in check()]


def main() -> int:
    """Print each gap; 1 if there is one."""
    found = gaps()
    for gap in found:
        print(f"error: {gap.path}: {gap.fault}.\nhint: {gap.remedy}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
