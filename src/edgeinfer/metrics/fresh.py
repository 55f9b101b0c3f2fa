"""Readings that expire when they are not renewed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import RLock
from time import monotonic

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily

from edgeinfer.catalog.metric import Metric
from edgeinfer.metrics.readings import Readings


class FreshReadings(Readings):
    """Readings with an end: a source that hangs loses its series instead of freezing them.

    Args:
        metrics: the catalog entries whose readings may be published here.
        clock: monotonic seconds.
    """

    def __init__(self, metrics: Iterable[Metric], clock: Callable[[], float] = monotonic) -> None:
        super().__init__(metrics)
        self._clock = clock
        self._ends: dict[tuple[Metric, tuple[str, ...]], float] = {}
        self._ends_lock = RLock()

    def publish_for(self, seconds: float, metric: Metric, value: float, *label_values: str) -> None:
        """Show a value from the next scrape on, for so long and no longer."""
        with self._ends_lock:
            self._ends[metric, label_values] = self._clock() + seconds
            self.publish(metric, value, *label_values)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a scrape see all changes made inside, or none."""
        with self._ends_lock:
            yield

    def collect(self) -> list[GaugeMetricFamily]:
        """The readings that are still fresh."""
        with self._ends_lock:
            self._drop_stale()
            return super().collect()

    def _drop_stale(self) -> None:
        now = self._clock()
        for metric, label_values in [key for key, end in self._ends.items() if end <= now]:
            del self._ends[metric, label_values]
            self.withdraw(metric, *label_values)


def fresh_readings(
    metrics: Iterable[Metric], registry: CollectorRegistry, clock: Callable[[], float] = monotonic
) -> FreshReadings:
    """Register readings that expire unless they are renewed."""
    live = FreshReadings(metrics, clock)
    registry.register(live)
    return live
