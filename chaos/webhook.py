"""A webhook receiver of our own: which alerts arrive, and when."""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from time import monotonic
from typing import Self

import orjson
from aiohttp import web

PATH = "/hooks/alerts"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One alert of one notification.

    Args:
        at: by our clock.
        name: of the alert.
        status: firing or resolved.
        severity: its label.
    """

    at: float
    name: str
    status: str
    severity: str


class WebhookReceiver:
    """Listens on loopback while it is open.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.arrivals: list[Arrival] = []
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        """The URL that Alertmanager is configured to notify."""
        if self._runner is None:
            raise RuntimeError("the receiver is not open")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}{PATH}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post(PATH, self._receive)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        for alert in orjson.loads(await request.read())["alerts"]:
            labels = alert["labels"]
            arrival = Arrival(self._clock(), labels["alertname"], alert["status"], labels.get("severity", ""))
            self.arrivals.append(arrival)
        self._news.set()
        return web.Response()

    def firing_since(self, names: AbstractSet[str], since: float) -> Arrival | None:
        """The first notification after a moment that reports one of these alerts as firing."""
        found = (one for one in self.arrivals if one.name in names and one.status == "firing" and one.at >= since)
        return next(found, None)

    async def wait_for(self, names: AbstractSet[str], since: float, seconds: float) -> Arrival | None:
        """The same, waited for; None when it does not come in time."""
        give_up = self._clock() + seconds
        while not (arrival := self.firing_since(names, since)):
            left = give_up - self._clock()
            if left <= 0:
                return None
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                return None
        return arrival
