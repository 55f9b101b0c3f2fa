"""The chips' dashboard: heat against the device's own limits, throttling, use, current, and whether we see at all."""

from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.dashboard import Dashboard
from edgeinfer.monitoring.dashboards.hardware import access, chip
from edgeinfer.monitoring.dashboards.long_range import resolution


def create() -> Dashboard:
    return Dashboard(
        uid="edgeinfer-hardware",
        file="hailo_hardware_dashboard.json",
        title="Hailo hardware",
        description="Each chip: temperature against its own limits, throttling, use by model, current, and whether "
        "its sensors are read. What cannot be read is absent here, never zero.",
        variables=[variables.datasource(), variables.job(), variables.instance(), variables.chip(), resolution()],
        rows=[*chip.rows(), *access.rows()],
    )
