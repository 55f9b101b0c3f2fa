"""The variables at the top of a dashboard: data source, job, instance, chip."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from edgeinfer.catalog.metric import Owner
from edgeinfer.monitoring.dashboards.panels import DATASOURCE

_OURS = "|".join(Owner)


def datasource() -> Any:
    """Which Prometheus is asked; the only place where a dashboard names one."""
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def job() -> Any:
    return _query("job", "Job", f'label_values(up{{job=~"{_OURS}"}}, job)')


def instance() -> Any:
    return _query("instance", "Instance", 'label_values(up{job=~"$job"}, instance)')


def chip() -> Any:
    return _query("chip", "Chip", 'label_values(hailo_device_info{job=~"$job", instance=~"$instance"}, chip_id)')


def _query(name: str, label: str, query: str) -> Any:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": name, "qryType": 1})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(dashboard.VariableOption(selected=True, text="All", value="$__all"))
    )
