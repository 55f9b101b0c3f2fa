"""The client of Prometheus' HTTP API: bounded, with timeouts, and never silent about why there is no answer."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson

from edgeinfer.errors import MonitoringError

MAX_QUERIES = 8
_MAX_BYTES = 16_000_000
# Prometheus is next door: compressing costs both sides more than the bytes do.
_PLAIN = {"Accept-Encoding": "identity"}
_HEADERS = {"GET": _PLAIN, "POST": _PLAIN | {"Content-Type": "application/x-www-form-urlencoded"}}
_STARTING = 503


class Prometheus:
    """Asks one Prometheus.

    Args:
        http: an open client session.
        url: its address, without a slash at the end.
        at_once: requests under way at a time; further ones wait.
        timeout_seconds: for one request, also sent to Prometheus so that it stops working on it.
    """

    def __init__(
        self, http: aiohttp.ClientSession, url: str, *, at_once: int = MAX_QUERIES, timeout_seconds: float = 10.0
    ) -> None:
        self.url = url.rstrip("/")
        self._http = http
        self._gate = asyncio.Semaphore(at_once)
        self._timeout_seconds = timeout_seconds

    async def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Series of a range query, each with `metric` and `values`."""
        answer = await self._ask(
            "/api/v1/query_range",
            {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"} | self._limit(),
        )
        return list(answer["result"])

    async def query(self, expression: str, moment: float) -> list[dict[str, Any]]:
        """Series of an instant query, each with `metric` and `value`; a scalar is a series without labels."""
        answer = await self._ask("/api/v1/query", {"query": expression, "time": f"{moment:.3f}"} | self._limit())
        if answer["resultType"] == "scalar":
            return [{"metric": {}, "value": answer["result"]}]
        if answer["resultType"] != "vector":
            fault = f"its answer is a {answer['resultType']}, not one value for each series"
            raise MonitoringError("query", fault, "Use an instant vector here.", kind="refused")
        return list(answer["result"])

    async def samples(self, selector: str, seconds: float, moment: float) -> list[dict[str, Any]]:
        """The stored samples of a selector within so many seconds before a moment, each with `metric` and `values`."""
        form = {"query": f"{selector}[{max(1.0, seconds):.0f}s]", "time": f"{moment:.3f}"} | self._limit()
        answer = await self._ask("/api/v1/query", form)
        return list(answer["result"])

    async def label_values(self, label: str, selector: str, start: float, end: float) -> list[str]:
        """Values of a label, of all series or of those that a selector names."""
        form = {"start": f"{start:.3f}", "end": f"{end:.3f}"} | ({"match[]": selector} if selector else {})
        return list(await self._ask(f"/api/v1/label/{label}/values", form, method="GET"))

    async def exemplars(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        """Exemplars of the series in an expression."""
        form = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        return list(await self._ask("/api/v1/query_exemplars", form))

    async def rules(self) -> list[dict[str, Any]]:
        answer = await self._ask("/api/v1/rules", {"type": "alert"}, method="GET")
        return list(answer["groups"])

    async def targets(self) -> list[dict[str, Any]]:
        answer = await self._ask("/api/v1/targets", {"state": "active"}, method="GET")
        return list(answer["activeTargets"])

    async def newest_stored(self) -> float | None:
        """The newest time of which a sample is stored, in seconds since 1970; None where none is, or none is said."""
        found = await self._ask("/api/v1/status/tsdb", {}, method="GET")
        head = found.get("headStats") if isinstance(found, dict) else None
        newest = head.get("maxTime") if isinstance(head, dict) else None  # others than Prometheus do not say it
        return newest / 1000 if isinstance(newest, int) and newest > 0 else None

    async def runtime(self) -> dict[str, Any]:
        return dict(await self._ask("/api/v1/status/runtimeinfo", {}, method="GET"))

    def _limit(self) -> dict[str, str]:
        return {"timeout": f"{self._timeout_seconds:g}s"}

    async def _ask(self, path: str, form: Mapping[str, str], method: str = "POST") -> Any:
        async with self._gate:
            try:
                async with asyncio.timeout(self._timeout_seconds + 1):
                    return await self._send(path, form, method)
            except TimeoutError as failure:
                fault = f"it did not answer within {self._timeout_seconds:g} s"
                remedy = "Choose a shorter time range, or look at its load."
                raise MonitoringError("Prometheus", fault, remedy, kind="timeout") from failure
            except (aiohttp.ClientError, OSError) as failure:
                raise MonitoringError(
                    "Prometheus",
                    f"it cannot be reached at {self.url}",
                    "Start it with 'edgeinfer up', or set EDGEINFER_PROMETHEUS_URL.",
                    kind="unreachable",
                ) from failure

    async def _send(self, path: str, form: Mapping[str, str], method: str) -> Any:
        # Encoded here, because aiohttp's own forms cost more than the rest of a request.
        given: dict[str, Any] = {"data": urlencode(form).encode()} if method == "POST" else {"params": form}
        async with self._http.request(method, self.url + path, headers=_HEADERS[method], **given) as answer:
            body = await _read(answer)
            return _data(answer.status, body)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > _MAX_BYTES:
            fault = f"its answer is larger than {_MAX_BYTES // 1_000_000} MB"
            raise MonitoringError("query", fault, "Choose a shorter time range, or sum over a label.", kind="too_large")
        parts.append(part)
    return b"".join(parts)


def _data(status: int, body: bytes) -> Any:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as failure:
        if status == _STARTING:
            raise MonitoringError(
                "Prometheus", "it is starting", "It answers when it has read its data.", kind="starting"
            ) from failure
        raise _stranger(status) from failure
    if not isinstance(document, dict) or document.get("status") not in ("success", "error"):
        raise _stranger(status)
    if document["status"] == "error":
        said = str(document.get("error", "no reason given"))[:500]
        kind = "timeout" if document.get("errorType") in ("timeout", "canceled") else "refused"
        raise MonitoringError("query", said, "Fix the dashboard's query.", kind=kind)
    return document["data"]


def _stranger(status: int) -> MonitoringError:
    fault = f"something else answers at its address (status {status})"
    return MonitoringError("Prometheus", fault, "Set EDGEINFER_PROMETHEUS_URL.", kind="unreachable")


def numbers(values: Sequence[Sequence[Any]]) -> list[tuple[float, float]]:
    """Points as (seconds, value); Prometheus writes values as text."""
    return [(float(moment), float(value)) for moment, value in values]
