"""The gateway's dashboard: what phones ask, what they get, and how the gateway itself fares."""

from edgeinfer.monitoring.dashboards import variables
from edgeinfer.monitoring.dashboards.dashboard import Dashboard
from edgeinfer.monitoring.dashboards.edgeinfer_gateway import phones, processes, sensors, work
from edgeinfer.monitoring.dashboards.long_range import resolution


def create() -> Dashboard:
    return Dashboard(
        uid="edgeinfer-gateway",
        file="edgeinfer_gateway_dashboard.json",
        title="EdgeInfer",
        description="The gateway: what phones ask of it, what they get, and how it fares.",
        variables=[variables.datasource(), variables.job(), variables.instance(), resolution()],
        rows=[*phones.rows(), *sensors.rows(), *work.rows(), *processes.rows()],
    )
