"""What is unusual against the last day: for symptoms that no cause explains."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgeinfer.catalog import device, gateway, sidecar, system
from edgeinfer.diagnosis.view import Asks, series_of, unchanged
from edgeinfer.errors import MonitoringError
from edgeinfer.monitoring.prometheus_metrics import PROCESS_CPU, PROCESS_MEMORY, SCRAPE_DURATION, UP
from edgeinfer.monitoring.promql import Queries

_Q = Queries("2m", {})
_JOB = ("job",)
_SHOWN = 5
# Under this part of its own size a difference is ignored.
_MIN_CHANGE = 0.1

SIGNALS: Mapping[str, str] = {
    "targets that answer": _Q.gauge(UP, how="sum", by=_JOB),
    "time of a scrape": _Q.gauge(SCRAPE_DURATION, by=_JOB),
    "memory of the process": _Q.gauge(PROCESS_MEMORY, by=_JOB),
    "processor time of the process": _Q.rate(PROCESS_CPU, by=_JOB),
    "analyses a second by source": _Q.rate(gateway.ANALYSES, by=(*_JOB, "source")),
    "failed calls a second by class": _Q.rate(gateway.INFERENCE_ERRORS, by=(*_JOB, "error_type")),
    "fallbacks a second by reason": _Q.rate(gateway.FALLBACKS, by=(*_JOB, "reason")),
    "requests a second by status": _Q.rate(gateway.HTTP_REQUESTS, by=(*_JOB, "status_code")),
    "refused requests a second by kind": _Q.rate(gateway.PROBLEMS, by=(*_JOB, "error_type")),
    "samples a second": _Q.rate(gateway.SAMPLES_RECEIVED, by=_JOB),
    "p95 of a call": _Q.quantile(0.95, gateway.INFERENCE_DURATION, by=_JOB),
    "p95 between gateway and sidecar": _Q.quantile(0.95, gateway.NETWORK_DURATION, by=_JOB),
    "sessions": _Q.gauge(gateway.SESSIONS_ACTIVE, by=_JOB),
    "windows a second by what became of them": _Q.rate(sidecar.INFERENCES, by=(*_JOB, "status")),
    "windows in the queue": _Q.gauge(sidecar.QUEUE_DEPTH, by=_JOB),
    "time of a stage": _Q.mean(sidecar.STAGE_DURATION, by=(*_JOB, "stage")),
    "failures of the backend by class": _Q.rate(sidecar.HARDWARE_ERRORS, by=(*_JOB, "error_class")),
    "temperature of the chip": _Q.gauge(device.TEMPERATURE, by=_JOB),
    "use of the chip": _Q.gauge(device.UTILIZATION_RATIO, by=_JOB),
    "use of the processor": _Q.gauge(system.CPU_USAGE_RATIO, how="avg", by=_JOB),
    "room on the disk": _Q.gauge(system.DISK_SPACE, by=_JOB, where={"space": "available"}),
}


@dataclass(frozen=True, slots=True)
class Unusual:
    """A signal outside of what it was within the last day.

    Args:
        signal: in words, with the labels that identify its series.
        job: of its process.
        value: at the moment.
        low: the least of the day before.
        high: the most of the day before.
    """

    signal: str
    job: str
    value: float
    low: float
    high: float

    @property
    def distance(self) -> float:
        """How far outside, in sizes of the largest value that is known of it."""
        outside = max(self.value - self.high, self.low - self.value)
        return outside / max(abs(self.value), abs(self.high), abs(self.low))

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


async def read_unusual(
    prometheus: Asks, moment: float, rewrite: Callable[[str], str] = unchanged
) -> tuple[Unusual, ...]:
    """The signals that are furthest outside of their last day, at most five; none where nothing is."""
    found = await asyncio.gather(
        *(_read(prometheus, name, expression, moment, rewrite) for name, expression in SIGNALS.items())
    )
    outside = [one for some in found for one in some if one.distance > _MIN_CHANGE]
    return tuple(sorted(outside, key=lambda one: (-one.distance, one.signal))[:_SHOWN])


async def _read(
    prometheus: Asks, name: str, expression: str, moment: float, rewrite: Callable[[str], str]
) -> list[Unusual]:
    asked = [f"{how}_over_time(({expression})[1d:5m] offset 10m)" for how in ("min", "max")]
    try:
        now, low, high = await asyncio.gather(*(prometheus.query(rewrite(one), moment) for one in (expression, *asked)))
    except MonitoringError:
        return []
    lows, highs = ({_key(one.labels): one.value for one in series_of(answer)} for answer in (low, high))
    return [
        Unusual(_named(name, one.labels), one.labels.get("job", ""), one.value, lows[key], highs[key])
        for one in series_of(now)
        if (key := _key(one.labels)) in lows and key in highs and max(abs(one.value), abs(lows[key]), abs(highs[key]))
    ]


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _named(name: str, labels: Mapping[str, str]) -> str:
    values = ", ".join(value for label, value in sorted(labels.items()) if label not in ("job", "__name__"))
    return f"{name} ({values})" if values else name
