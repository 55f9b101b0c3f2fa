"""A long run reported minute by minute, together with memory and open files of the services."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from edgeinfer.loadgen.profile import Objective
from edgeinfer.loadgen.records import Records, RequestRecord, quantile
from edgeinfer.loadgen.runner import Run

# Over the second half of a soak, what warms up has warmed up; what still grows leaks.
GROWTH_LIMIT_BYTES_PER_HOUR = 4_000_000
GROWTH_LIMIT_FILES = 5


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Memory and open files of one process at one moment."""

    resident_bytes: int
    file_descriptors: int


Look = Callable[[], Mapping[str, ProcessUsage]]


def look_at(pids: Mapping[str, int]) -> dict[str, ProcessUsage]:
    """Memory and open files of processes that are still there; others are absent."""
    readings = {}
    for name, pid in pids.items():
        try:
            process = psutil.Process(pid)
            readings[name] = ProcessUsage(process.memory_info().rss, process.num_fds())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return readings


def pid_listening_on(port: int) -> int | None:
    """The process that listens on a port of this machine, if it may be seen."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return connection.pid
    return None


@dataclass(slots=True)
class Soak:
    """Takes records and keeps one entry a minute, so that its own memory stays flat too.

    Args:
        look: reads the watched processes.
        minute_seconds: length of an entry.
    """

    look: Look
    minute_seconds: float = 60.0
    minutes: list[dict[str, Any]] = field(default_factory=list)
    _current: Records = field(default_factory=Records)

    def __call__(self, record: RequestRecord) -> None:
        """Add one finished request to the minute in which it ended."""
        while record.done >= (len(self.minutes) + 1) * self.minute_seconds:
            self._close_minute()
        self._current.append(record)

    def _close_minute(self) -> None:
        records, self._current = self._current, Records()
        ordered = Records(record for record in records if record.is_success).ordered(lambda record: record.latency)
        self.minutes.append(
            {
                "minute": len(self.minutes) + 1,
                "requests": len(records),
                "failed": len(records) - len(ordered),
                "failures": dict(records.failures()),
                "sources": dict(records.sources()),
                **{f"p{share * 100:g}_ms": _ms(ordered, share) for share in (0.5, 0.95, 0.99)},
                "lag_p99_ms": _ms(records.ordered(lambda record: record.lag), 0.99),
                "processes": {
                    name: {"resident_bytes": one.resident_bytes, "file_descriptors": one.file_descriptors}
                    for name, one in self.look().items()
                },
            }
        )

    def as_document(self, run: Run, objective: Objective) -> dict[str, Any]:
        """The soak as plain JSON values, with its verdict."""
        if self._current:
            self._close_minute()
        growth = {name: self._growth(name) for name in self._names()}
        verdicts = [*self._promises(objective), *_flat(growth)]
        accounts = [account for account in run.sessions if account.according_to_gateway is not None]
        return {
            "minutes": self.minutes,
            "growth": growth,
            "samples": {
                "sessions_stopped": len(accounts),
                "acknowledged_in_stopped_sessions": sum(account.acknowledged for account in accounts),
                "according_to_gateway": sum(account.according_to_gateway or 0 for account in accounts),
                "lost": sum(account.lost for account in accounts),
            },
            "verdicts": verdicts,
            "passed": all(verdict["passed"] for verdict in verdicts),
        }

    def _names(self) -> list[str]:
        return sorted({name for entry in self.minutes for name in entry["processes"]})

    def _growth(self, name: str) -> dict[str, Any]:
        """How a process grew from the middle to the end: medians of quarters, so that one peak counts little."""
        readings = [entry["processes"][name] for entry in self.minutes if name in entry["processes"]]
        quarter = max(1, len(readings) // 4)
        third, last = readings[-2 * quarter : -quarter] or readings[:1], readings[-quarter:]
        hours = max(quarter * self.minute_seconds / 3600, 1e-9)
        return {
            "resident_bytes_per_hour": round(
                (_median(last, "resident_bytes") - _median(third, "resident_bytes")) / hours
            ),
            "file_descriptors": _median(last, "file_descriptors") - _median(third, "file_descriptors"),
        }

    def _promises(self, objective: Objective) -> list[dict[str, Any]]:
        requests = sum(entry["requests"] for entry in self.minutes)
        failed = sum(entry["failed"] for entry in self.minutes)
        worst = max((entry["p95_ms"] for entry in self.minutes if entry["p95_ms"] is not None), default=None)
        ratio = (requests - failed) / requests if requests else None
        limit = objective.p95_seconds * 1000
        return [
            {
                "what": "p95 of the worst minute",
                "value": worst,
                "limit": limit,
                "unit": "ms",
                "passed": worst is not None and worst < limit,
            },
            {
                "what": "success of all requests",
                "value": ratio,
                "limit": objective.success_ratio,
                "unit": "ratio",
                "passed": ratio is not None and ratio > objective.success_ratio,
            },
        ]


def _flat(growth: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    return [
        {
            "what": f"{what} of {name}",
            "value": one[field_name],
            "limit": limit,
            "unit": unit,
            "passed": one[field_name] <= limit,
        }
        for name, one in growth.items()
        for what, field_name, limit, unit in (
            ("growth an hour", "resident_bytes_per_hour", GROWTH_LIMIT_BYTES_PER_HOUR, "bytes"),
            ("growth in open files", "file_descriptors", GROWTH_LIMIT_FILES, "files"),
        )
    ]


def _median(readings: list[dict[str, int]], name: str) -> int:
    return sorted(reading[name] for reading in readings)[len(readings) // 2]


def _ms(ordered: list[float], share: float) -> float | None:
    return round(quantile(ordered, share) * 1000, 3) if ordered else None
