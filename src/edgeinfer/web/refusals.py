"""Answers that the HTTP server gives in place of the application, counted: the application never sees them."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from edgeinfer.catalog.system import HTTP_REFUSALS
from edgeinfer.metrics import instruments
from edgeinfer.web.error_answers import Refusal


def count_refusals(registry: CollectorRegistry) -> Callable[[Refusal], None]:
    """A counter on a registry; gives what the server calls with each refusal."""
    counter = instruments.counter(HTTP_REFUSALS, registry)
    return lambda refusal: counter.labels(refusal.error).inc()
