"""The registry of one process."""

import prometheus_client
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector


def new_registry() -> CollectorRegistry:
    """An empty registry for a process or a test."""
    # Creation times would double the series of every counter and histogram.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped in its package
    return CollectorRegistry(auto_describe=True)


def register_process_collectors(registry: CollectorRegistry) -> None:
    """Add memory, CPU, file descriptors and garbage collection of this process."""
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
