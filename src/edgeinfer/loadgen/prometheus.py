"""What Prometheus recorded of a run, compared with what the client measured."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import aiohttp
import orjson

from edgeinfer.catalog import gateway as metrics
from edgeinfer.catalog.metric import Owner
from edgeinfer.loadgen.records import NO_SESSION, NOT_SENT, Records, quantile
from edgeinfer.loadgen.schedule import Operation

TOLERANCE = (
    "requests equal to the one; p95 not below the histogram bucket that holds the gateway's own p95, since the "
    "client's number includes its connection and its own process"
)
SHARED_TOLERANCE = "at least as many requests as this client's: others use this gateway too"
_JOB = Owner.GATEWAY.value
_FRESH_SECONDS = 30.0
_ENDPOINTS = {operation: f"/api/v1/analysis/{operation.value}" for operation in Operation}


class PrometheusUnreachable(Exception):
    """Prometheus did not answer, or has not scraped the gateway since."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Raw counters of the gateway at one scrape.

    Args:
        started: when the gateway's process began, to notice a restart.
        requests: by endpoint.
        buckets: cumulative counts by endpoint and upper bound in seconds.
        analyses: by source.
    """

    started: float
    requests: dict[str, float]
    buckets: dict[str, dict[float, float]]
    analyses: dict[str, float]


class Prometheus:
    """Client of one Prometheus server.

    Args:
        http: an open aiohttp session.
        base_url: such as "http://127.0.0.1:9090".
        clock: monotonic seconds.
    """

    def __init__(self, http: aiohttp.ClientSession, base_url: str, clock: Callable[[], float] = monotonic) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        self._clock = clock

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector of an expression."""
        try:
            async with self._http.get(f"{self._base}/api/v1/query", params={"query": expression}) as response:
                document = orjson.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as failure:
            raise PrometheusUnreachable(f"{self._base}: {type(failure).__name__} {failure}") from failure
        if document.get("status") != "success":
            raise PrometheusUnreachable(f"{self._base}: {document.get('error')}")
        data = document["data"]
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        result: list[dict[str, Any]] = data["result"]
        return result

    async def number(self, expression: str) -> float | None:
        """The value of an expression that gives one series, or None."""
        result = await self.query(expression)
        return float(result[0]["value"][1]) if result else None

    async def snapshot(self) -> Snapshot:
        """Counters of the first scrape of the gateway after this moment.

        Raises:
            PrometheusUnreachable: no such scrape within half a minute.
        """
        asked = await self.number("time()") or 0.0
        give_up = self._clock() + _FRESH_SECONDS
        started = f'process_start_time_seconds{{job="{_JOB}"}}'
        while (await self.number(f"max(timestamp({started}))") or 0.0) <= asked:
            if self._clock() > give_up:
                raise PrometheusUnreachable(f"{self._base}: no scrape of the job {_JOB} within {_FRESH_SECONDS:g} s")
            await asyncio.sleep(0.25)
        return Snapshot(
            started=await self.number(f"max({started})") or 0.0,
            requests=await self._by("endpoint", metrics.HTTP_REQUESTS.name),
            buckets=await self._buckets(),
            analyses=await self._by("source", metrics.ANALYSES.name),
        )

    async def _by(self, label: str, name: str) -> dict[str, float]:
        result = await self.query(f'sum by ({label}) ({name}{{job="{_JOB}"}})')
        return {series["metric"].get(label, ""): float(series["value"][1]) for series in result}

    async def _buckets(self) -> dict[str, dict[float, float]]:
        name = f"{metrics.HTTP_DURATION.name}_bucket"
        buckets: dict[str, dict[float, float]] = {}
        for series in await self.query(f'sum by (endpoint, le) ({name}{{job="{_JOB}"}})'):
            by_bound = buckets.setdefault(series["metric"]["endpoint"], {})
            by_bound[float(series["metric"]["le"])] = float(series["value"][1])
        return buckets


def compare(records: Records, before: Snapshot, after: Snapshot, *, is_shared: bool = False) -> dict[str, Any]:
    """The client's numbers next to Prometheus', operation by operation.

    Args:
        records: of the client.
        before: the counters before its first request.
        after: the counters after its last.
        is_shared: whether others send to this gateway too, so that only its counts can be judged, from below.
    """
    if before.started != after.started:
        return {"comparable": False, "reason": "the gateway was restarted in between", "rows": []}
    rows = [
        _compare_operation(operation, sent, before, after, is_shared=is_shared)
        for operation in Operation
        if (sent := records.of(operation))
    ]
    return {
        "comparable": True,
        "tolerance": SHARED_TOLERANCE if is_shared else TOLERANCE,
        "rows": rows,
        "agrees": all(row["requests_agree"] and row["p95_agrees"] for row in rows),
        "analyses_by_source": {
            source: after.analyses[source] - before.analyses.get(source, 0.0) for source in after.analyses
        },
    }


def _compare_operation(
    operation: Operation, records: Records, before: Snapshot, after: Snapshot, *, is_shared: bool
) -> dict[str, Any]:
    endpoint = _ENDPOINTS[operation]
    answered = Records(record for record in records if record.status)
    unanswered = sum(record.status == 0 and record.failure not in {NOT_SENT, NO_SESSION} for record in records)
    seen = after.requests.get(endpoint, 0.0) - before.requests.get(endpoint, 0.0)
    low, high, next_high = _bucket_of_p95(before.buckets.get(endpoint, {}), after.buckets.get(endpoint, {}))
    p95 = quantile(answered.ordered(lambda record: record.service), 0.95) if answered else None
    return {
        "operation": operation.value,
        "requests_client": len(answered),
        "requests_unanswered": unanswered,
        "requests_prometheus": round(seen),
        # Whether the gateway saw a request that got no response is unknown.
        "requests_agree": len(answered) <= round(seen) and (is_shared or round(seen) <= len(answered) + unanswered),
        "p95_client_ms": round(p95 * 1000, 3) if p95 is not None else None,
        "p95_prometheus_ms": [round(low * 1000, 3), round(high * 1000, 3)],
        # A request without an answer has a duration there and none here.
        "p95_agrees": is_shared or bool(unanswered) or p95 is None or low <= p95,
        # On the way, in the client, or because the client is short of CPU: no fault of the gateway's numbers.
        "p95_outside_gateway": p95 is not None and not is_shared and p95 > next_high,
    }


def _bucket_of_p95(before: dict[float, float], after: dict[float, float]) -> tuple[float, float, float]:
    """Bounds of the bucket that holds the p95 of what came between, and the upper bound of the next one."""
    bounds = sorted(after)
    counts = [after[bound] - before.get(bound, 0.0) for bound in bounds]
    if not counts or counts[-1] <= 0:
        return 0.0, 0.0, 0.0
    place = next(index for index, count in enumerate(counts) if count >= 0.95 * counts[-1])
    low = bounds[place - 1] if place else 0.0
    return low, bounds[place], bounds[min(place + 1, len(bounds) - 1)]
