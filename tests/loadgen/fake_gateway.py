"""A gateway in memory behind the real HTTP, with faults that a test switches on."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

API = "/api/v1/analysis"


@dataclass
class FakeGateway:
    """Keeps sessions as the contract requires."""

    sessions: dict[str, list[float]] = field(default_factory=dict)
    stopped: dict[str, list[float]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    source: str = "sidecar"
    asked_at: list[int] = field(default_factory=list)
    activities: Counter[str] = field(default_factory=Counter)
    newest_activity: str = ""
    refuse: list[tuple[int, str]] = field(default_factory=list)
    """Answers to give before anything is done, one each."""
    hang_up_after_storing: int = 0
    hang_up_before_reading: int = 0
    hang_up_before_stopping: int = 0

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self.middleware])
        app.router.add_post(f"{API}/start", self.start)
        app.router.add_put(f"{API}/stream", self.stream)
        app.router.add_get(f"{API}/motifs", self.motifs)
        app.router.add_get(f"{API}/synchrony", self.synchrony)
        app.router.add_post(f"{API}/stop", self.stop)
        app.router.add_get(f"{API}/session", self.session)
        app.router.add_post(f"{API}/process", self.process)
        return app

    @property
    @web.middleware
    def middleware(self) -> Any:
        @web.middleware
        async def faults(request: web.Request, handler: Any) -> web.StreamResponse:
            self.calls[request.path.rsplit("/", 1)[1]] += 1
            if self.hang_up_before_reading:
                self.hang_up_before_reading -= 1
                return hang_up(request)
            if self.refuse:
                status, problem = self.refuse.pop(0)
                return answer({"error": problem, "status": status}, status)
            response: web.StreamResponse = await handler(request)
            return response

        return faults

    async def start(self, request: web.Request) -> web.StreamResponse:
        name = f"s{len(self.sessions) + len(self.stopped)}"
        self.sessions[name] = []
        return answer({"sessionId": name, "status": "started"})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        stored = self.sessions.get(body["sessionId"])
        if stored is None:
            return answer({"error": "unknown_session"}, 404)
        times = [sample["t"] for sample in body["samples"]]
        if stored and times[-1] <= stored[-1]:
            return answer({"accepted": 0, "skipped": len(times)}, 202)
        assert not stored or times[0] > stored[-1]
        stored.extend(times)
        self.newest_activity = body.get("activity", "")
        self.activities.update([self.newest_activity] if self.newest_activity else [])
        if self.hang_up_after_storing:
            self.hang_up_after_storing -= 1
            return hang_up(request)
        return answer({"accepted": len(times)}, 202)

    async def motifs(self, request: web.Request) -> web.StreamResponse:
        stored = self.sessions.get(request.query["sessionId"])
        if stored is None:
            return answer({"error": "unknown_session"}, 404)
        if len(stored) < 100:
            return answer({"error": "not_enough_samples"}, 409)
        self.asked_at.append(len(stored))
        motif = {"id": "m1", "score": 0.9, "name": "walking", "description": "walking"}
        known = {"activity": self.newest_activity} if self.newest_activity else {}
        return answer({"motifs": [motif], "source": self.source, "backend": "cpu"} | known)

    async def synchrony(self, request: web.Request) -> web.StreamResponse:
        return answer({"r": 0.0, "lag_ms": 0, "confidence": 0.0})

    async def session(self, request: web.Request) -> web.StreamResponse:
        return answer({"sessionId": request.query["sessionId"], "streams": []})

    async def stop(self, request: web.Request) -> web.StreamResponse:
        if self.hang_up_before_stopping:
            self.hang_up_before_stopping -= 1
            return hang_up(request)
        name = (await request.json())["sessionId"]
        self.stopped[name] = self.sessions.pop(name)
        return answer({"sessionId": name, "status": "stopped", "totalSamples": len(self.stopped[name])})

    async def process(self, request: web.Request) -> web.StreamResponse:
        assert len((await request.json())["samples"]) >= 100
        return answer({"latent": [], "motif_scores": [], "source": self.source, "backend": "cpu"})


def answer(document: dict[str, Any], status: int = 200) -> web.StreamResponse:
    return web.json_response(document, status=status)


def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def serving(gateway: FakeGateway, port: int = 0) -> AsyncIterator[str]:
    """Serve it on loopback; gives the address."""
    runner = web.AppRunner(gateway.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
