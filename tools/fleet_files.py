"""The fleet's generated files: rules of device and centre, and the dashboard."""

import warnings
from collections.abc import Callable

from edgeinfer.monitoring.fleet import rules

with warnings.catch_warnings():
    # As in tools/monitoring_files.py: the classic format is what Grafana's file provider takes.
    warnings.filterwarnings("ignore", "Prefer using dashboardv2.Dashboard", DeprecationWarning)
    from edgeinfer.monitoring.fleet import dashboard

_FOLDER = "src/edgeinfer/monitoring/generated/fleet"


def renders() -> dict[str, Callable[[], str]]:
    """Path of each file to what renders it."""
    found = dashboard.create()
    return {
        f"{_FOLDER}/device.yml": rules.device_file,
        f"{_FOLDER}/centre.yml": rules.centre_file,
        f"{_FOLDER}/{found.file}": found.to_json,
    }
