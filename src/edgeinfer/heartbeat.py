"""Whether alerts can fire and be heard of: asked from outside of Prometheus, which cannot say that of itself.

The Watchdog alert always fires. Where Prometheus has no fresh sample of it, no rule is evaluated or nothing is stored,
and where Alertmanager does not know it, nothing that fires is ever sent.
"""

import asyncio
import math
from collections.abc import Callable

import aiohttp
import msgspec

from edgeinfer.clocks import ahead_in_words

_ANSWER_SECONDS = 5.0
# Rules are evaluated every 5 s.
_OLDEST_SECONDS = 60.0
_AHEAD_SECONDS = 60.0
# Prometheus drops what fires before it has discovered Alertmanager, some 5 s after its start, and sends it again a
# minute later (seen in 2.42; the default of --rules.alert.resend-delay).
_RESEND_SECONDS = 75.0
_WATCHDOG = 'ALERTS{alertname="Watchdog", alertstate="firing"}'
_NEWEST = f"max(timestamp({_WATCHDOG}))"
_FIRES_SINCE = 'min(ALERTS_FOR_STATE{alertname="Watchdog"})'
_FAILURES = (TimeoutError, aiohttp.ClientError, OSError, msgspec.MsgspecError, ValueError, IndexError)


class _Sample(msgspec.Struct):
    value: tuple[float, str]


class _Result(msgspec.Struct):
    result: list[_Sample] = []


class _Query(msgspec.Struct):
    data: _Result


class _HeadStats(msgspec.Struct, rename="camel"):
    max_time: int = 0


class _Status(msgspec.Struct, rename="camel"):
    head_stats: _HeadStats


class _StatusAnswer(msgspec.Struct):
    data: _Status


async def why_no_alert_can_fire(
    http: aiohttp.ClientSession, prometheus_url: str, alertmanager_url: str, now: Callable[[], float]
) -> str:
    """The reason, in words; empty where alerts can fire and reach Alertmanager, if there is one."""
    try:
        newest, stored = await asyncio.gather(
            _value(http, prometheus_url, _NEWEST, now()), _stored_until(http, prometheus_url)
        )
    except _FAILURES:
        return "Prometheus does not answer"
    if newest is None or now() - newest > _OLDEST_SECONDS:
        return _why_it_is_old(newest, stored, now())
    if not alertmanager_url:
        return ""
    try:
        is_known = await _is_known(http, alertmanager_url)
    except _FAILURES:
        return "Alertmanager does not answer"
    if is_known or await _has_just_begun(http, prometheus_url, now()):
        return ""
    return "Alertmanager has not heard of the alert that always fires"


async def _has_just_begun(http: aiohttp.ClientSession, url: str, now: float) -> bool:
    """Whether the alert may not have been sent a second time yet."""
    try:
        since = await _value(http, url, _FIRES_SINCE, now)
    except _FAILURES:
        return False
    return since is not None and 0 <= now - since < _RESEND_SECONDS


def _why_it_is_old(newest: float | None, stored: float, now: float) -> str:
    if stored > now + _AHEAD_SECONDS:
        fault, _ = ahead_in_words(stored, now, "Prometheus")
        return f"Prometheus stores no new measurement: {fault}"
    return (
        f"Prometheus evaluated its rules last {now - newest:.0f} s ago" if newest else "Prometheus evaluates no rules"
    )


async def _value(http: aiohttp.ClientSession, url: str, query: str, now: float) -> float | None:
    parameters = {"query": query, "time": f"{now:.3f}"}
    answer = msgspec.json.decode(await _get(http, f"{url}/api/v1/query", parameters), type=_Query)
    value = float(answer.data.result[0].value[1]) if answer.data.result else math.nan
    return value if math.isfinite(value) else None


async def _stored_until(http: aiohttp.ClientSession, url: str) -> float:
    answer = msgspec.json.decode(await _get(http, f"{url}/api/v1/status/tsdb", {}), type=_StatusAnswer)
    return answer.data.head_stats.max_time / 1000


async def _is_known(http: aiohttp.ClientSession, url: str) -> bool:
    body = await _get(http, f"{url}/api/v2/alerts", {"filter": 'alertname="Watchdog"'})
    return bool(msgspec.json.decode(body, type=list[msgspec.Raw]))


async def _get(http: aiohttp.ClientSession, url: str, parameters: dict[str, str]) -> bytes:
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with http.get(url, params=parameters, timeout=timeout) as answer:
        answer.raise_for_status()
        return await answer.read()
