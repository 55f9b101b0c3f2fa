"""Queries that several dashboards draw: live ones from raw series, long ones from recorded history."""

from collections.abc import Iterable

from edgeinfer.catalog import gateway, labels
from edgeinfer.monitoring.dashboards.long_range import LongRangeQueries, only_raw, only_recorded
from edgeinfer.monitoring.promql import Queries, matching
from edgeinfer.monitoring.recording import BUCKETS, HISTORY_BUCKETS, HISTORY_FIRING, HISTORY_HEALTH
from edgeinfer.monitoring.recording import DEPLOYS as RECORDED_DEPLOYS

SCOPE = {"job": matching("$job"), "instance": matching("$instance")}
LIVE = LongRangeQueries("$__rate_interval", SCOPE)
# For numbers of now: as long as a rate needs at a scrape each 15 s, whatever range is picked.
NOW = Queries("1m", SCOPE)
# Over the whole range that the dashboard shows.
WHOLE = LongRangeQueries("$__range", SCOPE)
JOBS = Queries("$__rate_interval", {"job": matching("$job")})

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
FIRING = 'ALERTS{alertstate="firing", severity=~"critical|warning"}'
# Marks on the time axis look over the step, which may be hours, and at least over four scrapes: a shorter event may
# stand between two points.
FIRING_PERIODS = (
    f"max_over_time({only_raw(FIRING)}[$__rate_interval]) or "
    f"max_over_time({only_recorded(HISTORY_FIRING.name)}[$__rate_interval])"
)
# Recorded each half minute: a window of four scrapes can miss it, the series itself cannot. Without its name, so that
# both are one series, and a deploy one mark.
DEPLOYS = (
    f"max_over_time({RECORDED_DEPLOYS.name}[$__rate_interval]) or "
    f"max by ({', '.join(RECORDED_DEPLOYS.labels)}) ({RECORDED_DEPLOYS.name})"
)


def finite(expression: str) -> str:
    """Nothing where there was nothing to divide by, in place of "not a number"."""
    return f"({expression}) >= 0"


def or_zero(expression: str) -> str:
    """A sum of which no series exists yet, such as of a status that was never answered, is zero."""
    return f"{expression} or vector(0)"


def quantile(fraction: float, *, by: Iterable[str] = ()) -> str:
    """A quantile over recorded bucket rates: buckets add up across instances, quantiles never do."""
    live, past = only_raw(LIVE.select(BUCKETS)), only_recorded(LIVE.select(HISTORY_BUCKETS))
    buckets = f"sum by ({', '.join(('le', *by))}) ({live} or avg_over_time({past}[$__interval]))"
    return f"histogram_quantile({fraction}, {buckets}) >= 0"


def quantile_now(fraction: float) -> str:
    """A quantile over the last minute, whatever range is picked."""
    return f"histogram_quantile({fraction}, {NOW.recorded(BUCKETS, by=('le',))}) >= 0"


def success_ratio(queries: Queries = LIVE) -> str:
    """Share of inference requests that succeeded."""
    good = queries.rate(gateway.INFERENCE_REQUESTS, where={"status": "success"})
    return finite(f"{good} / {queries.rate(gateway.INFERENCE_REQUESTS)}")


def health_state() -> str:
    """0 healthy, 1 degraded, 2 unhealthy, for each check that has run; over days the worst of each step."""
    every, degraded, unhealthy = (
        f"max by (check, instance) ({only_raw(LIVE.select(gateway.HEALTH_STATUS, where))})"
        for where in ({}, *({"status": status} for status in labels.HEALTH_STATUSES[1:]))
    )
    past = f"max by (check, instance) (max_over_time({only_recorded(LIVE.select(HISTORY_HEALTH))}[$__interval]))"
    return f"(({degraded} + 2 * {unhealthy}) and {every} > 0) or {past}"
