"""The collectors of the exporter: one for each file of this folder that has a `create`."""

import importlib
import pkgutil
from typing import Any

from prometheus_client import CollectorRegistry

import edgeinfer.collectors
from edgeinfer.collectors.base import Collector
from edgeinfer.collectors.context import CollectorContext, Sources


def collector_names() -> tuple[str, ...]:
    """The files of this folder that hold a collector of the exporter."""
    names = sorted(module.name for module in pkgutil.iter_modules(edgeinfer.collectors.__path__))
    return tuple(name for name in names if hasattr(_module(name), "create"))


def collectors(sources: Sources, registry: CollectorRegistry) -> list[Collector]:
    """Every collector of the exporter, publishing on the registry, by the name of its file."""
    context = CollectorContext(sources, registry)
    return [_module(name).create(context) for name in collector_names()]


def _module(name: str) -> Any:
    return importlib.import_module(f"{edgeinfer.collectors.__name__}.{name}")
