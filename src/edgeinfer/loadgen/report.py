"""The result of a run as one JSON document, and the verdict on it."""

from collections.abc import Callable, Iterable
from typing import Any

from edgeinfer.loadgen.profile import Objective
from edgeinfer.loadgen.records import Records, RequestRecord, quantile
from edgeinfer.loadgen.runner import Run
from edgeinfer.loadgen.schedule import ANALYSES, Operation

QUANTILES = (0.5, 0.9, 0.95, 0.99)
# Upper bounds of the latency distribution in milliseconds: three to a decade.
LATENCY_BOUNDS_MS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
# Past these the generator, and not the service, is what was measured.
LAG_LIMIT_SECONDS = 0.02
CPU_LIMIT_RATIO = 0.9

Document = dict[str, Any]


def summarize(run: Run, records: Records, objective: Objective) -> Document:
    """Everything a report shows of one run, as plain JSON values; times in milliseconds."""
    generator = _generator(run, records)
    verdicts = verdict(records, objective)
    return {
        "profile": run.profile.name,
        "users": run.profile.users,
        "seconds": round(run.seconds, 3),
        "requests": len(records),
        "offered_per_second": round(len(records) / run.profile.seconds, 2),
        "goodput_per_second": round(sum(record.is_success for record in records) / max(run.seconds, 1e-9), 2),
        "operations": {
            operation.value: _describe(records.of(operation)) for operation in Operation if records.of(operation)
        },
        "all": _describe(records),
        "sources": dict(records.of(*ANALYSES).sources()),
        "failures": dict(records.failures()),
        "distribution": _distribution(records.of(*ANALYSES)),
        "timeline": _timeline(records),
        "samples": _samples(run),
        "generator": generator,
        "objective": {"p95_ms": objective.p95_seconds * 1000, "success_ratio": objective.success_ratio},
        "verdicts": verdicts,
        "passed": all(one["passed"] for one in verdicts),
    }


def verdict(records: Records, objective: Objective) -> list[Document]:
    """The objectives, each for the analyses and for all requests; an answer from the fallback counts."""
    verdicts = []
    for name, group in (("analyses", records.of(*ANALYSES)), ("all requests", records)):
        described = _describe(group)
        p95 = described["latency_ms"].get("p95")
        ratio = described["success_ratio"]
        verdicts += [
            {
                "what": f"p95 of {name}",
                "value": p95,
                "limit": objective.p95_seconds * 1000,
                "unit": "ms",
                "passed": p95 is not None and p95 < objective.p95_seconds * 1000,
            },
            {
                "what": f"success of {name}",
                "value": ratio,
                "limit": objective.success_ratio,
                "unit": "ratio",
                "passed": ratio is not None and ratio > objective.success_ratio,
            },
        ]
    return verdicts


def _describe(records: Records) -> Document:
    answered = Records(record for record in records if record.is_success)
    return {
        "requests": len(records),
        "succeeded": len(answered),
        "success_ratio": round(len(answered) / len(records), 6) if records else None,
        "failures": dict(records.failures()),
        "latency_ms": _quantiles(answered, lambda record: record.latency),
        "service_ms": _quantiles(answered, lambda record: record.service),
    }


def _quantiles(records: Records, value: Callable[[RequestRecord], float]) -> Document:
    if not records:
        return {}
    ordered = records.ordered(value)
    quantiles = {f"p{share * 100:g}": _ms(quantile(ordered, share)) for share in QUANTILES}
    return {**quantiles, "max": _ms(ordered[-1]), "mean": _ms(sum(ordered) / len(ordered))}


def _distribution(records: Records) -> list[Document]:
    """Answered analyses by latency and source; the last entry has no upper bound."""
    bounds: list[float | None] = [*LATENCY_BOUNDS_MS, None]
    entries: list[Document] = [{"up_to_ms": bound, "sidecar": 0, "fallback": 0} for bound in bounds]
    for record in records:
        if record.is_success:
            latency = record.latency * 1000
            place = sum(latency > bound for bound in LATENCY_BOUNDS_MS)
            source = "fallback" if record.source == "fallback" else "sidecar"
            entries[place][source] += 1
    return entries


def _timeline(records: Records) -> list[Document]:
    """One entry a second, by when requests were due."""
    seconds: dict[int, Records] = {}
    for record in records:
        seconds.setdefault(int(record.due), Records()).append(record)
    return [_moment(second, seconds.get(second, Records())) for second in range(max(seconds, default=-1) + 1)]


def _moment(second: int, records: Records) -> Document:
    answered = Records(record for record in records if record.is_success)
    ordered = answered.ordered(lambda record: record.latency)
    sources = records.sources()
    return {
        "second": second,
        "requests": len(records),
        "failed": len(records) - len(answered),
        "p50_ms": _ms(quantile(ordered, 0.5)) if ordered else None,
        "p95_ms": _ms(quantile(ordered, 0.95)) if ordered else None,
        "sidecar": sources["sidecar"],
        "fallback": sources["fallback"],
    }


def _samples(run: Run) -> Document:
    stopped = [account for account in run.sessions if account.according_to_gateway is not None]
    return {
        "sessions": len(run.sessions),
        "sessions_stopped": len(stopped),
        "acknowledged": sum(account.acknowledged for account in run.sessions),
        "acknowledged_in_stopped_sessions": sum(account.acknowledged for account in stopped),
        "according_to_gateway": sum(account.according_to_gateway or 0 for account in stopped),
        "lost": sum(account.lost for account in stopped),
    }


def _generator(run: Run, records: Iterable[RequestRecord]) -> Document:
    lags = sorted(record.lag for record in records)
    p99 = quantile(lags, 0.99) if lags else 0.0
    cpu_ratio = run.cpu_seconds / max(run.seconds, 1e-9)
    return {
        "lag_p50_ms": _ms(quantile(lags, 0.5)) if lags else None,
        "lag_p99_ms": _ms(p99),
        "cpu_ratio": round(cpu_ratio, 3),
        "is_bottleneck": p99 > LAG_LIMIT_SECONDS or cpu_ratio > CPU_LIMIT_RATIO,
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
