"""What a failure has cost between two moments: requests, fallbacks, latency, error budget, refused samples."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from edgeinfer.catalog import gateway
from edgeinfer.diagnosis.counting import grown
from edgeinfer.diagnosis.view import Asks, Series, series_of, unchanged
from edgeinfer.errors import MonitoringError
from edgeinfer.monitoring.promql import Queries, matching, selector
from edgeinfer.monitoring.recording import REQUESTS
from edgeinfer.monitoring.thresholds import ERROR_BUDGET

_DAY = 86_400.0
_MONTH = 30 * _DAY
_MIN_SECONDS = 60.0
_STREAM = "/api/v1/analysis/stream"
_TRAFFIC = f"sum(avg_over_time({REQUESTS.name}[30d]))"


@dataclass(frozen=True, slots=True)
class Cost:
    """Each figure is None where it could not be read.

    Args:
        start: of the time that it is of, in seconds since 1970.
        end: of that time.
        analyses: that phones asked for.
        failed: of these, answered by nobody.
        by_fallback: of these, answered by the gateway's own model.
        failed_calls: calls to the sidecar that failed.
        refused_uploads: uploads of samples that were not accepted for a fault of ours; phones send them again.
        p95_seconds: within which 95 % of the calls to the sidecar were answered.
        p95_before_seconds: the same of the day before.
        budget_spent: share of a month's error budget that the failed calls are.
    """

    start: float
    end: float
    analyses: int | None = None
    failed: int | None = None
    by_fallback: int | None = None
    failed_calls: int | None = None
    refused_uploads: int | None = None
    p95_seconds: float | None = None
    p95_before_seconds: float | None = None
    budget_spent: float | None = None

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


async def read_cost(prometheus: Asks, start: float, end: float, rewrite: Callable[[str], str] = unchanged) -> Cost:
    """The cost of a time; without an answer of Prometheus, a cost of which nothing is known."""
    try:
        return await _read(prometheus, start, end, rewrite)
    except MonitoringError:
        return Cost(start, end)


async def _read(prometheus: Asks, start: float, end: float, rewrite: Callable[[str], str]) -> Cost:
    window = f"{max(_MIN_SECONDS, end - start):.0f}s"
    latency = Queries(window, {}).quantile(0.95, gateway.INFERENCE_DURATION)
    before = Queries("1d", {}).quantile(0.95, gateway.INFERENCE_DURATION)
    refused = selector(gateway.HTTP_REQUESTS, {"endpoint": _STREAM, "status_code": matching("5..")})
    sources, statuses, uploads, p95, p95_before, traffic = await asyncio.gather(
        grown(prometheus, gateway.ANALYSES.name, start, end, ("source",)),
        grown(prometheus, gateway.INFERENCE_REQUESTS.name, start, end, ("status",)),
        grown(prometheus, refused, start, end),
        prometheus.query(latency, end),
        prometheus.query(rewrite(before), start),
        prometheus.query(rewrite(_TRAFFIC), end),
    )
    failed_calls = _count(statuses, "failure")
    per_second = _value(series_of(traffic))
    return Cost(
        start,
        end,
        analyses=round(sum(sources.values())) if sources else None,
        failed=_count(sources, "none"),
        by_fallback=_count(sources, "fallback"),
        failed_calls=failed_calls,
        refused_uploads=round(sum(uploads.values())) if sources else None,
        p95_seconds=_value(series_of(p95)),
        p95_before_seconds=_value(series_of(p95_before)),
        budget_spent=failed_calls / (per_second * _MONTH * ERROR_BUDGET) if failed_calls and per_second else None,
    )


def _count(found: dict[tuple[str, ...], float], label: str) -> int | None:
    return round(found.get((label,), 0.0)) if found else None


def _value(series: list[Series]) -> float | None:
    return series[0].value if series else None
