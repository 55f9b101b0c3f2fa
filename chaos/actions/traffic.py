"""Too many clients, none at all, and a connection to the sidecar that breaks what passes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import orjson

from chaos.actions.action import Testbed, Users
from chaos.faults import NO_FAULT, Fault

_REFUSED_SECONDS = 0.5  # pause of a flooding client after a refused request
_A_WINDOW = orjson.dumps({"x": [[0.0] * 9] * 100})
# The beginning of TLS, as a client sends it that takes the plain port for an encrypted one.
_CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Inject:
    """The proxy between gateway and sidecar breaks what passes."""

    fault: Fault

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        testbed.proxy.fault = self.fault
        try:
            yield
        finally:
            testbed.proxy.fault = NO_FAULT


@dataclass(frozen=True, slots=True)
class NoTraffic:
    """No phone sends requests; sensors continue, and their samples are sent afterwards."""

    @asynccontextmanager
    async def applied(self, _: Testbed, users: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        users.pause()
        try:
            yield
        finally:
            users.resume()


@dataclass(frozen=True, slots=True)
class ClientFlood:
    """This many clients call the sidecar past the gateway, each without a pause."""

    callers: int

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        async with _flood(f"{testbed.sidecar_url}/infer", self.callers):
            yield


@dataclass(frozen=True, slots=True)
class SessionFlood:
    """This many phones try to start a session, and retry when they are refused."""

    callers: int

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        async with _flood(f"{testbed.gateway_url}/api/v1/analysis/start", self.callers):
            yield


@dataclass(frozen=True, slots=True)
class NotHttp:
    """A caller that does not speak HTTP connects to the gateway again and again, this often a second."""

    per_second: float

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        address = urlsplit(testbed.gateway_url)
        calling = asyncio.create_task(self._call(address.hostname or "", address.port or 0))
        try:
            yield
        finally:
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)

    async def _call(self, host: str, port: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(_CLIENT_HELLO)
                await reader.read()
                writer.close()
            await asyncio.sleep(1 / self.per_second)


@asynccontextmanager
async def _flood(url: str, callers: int) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        calling = [asyncio.create_task(_call_repeatedly(http, url)) for _ in range(callers)]
        try:
            yield
        finally:
            for task in calling:
                task.cancel()
            await asyncio.gather(*calling, return_exceptions=True)


async def _call_repeatedly(http: aiohttp.ClientSession, url: str) -> None:
    while True:
        is_refused = True
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with http.post(url, data=_A_WINDOW, headers=_JSON) as answer:
                await answer.read()
                is_refused = answer.status != 200  # noqa: PLR2004 - OK
        if is_refused:
            await asyncio.sleep(_REFUSED_SECONDS)
