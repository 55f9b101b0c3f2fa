"""The Hailo Sidecar Monitoring Dashboard: fast, right, healthy, real? Then where the time and the errors go."""

from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.dashboard import Dashboard
from edgeinfer.monitoring.dashboards.hailo_sidecar import calls, machine, model, now
from edgeinfer.monitoring.dashboards.long_range import resolution


def create() -> Dashboard:
    return Dashboard(
        uid="hailo-sidecar-monitoring",
        file="grafana_hailo_sidecar_dashboard.json",
        title="Hailo Sidecar Monitoring Dashboard",
        description="Inference through the Hailo sidecar: is it fast, right, healthy and real, and if not, why.",
        variables=[variables.datasource(), variables.job(), variables.instance(), resolution()],
        rows=[*now.rows(), *calls.rows(), *model.rows(), *machine.rows()],
    )
