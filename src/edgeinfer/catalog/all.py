"""The whole catalog, gathered from its subject modules."""

from edgeinfer.catalog import device, gateway, input_streams, model_output, sidecar, system, tracing
from edgeinfer.catalog.metric import Metric, Owner

__all__ = ["all_metrics", "metrics_of"]

MODULES = (gateway, input_streams, model_output, sidecar, system, device, tracing)


def all_metrics() -> tuple[Metric, ...]:
    """Every entry of all subjects, by full name."""
    found = [value for module in MODULES for value in vars(module).values() if isinstance(value, Metric)]
    return tuple(sorted(found, key=lambda metric: metric.name))


def metrics_of(owner: Owner) -> tuple[Metric, ...]:
    """Every entry that one process exports, by name."""
    return tuple(metric for metric in all_metrics() if owner in metric.owners)
