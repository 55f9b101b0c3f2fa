"""A Prometheus that answers what a test sets, on loopback, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class FakePrometheus:
    """Answers by the query's text.

    Args:
        series: answers of range and instant queries; a query that is not named has no series.
        labels: answers of label queries, by label.
        errors: queries that are refused, with the reason.
        raw: whole bodies in place of an answer, with their status.
        delay_seconds: before each answer.
    """

    series: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    raw: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    targets: list[dict[str, Any]] = field(default_factory=list)
    start_time: str = "2026-01-01T00:00:00.123456789Z"
    delay_seconds: float = 0.0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    under_way: int = 0
    max_under_way: int = 0
    url: str = ""

    def queries(self) -> list[str]:
        """Texts of the queries asked, in order."""
        return [form["query"] for path, form in self.asked if "query" in form and path != "/api/v1/query_exemplars"]

    async def answer(self, request: web.Request) -> web.Response:
        """One request."""
        form = {key: str(value) for key, value in {**request.query, **await request.post()}.items()}
        self.asked.append((request.path, form))
        self.under_way += 1
        self.max_under_way = max(self.max_under_way, self.under_way)
        try:
            await asyncio.sleep(self.delay_seconds)
            return self._answer(request.path, form)
        finally:
            self.under_way -= 1

    def _answer(self, path: str, form: dict[str, str]) -> web.Response:
        query = form.get("query", "")
        raw = self.raw.get(query or path)
        if raw:
            status, body = raw
            return web.Response(status=status, body=body)
        if query in self.errors:
            document = {"status": "error", "errorType": "bad_data", "error": self.errors[query]}
            return web.json_response(document, status=400)
        return web.json_response({"status": "success", "data": self._data(path, query)})

    def _data(self, path: str, query: str) -> Any:
        if path == "/api/v1/query_range":
            return {"resultType": "matrix", "result": self.series.get(query, [])}
        if path == "/api/v1/query":
            points = [{"metric": one["metric"], "value": one["values"][-1]} for one in self.series.get(query, [])]
            return {"resultType": "vector", "result": points}
        if path.startswith("/api/v1/label/"):
            return self.labels.get(path.split("/")[4], [])
        known: dict[str, Any] = {
            "/api/v1/rules": {"groups": [{"rules": self.rules}]},
            "/api/v1/targets": {"activeTargets": self.targets},
            "/api/v1/status/runtimeinfo": {"startTime": self.start_time},
        }
        return known.get(path, [])


@asynccontextmanager
async def running(fake: FakePrometheus) -> AsyncIterator[FakePrometheus]:
    """Serve it while the block runs."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    server = TestServer(app)
    await server.start_server()
    fake.url = str(server.make_url("")).rstrip("/")
    try:
        yield fake
    finally:
        await server.close()


def series(values: list[tuple[float, str]], **labels: str) -> dict[str, Any]:
    """One series as Prometheus writes it."""
    return {"metric": labels, "values": [[moment, value] for moment, value in values]}
