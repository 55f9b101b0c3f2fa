"""An Alertmanager that keeps silences in a dictionary."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class FakeAlertmanager:
    """Answers like version 2 of its interface."""

    alerts: list[dict[str, Any]] = field(default_factory=list)
    silences: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: list[dict[str, Any]] = field(default_factory=list)
    refuse: str = ""
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """One request."""
        if self.refuse:
            return web.json_response(self.refuse, status=400)
        if request.path == "/api/v2/alerts" and request.method == "POST":
            self.sent += await request.json()
            return web.Response()
        if request.path == "/api/v2/alerts":
            return web.json_response(self.alerts)
        if request.method == "POST":
            return await self._make(request)
        if request.method == "DELETE":
            self.silences.pop(request.path.rsplit("/", 1)[1], None)
            return web.Response()
        return web.json_response(list(self.silences.values()))

    async def _make(self, request: web.Request) -> web.Response:
        silence_id = f"5eed000{len(self.silences)}"
        document = await request.json()
        self.silences[silence_id] = document | {"id": silence_id, "status": {"state": "active"}}
        return web.json_response({"silenceID": silence_id})


@asynccontextmanager
async def running_alertmanager(fake: FakeAlertmanager) -> AsyncIterator[FakeAlertmanager]:
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
