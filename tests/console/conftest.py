"""A console with a fake Prometheus and Alertmanager behind it, asked without a network between."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from edgeinfer.console.app import build_app
from edgeinfer.stack.ports import PortPool
from tests.console.fake_alertmanager import FakeAlertmanager, running_alertmanager
from tests.console.fake_prometheus import FakePrometheus, running
from tests.console.small_dashboards import write

NOW = 1_800_000_003.0


@dataclass
class Bench:
    """What a test talks to."""

    client: httpx.AsyncClient
    prometheus: FakePrometheus
    alertmanager: FakeAlertmanager
    folder: Path

    def dashboards(self, *documents: dict[str, Any]) -> None:
        """Put dashboards into the folder."""
        write(self.folder, *documents)

    async def refresh(self, uid: str = "small", **body: Any) -> httpx.Response:
        """A refresh as the browser sends it."""
        return await self.client.post(
            f"/api/dashboards/{uid}/refresh", json={"from": "now-1m", "to": "now", "panels": [{"id": 1}]} | body
        )


class Lifespan:
    """Starts and ends an application as a server would."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __aenter__(self) -> ASGIApp:
        inner: Any = self.app
        while not hasattr(inner, "router"):
            inner = inner._app
        self.context = inner.router.lifespan_context(inner)
        await self.context.__aenter__()
        return self.app

    async def __aexit__(self, *failure: object) -> None:
        await self.context.__aexit__(*failure)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A console whose clock stands still."""
    async with AsyncExitStack() as stack:
        prometheus = await stack.enter_async_context(running(FakePrometheus()))
        alertmanager = await stack.enter_async_context(running_alertmanager(FakeAlertmanager()))
        runbooks = tmp_path / "runbooks"
        runbooks.mkdir()
        (runbooks / "Hot.md").write_text("# Hot\n\nOpen a window.\n", "utf-8")
        app = build_app(
            dashboards=tmp_path / "dashboards",
            prometheus_url=prometheus.url,
            alertmanager_url=alertmanager.url,
            runbooks=runbooks,
            hosts=("console.test",),
            clock=lambda: NOW,
        )
        await stack.enter_async_context(Lifespan(app))
        transport = httpx.ASGITransport(app)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://console.test"))
        yield Bench(client, prometheus, alertmanager, tmp_path / "dashboards")


@pytest.fixture
def unused_tcp_port() -> int:
    """A port that nobody listens on."""
    return PortPool().take(1)[0]


Clock = Callable[[], float]
