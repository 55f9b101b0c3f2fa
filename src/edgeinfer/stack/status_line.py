"""The figures of the live line, asked of Prometheus like any dashboard's."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
import msgspec

from edgeinfer.catalog.gateway import ANALYSES, INFERENCE_DURATION, INFERENCE_REQUESTS

_WINDOW = "30s"  # six scrapes: short enough to follow what one does, long enough not to jump
_ANSWER_SECONDS = 2.0

_REQUESTS = f"sum(rate({ANALYSES.name}[{_WINDOW}]))"
_P95 = f"histogram_quantile(0.95, sum by (le) (rate({INFERENCE_DURATION.name}_bucket[{_WINDOW}])))"
_SUCCESS = (
    f'sum(rate({INFERENCE_REQUESTS.name}{{status="success"}}[{_WINDOW}]))'
    f" / sum(rate({INFERENCE_REQUESTS.name}[{_WINDOW}]))"
)
_SOURCES = f"sum by (source) (rate({ANALYSES.name}[{_WINDOW}]))"
_ALERTS = 'count(ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)'


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """The last half minute; None where Prometheus has no such number.

    Args:
        answers: whether Prometheus answered.
        requests_per_second: analyses that the gateway was asked for.
        p95_seconds: of the calls to sidecars.
        success_ratio: of the calls to sidecars, 0 to 1.
        source_ratios: share of the answers by where they came from.
        firing_alerts: without the one that always fires.
    """

    answers: bool = False
    requests_per_second: float | None = None
    p95_seconds: float | None = None
    success_ratio: float | None = None
    source_ratios: Mapping[str, float] = field(default_factory=dict)
    firing_alerts: int = 0

    @property
    def is_collecting(self) -> bool:
        """Whether a rate needs more scrapes than there are yet."""
        return self.answers and self.requests_per_second is None


class _Sample(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct):
    result: list[_Sample] = []


class _Answer(msgspec.Struct):
    data: _Data


async def read_figures(http: aiohttp.ClientSession, prometheus_url: str) -> LiveFigures:
    """Ask for all figures at once; a Prometheus that does not answer makes figures without numbers."""
    queries = (_REQUESTS, _P95, _SUCCESS, _SOURCES, _ALERTS)
    try:
        answers = await asyncio.gather(*(_query(http, prometheus_url, query) for query in queries))
    except (TimeoutError, aiohttp.ClientError, OSError, msgspec.DecodeError):
        return LiveFigures()
    requests, p95, success, sources, alerts = answers
    return LiveFigures(
        answers=True,
        requests_per_second=_only(requests),
        p95_seconds=_only(p95),
        success_ratio=_only(success),
        source_ratios=_shares(sources),
        firing_alerts=int(_only(alerts) or 0),
    )


async def _query(http: aiohttp.ClientSession, prometheus_url: str, query: str) -> list[_Sample]:
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with http.get(f"{prometheus_url}/api/v1/query", params={"query": query}, timeout=timeout) as answer:
        answer.raise_for_status()
        return msgspec.json.decode(await answer.read(), type=_Answer).data.result


def _only(samples: list[_Sample]) -> float | None:
    """The number, or None where there is none: a rate of nothing divides by zero and is not a number."""
    number = float(samples[0].value[1]) if samples else math.nan
    return number if math.isfinite(number) else None


def _shares(samples: list[_Sample]) -> dict[str, float]:
    rates = {sample.metric.get("source", ""): float(sample.value[1]) for sample in samples}
    total = sum(rates.values())
    return {source: rate / total for source, rate in sorted(rates.items()) if rate > 0} if total > 0 else {}


def in_words(figures: LiveFigures) -> str:
    if not figures.answers:
        return "Prometheus does not answer yet"
    if figures.is_collecting:
        return "collecting: a rate needs two scrapes, about 10 seconds"
    parts = [f"{figures.requests_per_second:.1f} requests/s", _p95_in_words(figures), _success_in_words(figures)]
    parts.append("source " + (_sources_in_words(figures) or "none"))
    if figures.firing_alerts:
        parts.append(f"{figures.firing_alerts} alert{'s' if figures.firing_alerts > 1 else ''} firing")
    return " | ".join(parts)


def _p95_in_words(figures: LiveFigures) -> str:
    return "p95 -" if figures.p95_seconds is None else f"p95 {figures.p95_seconds * 1e3:.1f} ms"


def _success_in_words(figures: LiveFigures) -> str:
    return "success -" if figures.success_ratio is None else f"success {figures.success_ratio:.1%}"


def _sources_in_words(figures: LiveFigures) -> str:
    shares = figures.source_ratios
    if len(shares) == 1:
        return next(iter(shares))
    return ", ".join(f"{source} {share:.0%}" for source, share in shares.items())
